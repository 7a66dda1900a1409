"""Lesson 8: what one step changes, teacher forcing, overfitting, and chance."""

import math
from typing import TYPE_CHECKING

import streamlit as st

from captioning.analysis.bleu import sentence_scores
from captioning.errors import CaptioningError, QueryError
from captioning.lessons.lexicon import SMALL_WORDS
from captioning.text import clean, tokenize
from pages.learn.frame import LessonPage, Paper, Question, open_lesson
from pages.learn.guessing import Answer
from pages.learn.inspector import END
from pages.learn.training import data
from pages.learn.training.curves import draw_words, show_chance, show_curves, show_overfitting
from pages.ui.components import problem
from pages.ui.pictures import true_sentences
from pages.ui.wording import counted, percent, plain

if TYPE_CHECKING:
    from captioning.lessons.gradient_step import Learned
    from captioning.lessons.training import ForcedWord

IDEA = (
    "Training shows the model a photo and a sentence by a person, and changes every weight a "
    "little so that the sentence becomes likelier. Teach it one sentence yourself and see what "
    "changes."
)
_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_STEPS = (1, 5, 20)
_PAPERS = (
    Paper(
        "Learning representations by back-propagating errors",
        "Rumelhart, Hinton and Williams", 1986, "https://doi.org/10.1038/323533a0",
    ),
    Paper(
        "A Learning Algorithm for Continually Running Fully Recurrent Neural Networks",
        "Williams and Zipser", 1989, "https://doi.org/10.1162/neco.1989.1.2.270",
    ),
    Paper(
        "Scheduled Sampling for Sequence Prediction with Recurrent Neural Networks",
        "Bengio, Vinyals, Jaitly and Shazeer", 2015, "https://arxiv.org/abs/1506.03099",
    ),
    Paper(
        "Reporting Score Distributions Makes a Difference",
        "Reimers and Gurevych", 2017, "https://arxiv.org/abs/1707.09861",
    ),
)  # fmt: skip


def show() -> None:
    """Show the lesson."""
    page = open_lesson("training", IDEA)
    for part in (_one_step, show_forcing, show_push, show_curves, show_overfitting, show_chance):
        try:
            part(page)
        except CaptioningError as error:
            problem(error)
    page.tool_link()
    page.code("captioning.lessons.gradient_step", "Pupil.learn")
    page.questions(questions_about(page))
    page.papers(_PAPERS)
    page.close()


def _one_step(page: LessonPage) -> None:
    page.heading("One step, on your sentence")
    sentence, rate, steps = _choose(page)
    words = tokenize(sentence)
    answer = page.guess(
        "gain",
        f"A copy of the model learns *{plain(sentence)}* in {counted(steps, 'step')} of rate "
        f"{rate:g}. Which word's probability rises most?",
        lambda: _gain(data.learned(page.subject, sentence, rate, steps)),
        options=tuple(dict.fromkeys(words)),
        about=(sentence, rate, steps),
    )
    if answer is not None:
        _changes(page, data.learned(page.subject, sentence, rate, steps), sentence)


def _choose(page: LessonPage) -> tuple[str, float, int]:
    """Show the photo, and ask for a sentence, the learning rate and the number of steps."""
    subject = page.subject
    left, right = st.columns([1, 2], gap="medium")
    with left:
        page.photo(320)
    with right:
        first = _sentence(page) or clean(subject.caption.text)
        given = st.text_input(
            "A sentence to teach, with words the model knows",
            placeholder=first,
            key="training.sentence",
            bind="query-params",
            max_chars=200,
        )
        rate = st.select_slider(
            "Learning rate", _RATES, value=0.01, format_func=lambda r: f"{r:g}",
            key="training.rate",
        )  # fmt: skip
        steps = st.segmented_control(
            "Steps", _STEPS, default=1, required=True, key="training.steps", bind="query-params"
        )
        if not page.large:
            st.caption(f"The model's own sentence is **{plain(subject.caption.text)}**.")
    return clean(given) or first, rate, steps


def _gain(learned: "Learned") -> Answer:
    """Return which word gained most; the model's guess is the word it found least likely."""
    best = learned.gained_most()
    doubted = min((w for w in learned.words if w.word), key=lambda word: word.before)
    because = (
        f"It went from {100 * best.before:.1f}% to {100 * best.after:.1f}%. The model's guess is "
        "the word it found least likely, whose loss is the largest."
    )
    return Answer((str(best.word),), model=doubted.word, because=because)


def _changes(page: LessonPage, learned: "Learned", sentence: str) -> None:
    """Show every word's probability before and after, the loss, one weight, and side effects."""
    from captioning.lessons.gradient_step import loss_formula

    spoken = ", ".join(
        f"{word.word or END} {100 * word.before:.1f}% to {100 * word.after:.1f}%"
        for word in learned.words
    )
    page.picture(
        lambda look: draw_words(learned.words, look),
        key=("words", sentence, learned.rate, len(learned.losses)),
        alt=f"Probability of each word before and after: {spoken}.",
        width=720,
    )
    for line in loss_formula(learned.words):
        page.formula(line)
    page.text(
        f"The loss L was {learned.losses[0]:.3f} before, {learned.losses[1]:.3f} after the first "
        f"step and {learned.losses[-1]:.3f} at the end, in nats per word. The brackets hold "
        "minus the natural logarithm of each word's probability."
    )
    page.heading("The same step at a single weight")
    page.text(
        "Each word has a bias, a number that is always added to its score. Its gradient is the "
        "probability that the model gave the word on average, minus how often the sentence has it. "
        "The step goes against the gradient."
    )
    _one_weight(page, learned)
    _elsewhere(page, learned)


def _one_weight(page: LessonPage, learned: "Learned") -> None:
    from captioning.lessons.gradient_step import bias_formula, slope_formula

    words = [step.word for step in learned.bias]
    chosen = st.segmented_control(
        "Bias of the word", words, default=words[0], required=True, key="training.bias"
    )
    step = next((s for s in learned.bias if s.word == chosen), learned.bias[0])
    page.formula(slope_formula(step))
    page.formula(bias_formula(step, learned.rate))


def _elsewhere(page: LessonPage, learned: "Learned") -> None:
    """Show how the captions changed, that of an empty photo too."""
    page.table(
        {
            "greedy sentence for": ["this photo", "an evenly grey photo, not taught"],
            "before": list(learned.before),
            "after": list(learned.after),
        },
        caption="All photos share the weights, so a step also changes what the model writes about "
        "other photos. For this reason real training uses many photos in each step.",
    )


def questions_about(page: LessonPage) -> tuple[Question, ...]:
    """Return three questions about this photo and model."""
    return (
        Question(
            "What happens when the learning rate is a hundred times too high?",
            lambda: _too_high(page),
        ),
        Question(
            "Can it learn a false sentence just as easily as its own?",
            lambda: _false(page),
        ),
        Question(
            "Does it already know its own sentence by heart?",
            lambda: _own(page),
        ),
    )


def _own_sentence(page: LessonPage) -> str:
    longest = page.subject.bundle.decoder.max_length - 1
    return " ".join(clean(page.subject.caption.text).split()[:longest])


def _too_high(page: LessonPage) -> str:
    sentence, lines = _own_sentence(page), []
    for rate in (0.01, 1.0):
        learned = data.learned(page.subject, sentence, rate, 5)
        losses = ", ".join(f"{loss:.2f}" for loss in learned.losses)
        lines.append(
            f"- Rate {rate:g}: the loss goes {losses}; then it writes "
            f"**{_short(learned.after[0])}**."
        )
    ending = "The gradient is right only nearby: after too large a step it no longer helps."
    return "\n".join([*lines, "", ending])


def _false(page: LessonPage) -> str:
    own = _own_sentence(page)
    words = own.split()
    backwards = " ".join(reversed(words))
    first, other = (data.learned(page.subject, text, 0.01, 5) for text in (own, backwards))
    return (
        f"Its own sentence starts with a loss of {first.losses[0]:.2f} and has "
        f"{first.losses[-1]:.2f} after five steps of rate 0.01. The same words backwards, "
        f"**{plain(backwards)}**, go from {other.losses[0]:.2f} to {other.losses[-1]:.2f}. "
        "Training does not check what is true: it makes likelier whatever it is shown."
    )


def _own(page: LessonPage) -> str:
    own = _own_sentence(page)
    try:
        found = data.forced(page.subject, own)
    except QueryError as error:
        return plain(str(error))
    right = sum(word.right for word in found)
    return (
        f"When it reads **{plain(own)}** word by word, the next word is its first choice at "
        f"{right} of {len(found)} places, the end included. At the others, beam search found that "
        "a second choice makes the whole sentence likelier."
    )


def _short(text: str) -> str:
    words = text.split()
    return plain(" ".join(words[:12]) + (" ..." if len(words) > 12 else "")) or "(nothing)"


def show_forcing(page: LessonPage) -> None:
    """Compare the model after the true words with the model after its own words."""
    page.heading("After true words, or after its own")
    page.text(
        "In training the model reads the true words before each place (teacher forcing). When it "
        "captions a photo, it can only read its own words."
    )
    sentence = _sentence(page)
    if sentence is None:
        st.caption("Nobody described this photo in words that the model knows.")
        return
    words = tokenize(sentence)
    answer = page.guess(
        "forced",
        f"It reads the words of *{plain(sentence)}* one by one. At how many of the {len(words)} "
        "places would its likeliest word be the true one?",
        lambda: _count(data.forced(page.subject, sentence)),
        options=tuple(str(n) for n in range(len(words) + 1)),
        about=sentence,
    )
    if answer is not None:
        _compare(page, sentence, data.forced(page.subject, sentence))


def _sentence(page: LessonPage) -> str | None:
    """Return the first true sentence about the photo in words that the model knows, if any."""
    subject = page.subject
    longest = subject.bundle.decoder.max_length - 1
    for text in (*subject.references, *true_sentences(subject.name)):
        words = tokenize(text)
        if words and len(words) <= longest and all(w in subject.vocabulary for w in words):
            return clean(text)
    return None


def _count(found: "list[ForcedWord]") -> Answer:
    """Count the true words; the model's guess is the sum of the probabilities it gives them."""
    right = sum(word.right for word in found[:-1])
    expected = math.fsum(math.exp(word.true_log_prob) for word in found[:-1])
    because = (
        f"The probabilities it gives the true words add up to {expected:.2f}, and that, rounded, "
        "is the model's guess."
    )
    return Answer((str(right),), model=str(round(expected)), because=because)


def _compare(page: LessonPage, sentence: str, found: "list[ForcedWord]") -> None:
    from captioning.lessons.training import forced_sentence

    words = tokenize(sentence)
    page.table(
        {
            "it has read": [
                " ".join(words[max(0, p - 3) : p]) or "(begin)" for p in range(len(found))
            ],
            "it would write": [word.predicted or END for word in found],
            "true word": [word.true or END for word in found],
            "probability of the true word": [percent(word.true_log_prob) for word in found],
            "right?": ["yes" if word.right else "no" for word in found],
        }
    )
    own = " ".join(data.own_words(page.subject))
    forced = forced_sentence(found)
    references = (sentence,)
    page.table(
        {
            "written": ["after true words", "after its own words"],
            "sentence": [forced, own],
            "BLEU-1 against the true one": [
                f"{sentence_scores(text, references)[0]:.1f}" for text in (forced, own)
            ],
        },
        caption="The model never writes the first line alone: each of its words follows the true "
        "words. A score under teacher forcing rates such lines, and says little about what the "
        "model writes alone.",
    )


def show_push(page: LessonPage) -> None:
    """Replace one word of the model's sentence, and show how it continues."""
    page.heading("Replace one word (exposure bias)")
    own = data.own_words(page.subject)
    if not own:
        st.caption("The model writes nothing about this photo.")
        return
    first = next((p for p, word in enumerate(own) if word not in SMALL_WORDS), 0)
    place = page.step("Replace the word", own, first=first)
    other = data.rival(page.subject, place)
    if other is None:
        return
    changed_words = data.own_words(page.subject, (*own[:place], other))
    page.text(
        f"Instead of '{own[place]}' the model gets '{other}', its second choice there, and "
        "continues alone. An early mistake can change the rest, because every later word depends "
        "on it."
    )
    changed = sum(
        a != b for a, b in zip(own[place + 1 :], changed_words[place + 1 :], strict=False)
    )
    changed += abs(len(own) - len(changed_words))
    page.table(
        {
            "it writes": ["alone", "with the other word"],
            "sentence": [" ".join(own), " ".join(changed_words)],
        },
        caption=f"Later words that changed: {changed}.",
    )


if __name__ == "__main__":
    show()
