"""Which parts of a photo a word hangs on, for any model: cover a part and see what it loses."""

import numpy as np
from PIL import Image

from captioning.captioner import Captioner

__all__ = ["occlusion_maps"]

_AT_ONCE = 18


def occlusion_maps(
    captioner: Captioner,
    photo: Image.Image,
    features: np.ndarray,
    sentence: str,
    *,
    blocks: int = 6,
) -> np.ndarray:
    """Cover a photo block by block with its mean colour, and read the sentence each time.

    Args:
        captioner: the model.
        photo: RGB.
        features: of the uncovered photo, `(1, R, D)` or `(1, D)`, so it is not encoded again.
        sentence: whose words are judged.
        blocks: rows, and columns, of blocks; their square is how many photos are encoded.

    Returns:
        float32 `(T, blocks, blocks)`, for each word and for the end: its log-probability with the
        whole photo, minus that with the block covered.  Above 0 the word hangs on the block.

    Raises:
        QueryError: the model does not know a word of the sentence, or it is too long.

    Reference:
        Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014,
        section 4.2, https://arxiv.org/abs/1311.2901
    """
    whole = captioner.read(features, sentence).of_words
    pixels = captioner.encoder.pixels(photo)
    covered = []
    for start in range(0, blocks * blocks, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, blocks * blocks))
        squares = np.stack([_cover(pixels, number, blocks) for number in numbers])
        seen = captioner.encode_squares(squares)
        covered.append(captioner.read(seen, sentence).of_words)
    losses: np.ndarray = whole - np.concatenate(covered)
    return np.ascontiguousarray(losses.T, np.float32).reshape(-1, blocks, blocks)


def _cover(pixels: np.ndarray, number: int, blocks: int) -> np.ndarray:
    """Cover block `number`, counted row by row, of a square photo."""
    edges = np.linspace(0, len(pixels), blocks + 1).round().astype(int)
    row, column = divmod(number, blocks)
    covered = pixels.copy()
    covered[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = pixels.mean(
        axis=(0, 1)
    ).round()
    return covered
