"""Words and their ids.

The first four ids are fixed: `PAD` pads rows to one length, `UNK` replaces words that are not in
the vocabulary, `BOS` begins a sentence and `EOS` ends it.  No caption can contain these tokens,
because cleaning strips the characters in their names.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from captioning.errors import BundleError, quoted
from captioning.storage import read_json
from captioning.text import join_words, readable, tokenize

PAD, UNK, BOS, EOS = range(4)
SPECIAL = ("<pad>", "<unk>", "<bos>", "<eos>")
FORMAT_VERSION = 1


class Vocabulary:
    """A fixed list of words; a word's id is its position in the list.

    Attributes:
        words: the four special tokens, then the words, most frequent first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """Create a vocabulary from `words`, with the special tokens first.

        Raises:
            BundleError: the special tokens are missing, or a word occurs twice.
        """
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(self.words)}
        if self.words[: len(SPECIAL)] != SPECIAL:
            raise BundleError(
                f"A vocabulary must begin with {', '.join(SPECIAL)}, "
                f"found {', '.join(map(str, self.words[:4])) or 'nothing'}."
            )
        if len(self._ids) != len(self.words):
            twice = next(word for word, count in Counter(self.words).items() if count > 1)
            raise BundleError(f"The word {quoted(twice)} occurs twice in the vocabulary.")

    @classmethod
    def build(
        cls,
        captions: Iterable[str],
        *,
        min_count: int = 3,
        sentences: Iterable[str] = (),
        sentence_min_count: int = 20,
    ) -> "Vocabulary":
        """Build a vocabulary from the frequent words of `captions` (training captions only).

        Words with equal counts are sorted alphabetically, so ids do not depend on photo order.

        Args:
            captions: raw captions.
            min_count: minimum occurrences of a word in captions.
            sentences: raw sentences without photos, counted separately.
            sentence_min_count: a word with this many occurrences in `sentences` is kept as well.
        """
        counts = Counter(word for caption in captions for word in tokenize(caption))
        elsewhere = Counter(word for sentence in sentences for word in tokenize(sentence))
        kept = {word for word, count in counts.items() if count >= min_count}
        kept |= {word for word, count in elsewhere.items() if count >= sentence_min_count}
        return cls([*SPECIAL, *sorted(kept, key=lambda word: (-counts[word], word))])

    def __len__(self) -> int:
        """Return the number of words, including the four special tokens."""
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        """Return whether `word` is in the vocabulary."""
        return word in self._ids

    def id(self, word: str) -> int:
        """Return the id of a cleaned word, or `UNK`."""
        return self._ids.get(word, UNK)

    def encode(self, caption: str) -> list[int]:
        """Clean `caption` and return the ids of its words, without BOS and EOS."""
        return [self.id(word) for word in tokenize(caption)]

    def decode(self, ids: Iterable[int]) -> str:
        """Join the words of `ids` into a sentence; PAD, BOS and EOS are omitted."""
        return join_words(self.words[i] for i in ids if i not in (PAD, BOS, EOS))

    def rows(self, captions: Sequence[str], *, max_length: int) -> np.ndarray:
        """Encode captions as rows `BOS words... EOS PAD...`, padded on the right.

        A caption of more than `max_length - 1` words is truncated, so that `EOS` still fits.

        Returns:
            int32 array of shape `(len(captions), max_length + 1)`: inputs are `rows[:, :-1]` and
            targets `rows[:, 1:]`, `max_length` steps each.
        """
        rows = np.full((len(captions), max_length + 1), PAD, np.int32)
        for row, caption in zip(rows, captions, strict=True):
            ids = [BOS, *self.encode(caption)[: max_length - 1], EOS]
            row[: len(ids)] = ids
        return rows

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON."""
        content = {"format_version": FORMAT_VERSION, "words": self.words}
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=0), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Vocabulary":
        """Read a vocabulary that `save` wrote.

        Raises:
            BundleError: the file is missing, is not JSON, has another format version, or holds
                what is no text.
        """
        path = Path(path)
        content = read_json(path, dict, error=BundleError)
        version, words = content.get("format_version"), content.get("words")
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{path} has format version {quoted(version)}; this program reads {FORMAT_VERSION}."
            )
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise BundleError(f"{path}: expected a list of words.")
        if (text := "".join(words)) != readable(text):
            raise BundleError(f"{path}: a word holds half an emoji, which is no text.")
        try:
            return cls(words)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from None
