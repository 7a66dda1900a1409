"""Lesson 1: from a photo to a sentence, in one picture of the live model."""

import math
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import streamlit as st

from captioning.decoders import DECODERS
from captioning.lessons.lexicon import content_places
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.inspector import END, opened_encoder, word_of
from pages.learn.overview.drawing import Moment, draw_decoder, draw_encoder, draw_regions
from pages.learn.subject import BY_MODEL, BY_SUBJECT, Subject
from pages.ui.captions import word_chart
from pages.ui.wording import percent, plain

if TYPE_CHECKING:
    from captioning.lessons.overview import Anatomy

_RIVALS = 6
_FACTORS = 6
IDEA = (
    "A convolutional network turns the photo into numbers, a few hundred for each region. "
    "An LSTM reads them and writes a sentence, one word at a time. It chooses each word by "
    "its probability after the words before."
)


def show() -> None:
    """Show the lesson."""
    page = open_lesson("overview", IDEA)
    subject = page.subject
    words = [*subject.words, END]
    scene = st.container()  # the photo first, then the slider that it depends on
    usual = content_places(subject.words)
    place = page.step("Word to write", words, first=usual[0] if usual else 0)
    with scene:
        revealed = _scene(page, words, place)
    if revealed:
        _rivals(page, place)
    _model(page, words, place, revealed=revealed)
    _product(page, words, place, revealed=revealed)
    _parts(page)
    page.code("captioning.captioner", "Captioner.encode", "Captioner.trace", "Captioner.rank")
    page.questions(
        [
            Question(
                "How much of the sentence would the model write without the photo?",
                lambda: _without_photo(subject),
            ),
            Question(
                "Which part has more learned numbers, the encoder or the decoder?",
                lambda: _who_is_larger(_anatomy(subject)),
            ),
            Question(
                "At which word was the model least sure, and what else did it consider?",
                lambda: _least_sure(subject),
            ),
        ]
    )
    page.papers(
        [
            Paper(
                "Show and Tell: A Neural Image Caption Generator",
                "Vinyals, Toshev, Bengio and Erhan",
                2015,
                "https://arxiv.org/abs/1411.4555",
            ),
            Paper(
                "Show, Attend and Tell",
                "Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel and Bengio",
                2015,
                "https://arxiv.org/abs/1502.03044",
            ),
            Paper(
                "Where to put the Image in an Image Caption Generator",
                "Tanti, Gatt and Camilleri",
                2018,
                "https://arxiv.org/abs/1703.09137",
            ),
        ]
    )
    page.close()


def _scene(page: LessonPage, words: list[str], place: int) -> bool:
    """Show photo, regions and sentence, and ask for the next word; return whether it is shown."""
    subject, before = page.subject, words[:place]
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with right:
        text = f"{plain(' '.join(before))} …" if before else "…"
        (st.title if page.large else st.header)(text, anchor=False)
        answer = page.guess(
            "next",
            "Which word does the model write next?"
            if before
            else "With which word does the model begin?",
            lambda: _next(subject, words, place),
            about=place,
        )
    with left:
        _regions(page, words, place, revealed=answer is not None)
    return answer is not None


def _regions(page: LessonPage, words: list[str], place: int, *, revealed: bool) -> None:
    anatomy, moment = _anatomy(page.subject), _moment(page, words, place, revealed)
    pixels, _ = _seen(page.subject)
    cut = len(anatomy.tensor("features").shape) == 2
    regions = f"{anatomy.tensor('features').shape[0]} regions" if cut else "one piece"
    page.picture(
        lambda look: draw_regions(anatomy, pixels, moment, look),
        key=("regions", place, revealed),
        alt=f"The photo {page.subject.picture.name} as the model reads it, in {regions}.",
        caption=f"The model reads the photo in {regions}. {_below(anatomy, moment)}",
        width=460,
    )


def _moment(page: LessonPage, words: list[str], place: int, revealed: bool) -> Moment:
    """Return the word being written; it is hidden until it is revealed."""
    reading, grid = page.subject.reading, page.subject.captioner.encoder.grid
    looked = None
    if revealed and reading.attention is not None and grid:
        looked = reading.attention[0, place].reshape(grid)
    share = math.exp(float(reading.of_words[0, place]))
    return Moment(words[:place], words[place] if revealed else None, share, looked)


def _next(subject: Subject, words: list[str], place: int) -> Answer:
    word = words[place]
    share = percent(float(subject.reading.of_words[0, place]))

    def because(guess: str) -> str:
        text = f"The model gave it {share}"
        known = subject.vocabulary.encode(guess)
        if len(known) != 1 or guess.strip().lower() == word:
            return f"{text}."
        if guess.strip().lower() not in subject.vocabulary:
            return f"{text}; it does not know your word."
        return f"{text}, your word {percent(float(subject.reading.log_probs[0, place, known[0]]))}."

    return Answer(right=[word], because=because)


def _model(page: LessonPage, words: list[str], place: int, *, revealed: bool) -> None:
    """Show both halves of the model at this word, side by side where there is room."""
    anatomy, moment = _anatomy(page.subject), _moment(page, words, place, revealed)
    pixels, maps = _seen(page.subject)
    page.heading("The whole model at this word")
    with st.grid(2, min_column_width=320):
        with st.container():
            page.picture(
                lambda look: draw_encoder(
                    anatomy, pixels, [m.astype(np.float32) for m in maps], look
                ),
                key=("encoder",),
                alt=_spoken(anatomy, slice(0, 2)),
                caption=f"The CNN encoder ({anatomy.encoder}) turns the photo into smaller maps "
                "with more numbers at each place.",
            )
        with st.container():
            page.picture(
                lambda look: draw_decoder(anatomy, pixels, moment, look),
                key=("decoder", place, revealed),
                alt=f"{_spoken(anatomy, slice(1, None))} The next word: "
                f"{moment.word or 'to be guessed'}.",
                caption=f"The decoder predicts a word from the words before it. "
                f"{DECODERS[anatomy.kind].summary} The sizes are those of this model.",
            )


def _spoken(anatomy: "Anatomy", part: slice) -> str:
    way = ", then ".join(f"{tensor.name} {tensor.size}" for tensor in anatomy.tensors[part])
    return f"The model as a chain of boxes: {way}."


def _below(anatomy: "Anatomy", moment: Moment) -> str:
    if anatomy.kind != "attention":
        return DECODERS[anatomy.kind].summary
    if moment.attention is not None:
        return "Bright regions counted most for this word."
    return "Guess first; then the regions that counted for the word become bright."


def _rivals(page: LessonPage, place: int) -> None:
    from captioning.caption import Word

    page.heading("What else it considered here")
    log_probs = page.subject.reading.log_probs[0, place]
    best = np.argsort(-log_probs, kind="stable")[:_RIVALS]
    names = [word_of(page.subject.vocabulary, i) for i in best]
    shares = [percent(float(log_probs[i])) for i in best]
    spoken = ", ".join(f"{name} {share}" for name, share in zip(names, shares, strict=True))
    rows = [Word(name, float(log_probs[i])) for name, i in zip(names, best, strict=True)]
    page.chart(
        alt.LayerChart.from_dict(word_chart(rows)),
        alt=f"The likeliest words at this place: {spoken}.",
        table={"word": names, "probability": shares},
    )


def _product(page: LessonPage, words: list[str], place: int, *, revealed: bool) -> None:
    """Multiply the probabilities of the words so far; a word to be guessed is left out."""
    written = words[: place + revealed]
    if not written:
        return
    page.heading("The probability of the sentence so far")
    page.text("Each word is chosen after the words before it, so their probabilities multiply.")
    of_words = [float(value) for value in page.subject.reading.of_words[0, : len(written)]]
    so_far = np.exp(np.cumsum(of_words))
    page.table(
        {
            "word": written,
            "its probability": [f"{math.exp(value):.4f}" for value in of_words],
            "product so far": [percent(math.log(value)) for value in so_far],
        }
    )
    shown = r" \cdot ".join(f"{math.exp(value):.3f}" for value in of_words[-_FACTORS:])
    more = r"\ldots \cdot " if len(of_words) > _FACTORS else ""
    product = rf"P = \prod_{{t=1}}^{{{len(written)}}} p(w_t \mid w_1 \ldots w_{{t-1}})"
    page.formula(f"{product} = {more}{shown} = {_plain(float(so_far[-1]))}")


def _parts(page: LessonPage) -> None:
    page.heading("All parts and their lessons")
    tensors = _anatomy(page.subject).tensors
    page.table(
        {
            "tensor": [tensor.name for tensor in tensors],
            "shape": [tensor.size for tensor in tensors],
            "its axes": [tensor.axes for tensor in tensors],
            "what it is": [tensor.meaning for tensor in tensors],
        }
    )
    lessons = ["encoder", "words", "lstm", "attention", "decoding"]
    with st.container(horizontal=True):
        for key in lessons:
            page.lesson_link(key)


def _without_photo(subject: Subject) -> str:
    captioner = subject.captioner
    blank = captioner.read(captioner.blank_features, subject.caption.text)
    gains = subject.reading.of_words[0] - blank.of_words[0]
    words = [*subject.words, END]
    least, most = int(np.argmin(gains)), int(np.argmax(gains))
    bare = captioner.describe(captioner.blank_features)[0].text
    return (
        f"Shown an evenly grey photo, this model writes “{plain(bare)}”. The photo made "
        f"**{plain(words[most])}** {math.exp(gains[most]):,.1f} times as likely and "
        f"**{plain(words[least])}** {math.exp(gains[least]):,.2f} times. A factor near 1 means "
        "the model guessed the word from the words before it."
    )


def _who_is_larger(anatomy: "Anatomy") -> str:
    sees, writes = anatomy.encoder_weights, anatomy.decoder_weights
    larger = "The encoder" if sees > writes else "The decoder"
    return (
        f"{larger}: the encoder ({plain(anatomy.encoder)}) has {sees:,} numbers, the decoder "
        f"{writes:,}, which is {max(sees, writes) / min(sees, writes):.1f} times as many."
    )


def _least_sure(subject: Subject) -> str:
    of_words = subject.reading.of_words[0]
    place = int(np.argmin(of_words))
    log_probs = subject.reading.log_probs[0, place]
    others = [i for i in np.argsort(-log_probs) if i != subject.reading.ids[place]][:2]
    words = [*subject.words, END]
    rivals = " and ".join(
        f"“{plain(word_of(subject.vocabulary, i))}” ({percent(float(log_probs[i]))})"
        for i in others
    )
    return (
        f"At **{plain(words[place])}**, which had {percent(float(of_words[place]))}. "
        f"The next likeliest words were {rivals}."
    )


def _plain(number: float) -> str:
    """Write a small number for a formula, without Python's e-notation."""
    if number >= 0.001:
        return f"{number:.4f}"
    mantissa, exponent = f"{number:.2e}".split("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


@st.cache_resource(max_entries=4, show_spinner="Opening the network…", hash_funcs=BY_MODEL)
def _anatomy(subject: Subject) -> "Anatomy":
    from captioning.lessons.overview import anatomy_of

    return anatomy_of(subject.captioner, subject.features)


@st.cache_data(  # 0.2 MB each
    max_entries=32, show_spinner="Opening the encoder…", hash_funcs=BY_SUBJECT
)
def _seen(subject: Subject) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    opened = opened_encoder(subject)
    pixels = subject.captioner.encoder.pixels(subject.photo)
    names = [spec.name for spec in opened.maps]
    maps = opened.outputs(pixels, names)
    return pixels, tuple(maps[name].mean(axis=2).astype(np.float16) for name in names)


if __name__ == "__main__":
    show()
