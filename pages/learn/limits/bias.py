"""Words of habit and for people, changed photos, and things that are not there, in lesson 9."""

import streamlit as st

from captioning.analysis.disk_cache import Written
from captioning.analysis.word_pairs import count_pairs, count_words
from captioning.bundle import Bundle
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
from captioning.people_words import GENDERED, certainties, neutral_words
from captioning.text import sentence
from pages.learn.figures import show_image
from pages.learn.frame import LessonPage
from pages.learn.guessing import Answer
from pages.learn.limits import data
from pages.ui import cache
from pages.ui.components import problem
from pages.ui.datasets import Explored
from pages.ui.model_captions import written_about
from pages.ui.wording import plain

KEPT, CHANGED = "it stays the same", "it changes"
_SPLIT = "test"


def show_changes(page: LessonPage) -> None:
    """Change the photo in ways that hardly matter to a person, and compare the sentences."""
    page.heading("The same photo, changed a little")
    name = st.segmented_control(
        "Change", list(CHANGES), default="mirrored", required=True, key="limits.change",
        bind="query-params",
    )  # fmt: skip
    answer = page.guess(
        "change",
        f"The photo is made **{name}**. {CHANGES[name][0]} What happens to the sentence?",
        lambda: _changed(page, name),
        options=(KEPT, CHANGED),
        about=name,
    )
    if answer is None:
        return
    changed = data.caption_of_change(page.subject, name)
    left, right = st.columns([1, 2], gap="medium", vertical_alignment="center")
    with left:
        show_image(changed.picture, alt=f"The photo, {name}")
    with right:
        changes = word_changes(page.subject.words, changed.words)
        st.markdown(f"#### {_marked(changes)}")
        st.caption("Struck out: gone. In colour and bold: new.")
    _all_changes(page)


def _changed(page: LessonPage, name: str) -> Answer:
    changed = data.caption_of_change(page.subject, name)
    before, after = page.subject.caption.text, changed.caption.text
    because = f"It was *{plain(before)}* and is *{plain(after)}*."
    return Answer((KEPT if before == after else CHANGED,), because=because)


def _marked(changes: list[WordChange]) -> str:
    shown = {"kept": "{}", "gone": ":gray[~~{}~~]", "new": ":green-background[**{}**]"}
    return " ".join(shown[c.fate].format(plain(c.word)) for c in changes) or "(nothing)"


def _all_changes(page: LessonPage) -> None:
    """Put the sentences after every change into a table."""
    own = page.subject.words
    changed = [data.caption_of_change(page.subject, name) for name in CHANGES]
    kept = [sum(c.fate == "kept" for c in word_changes(own, one.words)) for one in changed]
    page.table(
        {
            "the photo is": [one.name for one in changed],
            "it writes": [one.caption.text for one in changed],
            "words kept": [f"{n} of {len(own)}" for n in kept],
        },
        caption="A person would describe most of these in nearly the same way. In the mirrored "
        "one, only left and right should change places.",
    )


def show_bias(page: LessonPage) -> None:
    """Count loaded words, and things that are not there, in the model's captions."""
    page.heading("Bias in words")
    page.text(
        "Captioning models use common words even more often than their training data does (Burns "
        "et al. 2018). Count whether this model does, compared with what people wrote."
    )
    try:
        dataset = cache.gallery()
        written = _written(page, dataset)
    except CaptioningError as error:
        problem(error)
        return
    if written is None:
        st.caption(
            "This needs the model's captions of all test photos, once. With a large encoder that "
            "takes some minutes; all pages then share them."
        )
        return
    references = {photo.name: photo.captions for photo in dataset.split(_SPLIT)}
    captions = {name: text for name, text in written.captions.items() if name in references}
    _shifts(page, dataset, captions)
    _unseen(page, hallucinations(captions, references), dataset)


def _written(page: LessonPage, dataset: CaptionDataset) -> Written | None:
    bundle = page.subject.bundle
    explored = Explored(dataset.folder.name, dataset)
    return written_about("limits", explored, _SPLIT, bundle, bundle.decoding)


def _shifts(page: LessonPage, dataset: CaptionDataset, captions: dict[str, str]) -> None:
    """Compare the shares of word pairs in people's captions and in the model's."""
    people = [text for texts in dataset.references(_SPLIT) for text in texts]
    pairs = count_pairs(people, captions.values())
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
        st.caption("No caption here has any of these words.")
        return
    page.table(
        {
            "pair": [f"{shift.one} / {shift.other}" for shift in shifts],
            "people": [f"{shift.people[0]:,} / {shift.people[1]:,}" for shift in shifts],
            "model": [f"{shift.model[0]:,} / {shift.model[1]:,}" for shift in shifts],
            "share of the first": [_shares(shift) for shift in shifts],
            "more than chance": ["yes" if shift.beyond_chance else "no" for shift in shifts],
        },
        caption=f"Captions that have the word: {len(people):,} by people and {len(captions):,} by "
        f"{page.subject.bundle.name} of the {_SPLIT} photos of {dataset.name}. More than chance: "
        "the shares differ by more than twice their standard error, with at least ten words.",
    )
    known = [shift for shift in shifts if shift.difference is not None]
    if known:
        widest = max(known, key=lambda shift: abs(shift.difference or 0))
        page.text(f"The widest shift, {widest.one} against {widest.other}: model minus people.")
        page.formula(widest.formula())
    _loaded(page, people, captions)


def _shares(shift: Shift) -> str:
    if shift.of_people is None or shift.of_model is None:
        return "–"
    return f"{100 * shift.of_people:.0f}% → {100 * shift.of_model:.0f}%"


def _loaded(page: LessonPage, people: list[str], captions: dict[str, str]) -> None:
    """Count words that judge a person or guess what a photo cannot show."""
    counts = count_words(people, captions.values())
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
    page.heading("Things that are not there")
    page.text(
        f"The model names {found.named:,} things in {found.captions:,} captions. Of these, "
        f"{found.unseen:,} are in no caption by a person of the same photo."
    )
    page.formula(rf"\mathrm{{unseen}} = {found.formula()}")
    page.aside(
        "After CHAIR (Rohrbach et al. 2018), with a short list of things and with people's "
        "captions as the only truth: what people left out counts as not there, so this is an upper "
        "bound."
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


CERTAINTIES = {"off": 0.0, "70%": 0.7, "90%": 0.9, "99%": 0.99}
"""Choices of `gender_certainty`; the pages of the app use 90%."""


def show_people(page: LessonPage) -> None:
    """Show the model's certainty about genders, and the sentence with neutral words."""
    page.heading("Words for people")
    page.text(
        "The model chooses between 'man' and 'woman' by looks, and a photo cannot tell. So the app "
        "writes 'person', 'people' or 'child' unless the model is certain of the gender. Certainty "
        "is the share of that gender in the probability of all such words at this position."
    )
    asked = st.segmented_control(
        "How certain the model must be to name a gender", list(CERTAINTIES), default="90%",
        required=True, key="limits.certainty", bind="query-params",
    )  # fmt: skip
    words = page.subject.words
    if GENDERED.keys() & set(words):
        _own_words(page, words, CERTAINTIES[asked])
    else:
        page.text(
            "The sentence about this photo names no gender. Choose a photo of a person to see "
            "what changes, such as the sample camera."
        )
    if rows := cost_rows(page.subject.bundle):
        page.table(
            {name: [row[name] for row in rows] for name in rows[0]},
            caption="References name genders too, so neutral words lower the scores although the "
            "captions are not worse. Scores elsewhere in the app are of the model's own words.",
        )


def _own_words(page: LessonPage, words: list[str], at_least: float) -> None:
    certain = certainties(words, page.subject.reading.log_probs[0], page.subject.vocabulary)
    page.table(
        {
            "word": [w for w, share in zip(words, certain, strict=True) if share is not None],
            "certainty of the gender": [f"{share:.1%}" for share in certain if share is not None],
        }
    )
    st.markdown(f"#### {plain(sentence(neutral_words(words, certain, at_least)))}")
    page.code("captioning.people_words", "certainties", "neutral_words")


def cost_rows(bundle: Bundle) -> list[dict[str, str]]:
    """Return a row for each stored evaluation with neutral words: CIDEr without and with them."""
    asked = ("data", "split", "beam_width", "length_penalty")
    own = {tuple(score.get(k) for k in asked): score for score in bundle.scores()}
    rows = []
    for score in bundle.scores(neutral_words=True):
        before = own.get(tuple(score.get(k) for k in asked))
        if before is not None:
            rows.append(
                {
                    "data": f"{score['data']} {score['split']}",
                    "CIDEr, own words": f"{before['cider']:.1f}",
                    "CIDEr, neutral words": f"{score['cider']:.1f}",
                }
            )
    return rows
