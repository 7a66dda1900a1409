"""The next word's probabilities, and what temperature, top-k and top-p make of them.

Shapes: V vocabulary, T longest sentence.
"""

from dataclasses import dataclass

import numpy as np

from captioning.errors import ConfigError
from captioning.lessons.latex import numeral
from captioning.lessons.numpy_decoder import Memory, PlainDecoder, softmax
from captioning.lessons.sentences import Written
from captioning.vocabulary import BOS, EOS

__all__ = ["Chances", "draw_sentence", "draw_word", "softmax_formula", "temper"]


@dataclass(frozen=True)
class Chances:
    """The chances of the next word, the likeliest first; arrays are `(V,)`.

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
    """Heat the probabilities, keep the likeliest words, and share out what was cut.

    Args:
        log_probs: natural logarithms, `(V,)`.
        temperature: below 1 favours likely words, above 1 evens out.
        top_k: keep so many of the likeliest words; 0 keeps all.
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
        logits: of all words that can be said, `(V,)`; others lie far below.
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
