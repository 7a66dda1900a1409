"""The time of decoding: the tutorials' loop of `model.predict` compared with our search."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.networks import endless_captioner
from benchmarks.sizes import Sizes
from benchmarks.tutorial import beam_search, merge_model
from captioning.config import DecoderConfig

__all__ = ["COMPARISON", "compare"]

BEAMS = 3
COMPARISON = Comparison(
    key="tutorial_loop_over_ours",
    title="A caption by the tutorials' loop over ours, beam 3",
    over="tutorial",
    under="ours",
    unit="caption",
    at_least=15,
    notes="The merge model on both sides, from the same pooled feature; the encoder is left out.",
)


def compare(sizes: Sizes) -> Result:
    """Time both loops on one photo's feature, each for the same number of words."""
    words = sizes.usual_length
    feature = np.random.default_rng(0).random((1, sizes.pooled), np.float32)
    config = DecoderConfig(
        kind="merge",
        units=sizes.merge_units,
        embedding_size=sizes.embedding,
        max_length=words,
    )
    with TemporaryDirectory() as folder:
        place = Path(folder) / "merge"
        captioner = endless_captioner(place, config, (sizes.pooled,), sizes.vocabulary)
    model = merge_model(
        pooled=sizes.pooled,
        vocabulary=sizes.vocabulary,
        length=sizes.padded_length,
        units=sizes.merge_units,
    )

    def theirs() -> None:
        beam_search(model, feature[0], words=words, beams=BEAMS, length=sizes.padded_length)

    def ours() -> None:
        for _ in range(sizes.loop_repeats):
            captioner.describe(feature)

    works = {
        "tutorial": Work(f"model.predict for each of {words} words and {BEAMS} beams", theirs),
        "ours": Work(f"Captioner.describe, {words} words", ours, sizes.loop_repeats),
    }
    return measure(COMPARISON, works, rounds=sizes.loop_rounds)
