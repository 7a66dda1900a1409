"""A check of the NumPy decoders against the network that Keras runs."""

from collections.abc import Sequence

import numpy as np

from captioning.backend import to_numpy
from captioning.captioner import Captioner
from captioning.lessons.numpy_decoder import Written, softmax
from captioning.vocabulary import BOS


def largest_difference(
    captioner: Captioner, features: np.ndarray, sentence: Written
) -> dict[str, float]:
    """Let Keras read a sentence that was read in NumPy, and compare.

    Args:
        captioner: the model.
        features: of one photo, `(1, R, D)` or `(1, D)`.
        sentence: of `read_sentence` or `write_greedily`, without held gates or forced attention.

    Returns:
        The largest difference over all words, absolute: of the "hidden" state, of the "cell" state,
        of the "probability" of any next word, and of the "attention", where there is any.
    """
    with captioner.turns.take():
        found = _as_keras_has_it(captioner, features, (BOS, *sentence.ids)[: len(sentence.steps)])
    largest: dict[str, float] = {}
    for step, theirs in zip(sentence.steps, found, strict=True):
        ours = {
            "hidden": step.cell.hidden[0],
            "cell": step.cell.cell[0],
            "probability": softmax(step.logits[0]),
        }
        if step.look is not None:
            ours["attention"] = step.look.weights[0].mean(axis=0)
        for name, values in ours.items():
            difference = float(np.abs(values - theirs[name]).max())
            largest[name] = max(largest.get(name, 0.0), difference)
    return largest


def _as_keras_has_it(
    captioner: Captioner, features: np.ndarray, tokens: Sequence[int]
) -> list[dict[str, np.ndarray]]:
    decoder = captioner.keras_decoder
    memory = decoder.remember(np.asarray(features, np.float32))
    state = decoder.initial_state(memory, 1)
    found = []
    for token in tokens:
        logits, state, attention = decoder.step(np.array([[token]], np.int32), state, memory)
        step = {
            "hidden": to_numpy(state[0])[0, 0],
            "cell": to_numpy(state[-1])[0, 0],
            "probability": softmax(to_numpy(logits)[0, 0].astype(np.float64)),
        }
        if attention is not None:
            step["attention"] = to_numpy(attention)[0, 0]
        found.append(step)
    return found
