"""Finding photos by a sentence, through what people wrote about them.

A photo is the document made of its captions; BM25 (Robertson and Zaragoza 2009, as Lucene
computes it) weighs a shared word by how rare it is.  Words are compared by their stems.
"""

from dataclasses import dataclass

import numpy as np

from captioning.analysis.caption_index import CaptionIndex
from captioning.datasets import Photo
from captioning.text import tokenize


@dataclass(frozen=True)
class Hit:
    """A photo found.

    Attributes:
        photo: which.
        score: BM25, the sum of what its words add.
        words: the words of the sentence that its captions have, the most important first, each with
            what it adds to the score.
    """

    photo: Photo
    score: float
    words: tuple[tuple[str, float], ...]


class PhotoRanking:
    """Ranks the photos of a data set by sentences.  Read-only once made, so threads may share."""

    def __init__(self, index: CaptionIndex) -> None:
        """Weigh every stem in every photo; about a second for 8,000 photos."""
        self._photos = index.dataset.photos
        # Only a search by a sentence needs it, and importing it takes a quarter of a second.
        from bm25s import BM25

        self._index = index
        stems = index.stems[index.tokens]
        edges = index.starts[np.searchsorted(index.photo_of, np.arange(len(self._photos) + 1))]
        documents = [stems[a:b].tolist() for a, b in zip(edges, edges[1:], strict=False)]
        self._bm25 = BM25()
        if len(stems):
            texts = [[str(number) for number in document] for document in documents]
            self._bm25.index(texts, show_progress=False)

    def nearest(self, sentence: str, count: int = 12) -> list[Hit]:
        """Return the photos that fit a sentence best, best first; only such that share a word."""
        words = {self._index.stem_number(word): word for word in tokenize(sentence)}
        known = {word: str(number) for number, word in words.items() if number is not None}
        if not known:
            return []
        parts = np.stack([self._bm25.get_scores([number]) for number in known.values()])
        scores = parts.sum(axis=0)
        order = np.argsort(-scores, kind="stable")[:count]
        return [
            self._hit(int(place), scores, parts, list(known))
            for place in order
            if scores[place] > 0
        ]

    def unknown(self, sentence: str) -> list[str]:
        """Return the words of a sentence that no caption has in any form."""
        return [w for w in tokenize(sentence) if self._index.stem_number(w) is None]

    def _hit(self, place: int, scores: np.ndarray, parts: np.ndarray, words: list[str]) -> Hit:
        added = [(word, float(part[place])) for word, part in zip(words, parts, strict=True)]
        shared = sorted((pair for pair in added if pair[1] > 0), key=lambda pair: -pair[1])
        return Hit(self._photos[place], float(scores[place]), tuple(shared))
