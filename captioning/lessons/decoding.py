"""Beam search and sampling in NumPy, as plain as they can be written.

The beam search finds what the one that captions photos finds.

Shapes: K beams, V vocabulary, T longest sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.decoding import Hypothesis, Trace, read_hypotheses
from captioning.decoding.hypotheses import NEG_INF
from captioning.errors import ConfigError
from captioning.lessons.latex import numeral
from captioning.lessons.numpy_decoder import Memory, PlainDecoder, Written, softmax, write_greedily
from captioning.metrics import rouge_l
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, Vocabulary


def beam_search(decoder: PlainDecoder, memory: Memory, width: int) -> Trace:
    """Keep the `width` likeliest beginnings of a sentence at every step.

    Args:
        decoder: whose probabilities.
        memory: of one photo.
        width: K; 1 is greedy search.

    Returns:
        Every beam kept, and the likeliest ones that were not, of a batch of one photo.
    """
    state, tokens = decoder.begin(memory, width), np.full(width, BOS)
    scores = np.where(np.arange(width) == 0, 0.0, NEG_INF)  # all beams are the same sentence so far
    room = width
    records = []
    for _ in range(decoder.config.max_length):
        if (scores < NEG_INF / 2).all():
            break
        step = decoder.step(tokens, state, memory)
        totals = (scores[:, None] + step.log_probs).ravel()
        order = np.argsort(-totals, kind="stable")[: 2 * width]
        parents, words = np.divmod(order, step.log_probs.shape[1])
        # A sentence that has ended keeps its place, so the others share what is left.
        kept = np.arange(2 * width) < room
        best = np.where(kept, totals[order], NEG_INF)[:width]
        missed = np.where(kept, NEG_INF, totals[order])
        records.append((words[:width], parents[:width], best, words, parents, missed))
        tokens, before = words[:width], parents[:width]
        ended = (tokens == EOS) & (best > NEG_INF / 2)
        room -= int(ended.sum())
        scores = np.where(ended | (best < NEG_INF / 2) | (room <= 0), NEG_INF, best)
        state = step.state[0][before], step.state[1][before]
    return _as_trace(records, decoder.config.max_length)


@dataclass(frozen=True)
class Duel:
    """Greedy and beam search on one photo.

    Attributes:
        greedy: the sentence of greedy search.
        beam: the sentence of beam search.
        greedy_log_prob: natural logarithm of its probability, its end included.
        beam_log_prob: the same of the other.
        greedy_score: ROUGE-L against the references, 0 to 100; None if there are none.
        beam_score: the same of the other.
    """

    greedy: str
    beam: str
    greedy_log_prob: float
    beam_log_prob: float
    greedy_score: float | None
    beam_score: float | None

    @property
    def likelier(self) -> bool:
        """Whether beam search found a likelier sentence."""
        return self.greedy != self.beam and self.beam_log_prob > self.greedy_log_prob

    @property
    def better(self) -> bool:
        """Whether its sentence is also nearer to what people wrote."""
        both = self.greedy_score is not None and self.beam_score is not None
        return both and self.beam_score > self.greedy_score  # type: ignore[operator]


def duel(
    decoder: PlainDecoder,
    memory: Memory,
    vocabulary: Vocabulary,
    *,
    width: int,
    references: tuple[str, ...] = (),
) -> Duel:
    """Let greedy and beam search write about one photo.

    Args:
        decoder: whose probabilities.
        memory: of one photo.
        vocabulary: of the model.
        width: beams.
        references: what people wrote about the photo.
    """
    greedy = write_greedily(decoder, memory)
    trace = beam_search(decoder, memory, width)
    best = read_hypotheses(trace, length_penalty=0.0)[0][0]
    sentences = vocabulary.decode(greedy.ids), vocabulary.decode(best.ids)
    scores = [_score(sentence, references) for sentence in sentences]
    return Duel(*sentences, _whole(greedy), _whole(best), *scores)


def _whole(sentence: Written | Hypothesis) -> float:
    """Return a sentence's log-probability with its end."""
    if isinstance(sentence, Written):
        return sentence.log_prob
    return sentence.log_prob + (sentence.end_log_prob or 0.0)


def _score(sentence: str, references: tuple[str, ...]) -> float | None:
    if not references:
        return None
    truth = [tokenize(reference) for reference in references]
    return 100 * rouge_l([tokenize(sentence)], [truth]).mean


def _as_trace(records: Sequence[tuple[np.ndarray, ...]], steps: int) -> Trace:
    """Stack the steps, and fill up to the longest sentence with beams that are not in use."""
    fields = []
    for number, rows in enumerate(zip(*records, strict=True)):
        score = number % 3 == 2
        filled = np.full((steps, 1, len(rows[0])), NEG_INF if score else 0.0)
        filled[: len(rows), 0] = rows
        fields.append(filled.astype(np.float32 if score else np.int32))
    return Trace(*fields)


@dataclass(frozen=True)
class Chances:
    """The probabilities of the next word, the likeliest first; arrays are `(V,)`.

    Attributes:
        ids: the words.
        before: their probabilities as the model has them.
        heated: after the temperature.
        after: after the cut, divided by what was kept; 0 for words cut.
    """

    ids: np.ndarray
    before: np.ndarray
    heated: np.ndarray
    after: np.ndarray

    @property
    def kept(self) -> int:
        """How many words can still be drawn."""
        return int((self.after > 0).sum())


def temper(
    log_probs: np.ndarray, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Chances:
    """Apply the temperature, keep the likeliest words, and rescale their probabilities.

    Args:
        log_probs: natural logarithms, `(V,)`.
        temperature: below 1 favours likely words, above 1 makes all more equal.
        top_k: keep this many of the likeliest words; 0 keeps all.
        top_p: keep the fewest likeliest words whose probabilities reach this sum.

    Raises:
        ConfigError: the temperature is not above 0, `top_k` is below 0, or `top_p` is not in
            (0, 1].

    Reference:
        top-k: Fan, Lewis and Dauphin, ACL 2018, https://arxiv.org/abs/1805.04833; top-p: Holtzman
        et al., ICLR 2020, https://arxiv.org/abs/1904.09751
    """
    if temperature <= 0 or top_k < 0 or not 0 < top_p <= 1:
        raise ConfigError(
            "The temperature must be above 0, top-k 0 or more, and top-p above 0 and at most 1; "
            f"got {temperature:g}, {top_k} and {top_p:g}."
        )
    heated = softmax(log_probs / temperature)
    order = np.argsort(-heated, kind="stable")
    shares = heated[order]
    sum_before = np.cumsum(shares) - shares
    kept = (sum_before < top_p) & (np.arange(len(shares)) < (top_k or len(shares))) & (shares > 0)
    after = np.where(kept, shares, 0.0)
    return Chances(order, np.exp(log_probs[order]), shares, after / after.sum())


def draw_word(chances: Chances, number: float) -> int:
    """Return the id of the word that a number in [0, 1) falls on."""
    sums = np.cumsum(chances.after)
    place = int((sums <= number * sums[-1]).sum())
    return int(chances.ids[min(place, chances.kept - 1)])


def draw_sentence(
    decoder: PlainDecoder,
    memory: Memory,
    numbers: np.ndarray,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Written:
    """Draw a sentence word by word.

    Args:
        decoder: whose probabilities.
        memory: of one photo.
        numbers: in [0, 1), one for each word, `(T,)`.
        temperature: as for `temper`, like the two settings after it.
        top_k: see there.
        top_p: see there.

    Raises:
        ConfigError: a setting is out of range.
    """
    state, token = decoder.begin(memory), BOS
    ids: list[int] = []
    steps = []
    for number in numbers[: decoder.config.max_length]:
        step = decoder.step(np.array([token]), state, memory)
        steps.append(step)
        state = step.state
        chances = temper(step.log_probs[0], temperature=temperature, top_k=top_k, top_p=top_p)
        token = draw_word(chances, float(number))
        if token == EOS:
            return Written(tuple(ids), tuple(steps))
        ids.append(token)
    return Written(tuple(ids), tuple(steps), ended=False)


def softmax_formula(logits: np.ndarray, token: int, temperature: float = 1.0) -> str:
    """Write the softmax of one word as LaTeX with its numbers.

    Args:
        logits: of all words that can be written, `(V,)`; the others are far lower.
        token: whose probability.
        temperature: that divides the logits.
    """
    top = float(logits.max())
    shifted = np.exp((logits - top) / temperature)
    share = float(shifted[token] / shifted.sum())
    exponent = rf"({numeral(float(logits[token]))} - {numeral(top)}) / {numeral(temperature)}"
    return (
        rf"p = \frac{{e^{{{exponent}}}}}{{\sum_w e^{{(z_w - {numeral(top)}) / "
        rf"{numeral(temperature)}}}}} = \frac{{{numeral(float(shifted[token]))}}}"
        rf"{{{numeral(float(shifted.sum()))}}} = {numeral(share)}"
    )
