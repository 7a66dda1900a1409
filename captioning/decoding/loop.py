"""The loop that every search goes round, as one function that compiles whole.

It keeps, for each of B photos, K beams: the sentences begun so far.  Only their last words, the
LSTM's states and the scores go round; which beam continued which is written down and followed back
once at the end (`Trace`).  It stops when every beam of every photo has ended.
"""

from typing import Any

from keras import ops

from captioning.decoders import Decoder
from captioning.decoding.choosing import Choice, Choose, Moment
from captioning.decoding.hypotheses import DEAD
from captioning.decoding.step import unsayable
from captioning.vocabulary import BOS, EOS, PAD

__all__ = ["search_loop"]

Beams = dict[str, Any]
"""What goes round: tensors whose first axis is B, the step `t`, and what is written down."""


def search_loop(
    decoder: Decoder,
    choose: Choose,
    features: Any,
    block: Any,
    forced: Any,
    required: Any,
    *,
    width: int,
    wanted: int,
    no_repeat: int,
    first_alone: bool,
) -> tuple[Any, ...]:
    """Go round until all beams have ended.

    Args:
        decoder: whose probabilities are searched.
        choose: takes one step's decision.
        features: `(B, R, D)` or `(B, D)`.
        block: float32 `(V,)`, 0 where a word may be said and `DEAD` where not.
        forced: int32 `(T,)`, the word said at each step; below 0 any may be.
        required: int32 `(C,)`, words that must occur.
        width: beams of a bank.
        wanted: C, fixed when compiling; each required word makes a further bank of beams.
        no_repeat: no row of so many words occurs twice; 0 lets any.
        first_alone: at the first step all beams are the same sentence, so a beam search must begin
            with one, while independent draws all begin.

    Returns:
        The fields of a `Trace`: the first three each `(T, B, K)`, then, where `choose` tells them,
        three of `(T, B, 2K)`.
    """
    steps = decoder.config.max_length
    memory = decoder.remember(features)
    mask = unsayable(decoder.vocabulary_size)

    def goes_on(beams: Beams) -> Any:
        return ops.logical_and(beams["t"] < steps, ops.any(beams["scores"] > DEAD / 2))

    def advance(beams: Beams) -> Beams:
        logits, state, _ = decoder.step(beams["tokens"], beams["state"], memory)
        # The model's own probabilities of all that can be said at all: steering comes after.
        log_probs = ops.log_softmax(logits + mask, axis=-1)
        choice = choose(
            Moment(
                t=beams["t"],
                scores=beams["scores"],
                log_probs=log_probs,
                block=_blocked(beams, block, forced, no_repeat),
                room=beams["room"],
                steps_left=steps - 1 - beams["t"],
                met=beams.get("met"),
                required=required,
            )
        )
        return _continued(beams, state, choice, required)

    start = _start(decoder, memory, width, wanted, first_alone=first_alone)
    if no_repeat:
        start["recent"] = ops.full((*ops.shape(start["tokens"]), steps), PAD, dtype="int32")
    return tuple(ops.while_loop(goes_on, advance, start)["record"])


def _start(decoder: Decoder, memory: Any, width: int, wanted: int, *, first_alone: bool) -> Beams:
    """Return the beams before the first word."""
    beams, steps = width * (wanted + 1), decoder.config.max_length
    state = decoder.initial_state(memory, beams)
    photos = ops.shape(state[0])[0]
    scores = ops.zeros((photos, beams))
    if first_alone:
        scores = scores + ops.where(ops.arange(beams) == 0, 0.0, DEAD)
    record = []
    for places in (beams, 2 * beams) if first_alone else (beams,):
        told = ops.zeros((steps, photos, places), dtype="int32")
        record += [told, told, ops.full((steps, photos, places), DEAD, dtype="float32")]
    start: Beams = {
        "t": ops.convert_to_tensor(0, "int32"),
        "tokens": ops.full((photos, beams), BOS, dtype="int32"),
        "state": state,
        "scores": scores,
        "room": ops.full((photos,), width, dtype="int32"),
        "record": tuple(record),
    }
    if wanted:
        start["met"] = ops.zeros((photos, beams, wanted))
    return start


def _continued(beams: Beams, state: tuple[Any, ...], choice: Choice, required: Any) -> Beams:
    """Return the beams after a choice: ended ones leave, the others take over their parents'."""
    parents, tokens = ops.cast(choice.parents, "int32"), ops.cast(choice.tokens, "int32")
    alive = choice.scores > DEAD / 2
    ended = ops.logical_and(tokens == EOS, alive)
    room = beams["room"] - ops.sum(ops.cast(ended, "int32"), axis=-1)
    done = ops.logical_or(ended, ops.logical_or(ops.logical_not(alive), room[:, None] <= 0))

    def inherited(values: Any) -> Any:
        return ops.take_along_axis(values, parents[:, :, None], axis=1)

    following: Beams = {
        "t": beams["t"] + 1,
        "tokens": tokens,
        "state": tuple(inherited(part) for part in state),
        "scores": ops.where(done, DEAD, choice.scores),
        "room": room,
        "record": _written(beams, choice, parents, tokens),
    }
    if "met" in beams:
        said = ops.cast(tokens[:, :, None] == required, "float32")
        following["met"] = ops.maximum(inherited(beams["met"]), said)
    if "recent" in beams:
        older = inherited(beams["recent"])[:, :, :-1]
        following["recent"] = ops.concatenate([tokens[:, :, None], older], axis=-1)
    return following


def _written(beams: Beams, choice: Choice, parents: Any, tokens: Any) -> tuple[Any, ...]:
    """Write down one step."""
    told = [tokens, parents, choice.scores]
    if choice.near is not None:
        near_tokens, near_parents, near_scores = choice.near
        told += [ops.cast(near_tokens, "int32"), ops.cast(near_parents, "int32"), near_scores]
    steps = beams["record"][0].shape[0]
    now = ops.reshape(ops.arange(steps) == beams["t"], (steps, 1, 1))
    return tuple(
        ops.where(now, new[None], old) for new, old in zip(told, beams["record"], strict=True)
    )


def _blocked(beams: Beams, block: Any, forced: Any, no_repeat: int) -> Any:
    """Return what is added to each word's score: 0 where it may be said, `DEAD` where not."""
    words = ops.arange(block.shape[0], dtype="int32")
    free = block[None, None]
    if no_repeat:
        repeated = _would_repeat(beams["recent"], words, no_repeat)
        free = ops.where(repeated, DEAD, free)
    word = ops.take(forced, beams["t"], axis=0)
    return ops.where(word >= 0, ops.where(words == word, 0.0, DEAD), free)


def _would_repeat(recent: Any, words: Any, size: int) -> Any:
    """Tell which words would make a row of `size` words that occurred before, bool `(B, K, V)`.

    Args:
        recent: int32 `(B, K, T)`, the words said, the last one first, then PAD.
        words: int32 `(V,)`, all ids.
        size: of the row, the next word included.
    """
    before = size - 1
    places = range(1, recent.shape[-1] - before + 1)
    # Wherever the last words stood before, the word that followed them there is not said again.
    windows = [recent[:, :, place : place + before] == recent[:, :, :before] for place in places]
    same = ops.stack([ops.all(window, axis=-1) for window in windows], axis=-1)
    followed = ops.where(same, recent[:, :, : len(places)], PAD)
    return ops.any(followed[:, :, :, None] == words, axis=2)
