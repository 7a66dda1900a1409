"""Lesson 7: what BLEU and CIDEr count, and what they miss."""

from collections.abc import Sequence

import streamlit as st

from captioning.analysis.bleu import BleuDrawing, draw_bleu, sentence_scores
from captioning.errors import CaptioningError, QueryError
from captioning.lessons.bleu import bleu_formula, penalty_formula
from captioning.lessons.caption_edits import Edit, edits_of
from captioning.lessons.cider import draw_cider
from captioning.lessons.worksheet import Table
from captioning.text import clean, tokenize
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.scores.blind_spots import (
    show_blind_spots,
    show_duel,
    show_misleading,
    show_mistakes,
)
from pages.learn.scores.cider import Crowd, crowd_for, show_cider
from pages.learn.subject import BY_MODEL, BY_SUBJECT, Subject
from pages.ui import cache
from pages.ui.bleu import LEGEND, colored, show_ngrams
from pages.ui.components import problem
from pages.ui.pictures import true_sentences
from pages.ui.wording import plain

IDEA = (
    "A score compares the model's sentence with what people wrote about the photo, by the "
    "words and word sequences (n-grams) they share. It never looks at the photo: change one word "
    "and see what it notices."
)
UP, SAME, DOWN = "up", "stays", "down"
_AS_IT_IS = "as it is"
_PAPERS = (
    Paper(
        "BLEU: a Method for Automatic Evaluation of Machine Translation",
        "Papineni, Roukos, Ward and Zhu",
        2002,
        "https://aclanthology.org/P02-1040/",
    ),
    Paper(
        "CIDEr: Consensus-based Image Description Evaluation",
        "Vedantam, Zitnick and Parikh",
        2015,
        "https://arxiv.org/abs/1411.5726",
    ),
    Paper(
        "Re-evaluating the Role of BLEU in Machine Translation Research",
        "Callison-Burch, Osborne and Koehn",
        2006,
        "https://aclanthology.org/E06-1032/",
    ),
    Paper(
        "A Call for Clarity in Reporting BLEU Scores", "Post", 2018,
        "https://arxiv.org/abs/1804.08771",
    ),
)  # fmt: skip


def show() -> None:
    """Show the lesson."""
    page = open_lesson("scores", IDEA)
    references = _choose_references(page)
    if references:
        try:
            _lesson(page, references)
        except CaptioningError as error:
            problem(error)
    else:
        st.info("A score needs at least one sentence by a person.")
    page.papers(_PAPERS)
    page.close()


def _lesson(page: LessonPage, references: tuple[str, ...]) -> None:
    crowd = crowd_for(page)
    base = clean(page.subject.caption.text)
    _scene(page, references)
    edit = _choose_edit(base)
    order = _choose_order()
    if _guess(page, base, edit, references, order) is None:
        page.say_more_follows()
    else:
        _drawing(page, base, edit.text, references, order)
        show_cider(page, base, edit.text, references, crowd)
        show_blind_spots(page, base, references, crowd, order)
        show_mistakes(page, edit.text, references, crowd)
    show_duel(page, crowd)
    show_misleading()
    page.code("captioning.metrics.bleu", "bleu_from_statistics")
    page.code("captioning.lessons.cider", "draw_cider")
    page.questions(questions_about(page, references, crowd))


def _scene(page: LessonPage, references: tuple[str, ...]) -> None:
    """Show the photo, its references and what the model wrote."""
    subject = page.subject
    left, right = st.columns([1, 2], gap="medium")
    with left:
        page.photo(320)
    with right:
        st.markdown(f"**What {subject.authors} wrote** (the references)")
        st.markdown("\n".join(f"{n}. {plain(text)}" for n, text in enumerate(references, 1)))
        st.markdown(f"**What the model wrote**: {plain(subject.caption.text)}")
    page.keep(listed(f"What {subject.authors} wrote", references))


def _choose_references(page: LessonPage) -> tuple[str, ...]:
    """Return what people wrote about the photo; ask the student where nobody did."""
    subject = page.subject
    known = tuple(subject.references) or true_sentences(subject.name)
    if known:
        return known
    text = st.text_area(
        "Nobody has described this photo yet. Write what it shows, one sentence a line",
        placeholder="A dog runs on the beach.\nA brown dog is running near the water.",
        key="scores.references",
        bind="query-params",
    )
    return tuple(line.strip() for line in text.splitlines() if tokenize(line))


def _choose_edit(base: str) -> Edit:
    edits = {edit.kind: edit for edit in edits_of(base)}
    left, right = st.columns(2, vertical_alignment="bottom")
    kinds = list(edits) or [_AS_IT_IS]
    with left:
        kind = st.selectbox(
            "Change the model's sentence",
            kinds,
            format_func=lambda name: edits[name].title if name in edits else name,
            key="scores.edit",
            bind="query-params",
        )
    with right:
        own = st.text_input(
            "or write another one and press Enter",
            placeholder=base,
            key="scores.own",
            bind="query-params",
            max_chars=200,
        )
    if clean(own):
        return Edit("own", "your sentence", clean(own), keeps_truth=False)
    return edits.get(kind) or Edit("own", _AS_IT_IS, base, keeps_truth=True)


def _choose_order() -> int:
    return st.segmented_control(
        "Score",
        [1, 2, 3, 4],
        default=2,
        required=True,
        format_func=lambda n: f"BLEU-{n}",
        key="scores.order",
        bind="query-params",
    )


def _guess(
    page: LessonPage, base: str, edit: Edit, references: tuple[str, ...], order: int
) -> Answer | None:
    return page.guess(
        "direction",
        f"The model's *{plain(base)}* becomes *{plain(edit.text)}*. "
        f"Does BLEU-{order} go up, go down, or stay as it was?",
        lambda: _direction(page, base, edit.text, references, order),
        options=(UP, SAME, DOWN),
        about=(base, edit.text, references, order),
    )


def _direction(
    page: LessonPage, base: str, text: str, references: tuple[str, ...], order: int
) -> Answer:
    """Return how the score changed; the model votes for the sentence it finds likelier."""
    before, after = (draw_bleu(t, references).score.bleu[order - 1] for t in (base, text))
    right = SAME if before == after else UP if after > before else DOWN
    because = (
        f"BLEU-{order} was {100 * before:.1f} and is {100 * after:.1f}. The model votes for "
        "the sentence that it finds likelier for this photo."
    )
    return Answer((right,), model=_vote(page, base, text), because=because)


def _vote(page: LessonPage, base: str, text: str) -> str:
    try:
        before, after = (_likelihood(page.subject, sentence) for sentence in (base, text))
    except QueryError:
        return DOWN  # it does not know a word of it
    return SAME if base == text else UP if after > before else DOWN


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_SUBJECT)
def _likelihood(subject: Subject, text: str) -> float:
    """Return the mean log-probability of a sentence's words and end, for this photo.

    Raises:
        QueryError: the model does not know a word of it, or it is too long.
    """
    return float(subject.captioner.read(subject.features, text).of_words.mean())


def _drawing(
    page: LessonPage, base: str, text: str, references: tuple[str, ...], order: int
) -> None:
    """Show both sentences in colours, their scores, and the arithmetic of the changed one."""
    page.heading("What BLEU counts")
    was, now = draw_bleu(base, references), draw_bleu(text, references)
    for title, drawing in (("Before", was), ("After", now)):
        st.markdown(f"#### {title}: {colored(drawing.hypothesis)}")
    st.markdown(f":small[{LEGEND}]")
    for number, reference in enumerate(now.references):
        nearest = ", nearest in length" * (number == now.nearest)
        st.markdown(f"{number + 1}. {colored(reference)} :gray[({len(reference)} words{nearest})]")
    page.table(_both(was, now))
    st.markdown(f"**{order}-grams after the change**")
    show_ngrams(now, order)
    page.formula(penalty_formula(now.score))
    page.formula(bleu_formula(now.score, order))
    page.aside(
        "Above each line: the n-grams found in a reference, each counted at most as often as in "
        "one reference. Below: all n-grams of the sentence. *c* and *r* are the lengths of the "
        "sentence and of the reference with the nearest length; *BP* makes the score of a short "
        "sentence lower."
    )


def _both(was: BleuDrawing, now: BleuDrawing) -> dict[str, list[str]]:
    def cells(drawing: BleuDrawing) -> list[str]:
        score = drawing.score
        shares = zip(score.precisions, score.bleu, strict=True)
        return [f"{100 * bleu:.1f}  ({p.clipped} of {p.total})" for p, bleu in shares]

    return {
        "score": [f"BLEU-{n} (counted of all)" for n in range(1, 5)],
        "before": cells(was),
        "after": cells(now),
    }


def questions_about(
    page: LessonPage, references: tuple[str, ...], crowd: Crowd
) -> tuple[Question, ...]:
    """Return three questions about this photo and model."""
    return (
        Question(
            "What does the model's sentence for an empty photo score on this one?",
            lambda: _empty(page, references, crowd),
        ),
        Question(
            "Does a wider beam also score higher here?",
            lambda: _wider(page, references, crowd),
        ),
        Question(
            "How does a person score against the other people?",
            lambda: _person(references, crowd),
        ),
    )


def _line(text: str, references: tuple[str, ...], crowd: Crowd) -> str:
    bleu = sentence_scores(text, references)
    cider = 100 * draw_cider(text, references, crowd.frequencies).cider
    return f"BLEU-1 {bleu[0]:.1f}, BLEU-4 {bleu[3]:.1f}, CIDEr-D {cider:.1f}"


def _empty(page: LessonPage, references: tuple[str, ...], crowd: Crowd) -> str:
    subject = page.subject
    text = _of_empty(subject)
    own = _line(clean(subject.caption.text), references, crowd)
    return (
        f"For an evenly grey photo the model writes **{plain(text)}**. On this photo that has "
        f"{_line(text, references, crowd)}; its own sentence has {own}. Common words alone earn "
        "the empty photo's sentence its points."
    )


def _wider(page: LessonPage, references: tuple[str, ...], crowd: Crowd) -> str:
    subject = page.subject
    lines = []
    for width in (1, 3, 5):
        decoding = subject.bundle.decoding.replace(strategy="beam", beam_width=width)
        caption = cache.caption(
            subject.bundle, subject.picture.data, subject.picture.name, decoding
        )
        text = clean(caption.text)
        lines.append(f"- Beam width {width}: **{plain(text)}**. {_line(text, references, crowd)}.")
    ending = "One photo proves nothing: scores are reported over a whole split."
    return "\n".join([*lines, "", ending])


def _person(references: tuple[str, ...], crowd: Crowd) -> str:
    if len(references) < 2:
        return "There is only one sentence by a person here. Write a second one."
    lines = []
    for number, text in enumerate(references):
        others = (*references[:number], *references[number + 1 :])
        lines.append(f"- {plain(text)} {_line(text, others, crowd)}.")
    ending = "Each is scored against the others. People who saw the same photo do not reach 100."
    return "\n".join([*lines, "", ending])


@st.cache_data(max_entries=16, show_spinner="Writing about an empty photo…", hash_funcs=BY_MODEL)
def _of_empty(subject: Subject) -> str:
    captioner = subject.captioner
    return clean(captioner.describe(captioner.blank_features)[0].text)


def listed(title: str, sentences: Sequence[str]) -> Table:
    """Return sentences as a numbered table."""
    return Table(["", title], [(str(n), text) for n, text in enumerate(sentences, start=1)])


if __name__ == "__main__":
    show()
