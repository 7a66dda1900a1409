"""Photo retrieval with a captioning model: by p(sentence | photo), or by an example photo."""

from captioning.retrieval.recall import (
    DEPTHS,
    Recall,
    RecallSoFar,
    measure_recall,
    ranks_of_photos,
    ranks_of_sentences,
)
from captioning.retrieval.sentences import (
    EncodedPhotos,
    SentenceReading,
    WordGain,
    find_alike,
    read_sentence,
)

__all__ = [
    "DEPTHS",
    "EncodedPhotos",
    "Recall",
    "RecallSoFar",
    "SentenceReading",
    "WordGain",
    "find_alike",
    "measure_recall",
    "ranks_of_photos",
    "ranks_of_sentences",
    "read_sentence",
]
