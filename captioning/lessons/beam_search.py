"""Beam search in NumPy, as plain as it can be written; it finds what the compiled one finds.

Shapes: K beams, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from captioning.decoding import Hypothesis, Trace, read_hypotheses
from captioning.decoding.hypotheses import DEAD
from captioning.lessons.numpy_decoder import Memory, PlainDecoder
from captioning.lessons.sentences import Written, write_greedily
from captioning.metrics import rouge_l
from captioning.text import tokenize
from captioning.vocabulary import BOS, EOS, Vocabulary

__all__ = ["Duel", "beam_search", "duel"]


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
    scores = np.where(np.arange(width) == 0, 0.0, DEAD)  # all beams are the same sentence so far
    room = width
    records = []
    for _ in range(decoder.config.max_length):
        if (scores < DEAD / 2).all():
            break
        step = decoder.step(tokens, state, memory)
        totals = (scores[:, None] + step.log_probs).ravel()
        order = np.argsort(-totals, kind="stable")[: 2 * width]
        parents, words = np.divmod(order, step.log_probs.shape[1])
        # A sentence that has ended keeps its place, so the others share what is left.
        kept = np.arange(2 * width) < room
        best = np.where(kept, totals[order], DEAD)[:width]
        missed = np.where(kept, DEAD, totals[order])
        records.append((words[:width], parents[:width], best, words, parents, missed))
        tokens, before = words[:width], parents[:width]
        ended = (tokens == EOS) & (best > DEAD / 2)
        room -= int(ended.sum())
        scores = np.where(ended | (best < DEAD / 2) | (room <= 0), DEAD, best)
        state = step.state[0][before], step.state[1][before]
    return _as_trace(records, decoder.config.max_length)


@dataclass(frozen=True)
class Duel:
    """Greedy and beam search on one photo.

    Attributes:
        greedy: the sentence of always taking the likeliest word.
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
    length_penalty: float = 0.0,
    references: tuple[str, ...] = (),
) -> Duel:
    """Let greedy and beam search write about one photo.

    Args:
        decoder: whose probabilities.
        memory: of one photo.
        vocabulary: of the model.
        width: beams.
        length_penalty: ranks the sentences that beam search ends with.
        references: what people wrote about the photo.
    """
    greedy = write_greedily(decoder, memory)
    trace = beam_search(decoder, memory, width)
    best = read_hypotheses(trace, length_penalty=length_penalty)[0][0]
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
        filled = np.full((steps, 1, len(rows[0])), DEAD if score else 0.0)
        filled[: len(rows), 0] = rows
        fields.append(filled.astype(np.float32 if score else np.int32))
    return Trace(*fields)
