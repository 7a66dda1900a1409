"""The layers of the encoder, and the decoder's numbers in NumPy, computed once and shared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from captioning.bundle import Bundle
from captioning.lessons.numpy_decoder import (
    Memory,
    PlainDecoder,
    WordStep,
    Written,
    read_sentence,
    write_greedily,
)
from captioning.lessons.numpy_lstm import FREE_GATES, Switches
from captioning.vocabulary import EOS, Vocabulary
from pages.learn.subject import BY_MODEL, BY_SUBJECT, Subject
from pages.ui import cache
from pages.ui.pictures import as_jpeg

if TYPE_CHECKING:
    from captioning.lessons.encoder import OpenedEncoder

END = "(end)"
OWN = "compact"
"""The encoder whose weights lie in the bundle."""


def decoder(bundle: Bundle) -> PlainDecoder:
    """Return the model's decoder in NumPy, read once for all sessions.

    Raises:
        BundleError: its weights are missing or damaged.
    """
    return _decoder(str(bundle.folder), cache.version(bundle), bundle)


@st.cache_resource(max_entries=4, show_spinner="Opening the encoder…", hash_funcs=BY_MODEL)
def opened_encoder(subject: Subject) -> "OpenedEncoder":
    """Return the layers of the model's encoder, opened once for all photos and sessions.

    Raises:
        CaptioningError: the encoder's weights are not available.
    """
    from captioning.lessons.encoder import OpenedEncoder

    return OpenedEncoder(subject.captioner.keras_encoder)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_SUBJECT)  # 0.3 MB each
def memory(subject: Subject) -> Memory:
    """Return the decoder's memory of the photo."""
    return decoder(subject.bundle).remember(subject.features)


def models_of(kind: str, first: Bundle) -> list[Bundle]:
    """Return the models with this kind of decoder, `first` first if it is one of them.

    Then come those with the same encoder, then those with a built-in encoder, which need no other
    weights; among these, those with the most similar vocabulary.
    """
    found = [bundle for bundle in cache.models().values() if bundle.decoder.kind == kind]
    return sorted(found, key=lambda other: _distance(other, first))


def sentence_ids(subject: Subject) -> tuple[int, ...]:
    """Return the words of the caption as ids."""
    return tuple(subject.vocabulary.id(word) for word in subject.words)


def reading(
    subject: Subject, ids: Sequence[int] | None = None, *, switches: Switches = FREE_GATES
) -> Written:
    """Return the steps of reading a sentence about the photo, the caption unless another is given.

    Step t reads the word before place t (the first one reads the begin mark) and gives the
    probability of each word at place t.
    """
    sentence = sentence_ids(subject) if ids is None else tuple(ids)
    return _reading(subject, sentence, switches)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_SUBJECT)  # 1 MB each
def _reading(subject: Subject, ids: tuple[int, ...], switches: Switches) -> Written:
    return read_sentence(decoder(subject.bundle), memory(subject), ids, switches=switches)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=BY_SUBJECT)  # 1 MB each
def writing(
    subject: Subject, *, begun: tuple[int, ...] = (), switches: Switches = FREE_GATES
) -> Written:
    """Return the sentence written greedily, after given first words.

    Args:
        subject: photo and model.
        begun: ids of the first words.
        switches: gates to hold.
    """
    return write_greedily(decoder(subject.bundle), memory(subject), begun=begun, switches=switches)


@st.cache_data(max_entries=256, show_spinner=False, hash_funcs=BY_SUBJECT)
def lit(subject: Subject, values: np.ndarray, side: int) -> bytes:
    """Return the photo, bright where a map is high, at most `side` pixels wide or high."""
    from captioning import explain

    photo = subject.photo
    photo.thumbnail((side, side))
    return as_jpeg(explain.spotlight(photo, values))


def look_again(subject: Subject, place: int, force: np.ndarray) -> WordStep:
    """Return how likely each word at a place of the caption is with forced attention there.

    Args:
        subject: photo and model.
        place: in the caption; the words before it stay as they are.
        force: weights of the regions, `(R,)`.
    """
    before = reading(subject).steps[place]
    state = before.cell.hidden_before, before.cell.cell_before
    model = decoder(subject.bundle)
    return model.step(before.tokens, state, memory(subject), force=force)


def word_of(vocabulary: Vocabulary, token: int) -> str:
    """Return the word of an id for people; the end mark is written as such."""
    return END if token == EOS else vocabulary.words[token]


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_SUBJECT)
def difference_from_keras(subject: Subject) -> dict[str, float]:
    """Return the largest differences between these numbers and those of Keras."""
    from captioning.lessons.keras_check import largest_difference

    return largest_difference(subject.captioner, subject.features, reading(subject))


def _distance(other: Bundle, first: Bundle) -> tuple[bool, bool, bool, float]:
    """Return a sort key: how far a model is from the first."""
    words, ours = set(other.vocabulary.words), set(first.vocabulary.words)
    return (
        other.name != first.name,
        other.encoder != first.encoder,
        other.encoder.name != OWN,
        -len(words & ours) / len(words | ours),
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _decoder(folder: str, version: int, _bundle: Bundle) -> PlainDecoder:
    return PlainDecoder.of(_bundle)
