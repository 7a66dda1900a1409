"""What is behind a caption: rivals of each word, where the model looked, what it saw or guessed.

Everything starts from a photo's features and a sentence, read once (`Captioner.read`); only
occlusion reads the photo again, block by block.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from captioning.captioner import Captioner
from captioning.decoding import Reading
from captioning.errors import QueryError
from captioning.text import tokenize
from captioning.vocabulary import EOS, Vocabulary


@dataclass(frozen=True)
class Rival:
    """A word that could stand at one place.

    Attributes:
        word: the word; None for ending the sentence there.
        log_prob: natural logarithm of its probability, given the photo and the words before.
        rank: 1 for the likeliest word at that place.
        chosen: whether it is the word that was written.
    """

    word: str | None
    log_prob: float
    rank: int
    chosen: bool


def rivals(reading: Reading, vocabulary: Vocabulary, *, top: int = 10) -> list[list[Rival]]:
    """List the likeliest words at each place of a sentence and at its end.

    Args:
        reading: of the sentence with one photo; the first of a batch is taken.
        vocabulary: of the model.
        top: how many per place; the word that was written comes last if it is not among them.

    Returns:
        A list for each word and one for the end, the likeliest first.
    """
    found = []
    for token, log_probs in zip(reading.ids, reading.log_probs[0], strict=True):
        order = np.argsort(-log_probs, kind="stable")
        ranks = list(range(min(top, len(order))))
        place = int(np.flatnonzero(order == token)[0])
        if place >= len(ranks):
            ranks.append(place)
        found.append(
            [
                Rival(
                    word=None if order[rank] == EOS else vocabulary.words[order[rank]],
                    log_prob=float(log_probs[order[rank]]),
                    rank=rank + 1,
                    chosen=bool(order[rank] == token),
                )
                for rank in ranks
            ]
        )
    return found


@dataclass(frozen=True)
class Evidence:
    """One word with the photo and without.

    Attributes:
        word: the word; None for ending the sentence there.
        seen: natural logarithm of its probability with the photo.
        blank: the same with an evenly grey photo.
    """

    word: str | None
    seen: float
    blank: float

    @property
    def gain(self) -> float:
        """What the photo adds: above 0 the word was seen, near 0 language alone would say it."""
        return self.seen - self.blank


def seen_or_guessed(captioner: Captioner, features: np.ndarray, sentence: str) -> list[Evidence]:
    """Compare the probability of each word with the photo to that with a blank one.

    Args:
        captioner: the model; it looks at a blank photo once, and keeps what it saw.
        features: of one photo, `(1, R, D)` or `(1, D)`.
        sentence: whose words are judged.

    Returns:
        One for each word and one for the end.

    Raises:
        QueryError: the model does not know a word of the sentence, or it is too long.
    """
    both = np.concatenate([features, captioner.blank_features])
    seen, blank = captioner.read(both, sentence).of_words
    words = [*tokenize(sentence), None]
    return [Evidence(w, float(s), float(b)) for w, s, b in zip(words, seen, blank, strict=True)]


_DARKEST = 0.25
"""Share of light left where a map is lowest."""


def attention_maps(reading: Reading, grid: tuple[int, int] | None) -> np.ndarray:
    """Lay attention weights out as maps.

    Args:
        reading: of a sentence with one photo; the first of a batch is taken.
        grid: height and width of the encoder's regions.

    Returns:
        float32 `(T, height, width)`, one map for each word and one for the end; each sums to 1.

    Raises:
        QueryError: the model has no attention.
    """
    if reading.attention is None or grid is None:
        raise QueryError(
            "This model has no attention: it sees the photo as a whole. "
            "To see which parts a word depends on, cover them one by one (occlusion)."
        )
    maps: np.ndarray = reading.attention[0].reshape(-1, *grid)
    return maps


def on_photo(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch one map to a photo and bring it to 0..1; the encoder squashes photos, not crops.

    Args:
        values: `(height, width)` of a few regions; below 0 counts as 0.
        size: width and height of the photo in pixels, as Pillow gives it.

    Returns:
        float32 `(height, width)` of the photo; 0 where the map is lowest and 1 where it is
        highest, all 0 for a map without differences.
    """
    values = np.maximum(np.asarray(values, np.float32), 0.0)
    spread = float(values.max() - values.min())
    # Dividing rounding errors by each other would draw a map of nothing.
    even = spread <= 1e-6 * max(float(values.max()), 1e-6)
    scaled = np.zeros_like(values) if even else (values - values.min()) / spread
    stretched = Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(stretched, np.float32), 0.0, 1.0)


def spotlight(photo: Image.Image, values: np.ndarray) -> Image.Image:
    """Darken an RGB photo where a map is low; where it is even, the photo stays as it is.

    Brightness needs no legend, and no colours that some people cannot distinguish.

    Args:
        photo: of mode RGB.
        values: a map of a few regions, `(height, width)`.
    """
    light = on_photo(values, photo.size)
    if not light.any():
        return photo.copy()
    shade = _DARKEST + (1.0 - _DARKEST) * light
    return Image.fromarray((np.asarray(photo) * shade[:, :, None]).round().astype(np.uint8))


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
        whole photo, minus that with the block covered.  Above 0 the word depends on the block.

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
