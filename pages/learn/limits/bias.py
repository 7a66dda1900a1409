"""Changed photos, loaded words and things nobody saw, in the lesson on limits."""

import streamlit as st

from captioning.analysis.generated_captions import Written
from captioning.analysis.word_pairs import count_pairs, count_words
from captioning.datasets import CaptionDataset
from captioning.errors import CaptioningError
from captioning.lessons.limits import (
    CHANGES,
    Hallucinations,
    Shift,
    WordChange,
    hallucinations,
    word_changes,
)
from pages.learn.figures import show_image
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.limits import data
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.datasets import Explored
from pages.ui.model_captions import written_about
from pages.ui.wording import plain

__all__ = ["show_bias", "show_changes"]

KEPT, CHANGED = "it stays the same", "it changes"
_SPLIT = "test"


def show_changes(page: LessonPage) -> None:
    """Change the photo as a person would hardly mind, and compare the sentences."""
    page.heading("The same photo, changed a little")
    name = st.segmented_control(
        "Change", list(CHANGES), default="mirrored", required=True, key="limits.change",
        bind="query-params",
    )  # fmt: skip
    answer = page.guess(
        "change",
        f"The photo is made **{name}**. {CHANGES[name][0]} What becomes of the sentence?",
        lambda: _changed(page, name),
        options=(KEPT, CHANGED),
        about=name,
    )
    if answer is None:
        return
    said = data.said_of_change(page.subject, name)
    left, right = st.columns([1, 2], gap="medium", vertical_alignment="center")
    with left:
        show_image(said.picture, alt=f"The photo, {name}")
    with right:
        changes = word_changes(page.subject.words, said.words)
        st.markdown(f"#### {_marked(changes)}")
        st.caption("Struck out: gone. In colour and bold: new.")
    _all_changes(page)


def _changed(page: LessonPage, name: str) -> Answer:
    said = data.said_of_change(page.subject, name)
    before, after = page.subject.caption.text, said.caption.text
    because = f"It was *{plain(before)}* and is *{plain(after)}*."
    return Answer((KEPT if before == after else CHANGED,), because=because)


def _marked(changes: list[WordChange]) -> str:
    shown = {"kept": "{}", "gone": ":gray[~~{}~~]", "new": ":green-background[**{}**]"}
    return " ".join(shown[c.fate].format(plain(c.word)) for c in changes) or "(nothing)"


def _all_changes(page: LessonPage) -> None:
    """Put the sentences after every change into a table."""
    own = page.subject.words
    said = [data.said_of_change(page.subject, name) for name in CHANGES]
    kept = [sum(c.fate == "kept" for c in word_changes(own, one.words)) for one in said]
    page.table(
        {
            "the photo is": [one.name for one in said],
            "it says": [one.caption.text for one in said],
            "words kept": [f"{n} of {len(own)}" for n in kept],
        },
        caption="A person would say nearly the same of most of these. Mirrored, only left and "
        "right should change places.",
    )


def show_bias(page: LessonPage) -> None:
    """Count loaded words, and things nobody saw, in the model's captions of the data at hand."""
    page.heading("Bias in words")
    page.text(
        "Captioning models were found to say a common word more often still than their data does "
        "(Burns et al. 2018). Count whether this one does, against what people wrote."
    )
    try:
        dataset = cache.gallery()
        written = _written(page, dataset)
    except CaptioningError as error:
        problem(error)
        return
    if written is None:
        st.caption(
            "The captions of all test photos are needed, once. With a large encoder this takes "
            "some minutes; they are kept for all pages."
        )
        return
    references = {photo.name: photo.captions for photo in dataset.split(_SPLIT)}
    said = {name: text for name, text in written.captions.items() if name in references}
    _shifts(page, dataset, said)
    _unseen(page, hallucinations(said, references), dataset)


def _written(page: LessonPage, dataset: CaptionDataset) -> Written | None:
    bundle = page.subject.bundle
    explored = Explored(dataset.folder.name, dataset)
    return written_about("limits", explored, _SPLIT, bundle, bundle.decoding)


def _shifts(page: LessonPage, dataset: CaptionDataset, said: dict[str, str]) -> None:
    """Compare the shares of word pairs in people's captions and in the model's."""
    people = [text for texts in dataset.references(_SPLIT) for text in texts]
    pairs = count_pairs(people, said.values())
    shifts = [
        Shift(
            pair.one.phrase,
            pair.other.phrase,
            (pair.one.references, pair.other.references),
            (pair.one.written or 0, pair.other.written or 0),
        )
        for pair in pairs
    ]
    if not shifts:
        st.caption("No caption here has any of the words looked for.")
        return
    page.table(
        {
            "pair": [f"{shift.one} / {shift.other}" for shift in shifts],
            "people": [f"{shift.people[0]:,} / {shift.people[1]:,}" for shift in shifts],
            "model": [f"{shift.model[0]:,} / {shift.model[1]:,}" for shift in shifts],
            "share of the first": [_shares(shift) for shift in shifts],
            "more than chance": ["yes" if shift.beyond_chance else "no" for shift in shifts],
        },
        caption=f"Captions that have the word: {len(people):,} by people and {len(said):,} by "
        f"{page.subject.bundle.name} of the {_SPLIT} photos of {dataset.name}. More than chance: "
        "the shares differ by over twice their standard error, on ten words and more.",
    )
    told = [shift for shift in shifts if shift.difference is not None]
    if told:
        widest = max(told, key=lambda shift: abs(shift.difference or 0))
        page.text(f"The widest shift, {widest.one} against {widest.other}: model minus people.")
        page.formula(widest.formula())
    _loaded(page, people, said)


def _shares(shift: Shift) -> str:
    if shift.of_people is None or shift.of_model is None:
        return "–"
    return f"{100 * shift.of_people:.0f}% → {100 * shift.of_model:.0f}%"


def _loaded(page: LessonPage, people: list[str], said: dict[str, str]) -> None:
    """Count words that judge a person or guess what a photo cannot show."""
    counts = count_words(people, said.values())
    if counts and not page.large:
        page.table(
            {
                "word": [count.phrase for count in counts],
                "people": [str(count.references) for count in counts],
                "model": [str(count.written or 0) for count in counts],
            },
            caption="Words that judge a person, or guess what a photo cannot show.",
        )


def _unseen(page: LessonPage, found: Hallucinations, dataset: CaptionDataset) -> None:
    """Show how often the model names a thing that no person named."""
    page.heading("Things nobody saw")
    page.text(
        f"Of {found.named:,} things that the model names in {found.captions:,} captions, "
        f"{found.unseen:,} are in no person's caption of the same photo."
    )
    page.formula(rf"\mathrm{{unseen}} = {found.formula()}")
    page.aside(
        "After CHAIR (Rohrbach et al. 2018), with a short list of things and with people's "
        "captions alone as truth: what they left out counts as unseen, so this is an upper bound."
    )
    examples = list(found.examples.items())[:5]
    if examples:
        references = {photo.name: photo.captions[0] for photo in dataset.split(_SPLIT)}
        page.table(
            {
                "photo": [name for name, _ in examples],
                "named, but not by people": [", ".join(words) for _, words in examples],
                "a person wrote": [references[name] for name, _ in examples],
            }
        )
