"""The baseline: training and decoding as in popular Keras tutorials on image captioning.

This is an independent implementation.  Every caption becomes one training row per word: the photo's
pooled feature, the words so far, padded on the left, and the next word as a one-hot vector.
A caption is written by calling `model.predict` for every word of every beam.
"""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import layers

from captioning.vocabulary import BOS, PAD

Batch = tuple[tuple[np.ndarray, np.ndarray], np.ndarray]


def merge_model(*, pooled: int, vocabulary: int, length: int, units: int) -> keras.Model:
    """Build and compile the merge model: photo and words meet only before the last two layers."""
    photo = keras.Input((pooled,))
    seen = layers.Dropout(0.5)(photo)
    seen = layers.Dense(units, activation="relu")(seen)
    words = keras.Input((length,))
    read = layers.Embedding(vocabulary, units, mask_zero=True)(words)
    read = layers.Dropout(0.5)(read)
    read = layers.LSTM(units)(read)
    both = layers.Dense(units, activation="relu")(layers.add([seen, read]))
    said = layers.Dense(vocabulary, activation="softmax")(both)
    model = keras.Model([photo, words], said)
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    return model


def prefix_batches(
    features: np.ndarray, rows: np.ndarray, *, vocabulary: int, length: int, photos: int
) -> Iterator[Batch]:
    """Yield the rows of `photos` photos at a time, endlessly.

    Args:
        features: float32 `(P, D)`.
        rows: the captions as ids, int32 `(P, N, T)`: BOS, words, EOS, PAD.
        vocabulary: length of the one-hot vectors.
        length: padded length of the words so far.
        photos: photos per batch.
    """
    while True:
        for start in range(0, len(rows) - photos + 1, photos):
            seen, read, said = [], [], []
            for photo in range(start, start + photos):
                for caption in rows[photo]:
                    ids = caption[caption != PAD]
                    for place in range(1, len(ids)):
                        seen.append(features[photo])
                        read.append(_padded(ids[:place], length))
                        said.append(keras.utils.to_categorical(ids[place], vocabulary))
            yield (np.array(seen), np.array(read)), np.array(said)


def beam_search(
    model: keras.Model, feature: np.ndarray, *, words: int, beams: int, length: int
) -> list[int]:
    """Write a caption of `words` words for a photo's feature, float32 `(D,)`."""
    kept: list[tuple[float, list[int]]] = [(0.0, [BOS])]
    for _ in range(words):
        longer = []
        for score, ids in kept:
            read = _padded(ids, length)[None]
            chances = model.predict([feature[None], read], verbose=0)[0]
            for word in np.argsort(chances)[-beams:]:
                longer.append((score + float(np.log(chances[word])), [*ids, int(word)]))
        kept = sorted(longer, key=lambda beam: beam[0])[-beams:]
    return kept[-1][1][1:]


def _padded(ids: Sequence[int] | np.ndarray, length: int) -> np.ndarray:
    row = np.full(length, PAD, np.int32)
    row[length - len(ids) :] = ids
    return row
