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
from pages.learn.subject import Subject
from pages.ui import cache

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


def opened_encoder(subject: Subject) -> "OpenedEncoder":
    """Return the layers of the model's encoder, opened once for all photos and sessions.

    Raises:
        CaptioningError: the encoder's weights are not available.
    """
    return _opened_encoder(str(subject.bundle.folder), cache.version(subject.bundle), subject)


def memory(subject: Subject) -> Memory:
    """Return the decoder's memory of the photo."""
    return _memory(subject.key, subject)


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
    return _reading(subject.key, sentence, switches, subject)


def writing(
    subject: Subject, *, begun: Sequence[int] = (), switches: Switches = FREE_GATES
) -> Written:
    """Return the sentence written greedily, after given first words.

    Args:
        subject: photo and model.
        begun: ids of the first words.
        switches: gates to hold.
    """
    return _writing(subject.key, tuple(begun), switches, subject)


def look_again(subject: Subject, place: int, force: tuple[float, ...]) -> WordStep:
    """Return how likely each word at a place of the caption is with forced attention there.

    Args:
        subject: photo and model.
        place: in the caption; the words before it stay as they are.
        force: weights of the regions, `(R,)`.
    """
    before = reading(subject).steps[place]
    state = before.cell.hidden_before, before.cell.cell_before
    model = decoder(subject.bundle)
    return model.step(before.tokens, state, memory(subject), force=np.array(force))


def word_of(vocabulary: Vocabulary, token: int) -> str:
    """Return the word of an id for people; the end mark is written as such."""
    return END if token == EOS else vocabulary.words[token]


def difference_from_keras(subject: Subject) -> dict[str, float]:
    """Return the largest differences between these numbers and those of Keras."""
    return _difference(subject.key, subject)


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


@st.cache_resource(max_entries=4, show_spinner="Opening the encoder…")
def _opened_encoder(folder: str, version: int, _subject: Subject) -> "OpenedEncoder":
    from captioning.lessons.encoder import OpenedEncoder

    return OpenedEncoder(_subject.captioner.keras_encoder)


@st.cache_resource(max_entries=8, show_spinner=False)  # 0.3 MB each
def _memory(key: tuple[str, int, str], _subject: Subject) -> Memory:
    return decoder(_subject.bundle).remember(_subject.features)


@st.cache_resource(max_entries=8, show_spinner=False)  # 1 MB each
def _reading(
    key: tuple[str, int, str], ids: tuple[int, ...], switches: Switches, _subject: Subject
) -> Written:
    return read_sentence(decoder(_subject.bundle), memory(_subject), ids, switches=switches)


@st.cache_resource(max_entries=8, show_spinner=False)  # 1 MB each
def _writing(
    key: tuple[str, int, str], begun: tuple[int, ...], switches: Switches, _subject: Subject
) -> Written:
    model, photo = decoder(_subject.bundle), memory(_subject)
    return write_greedily(model, photo, begun=begun, switches=switches)


@st.cache_data(max_entries=64, show_spinner=False)
def _difference(key: tuple[str, int, str], _subject: Subject) -> dict[str, float]:
    from captioning.lessons.keras_check import largest_difference

    return largest_difference(_subject.captioner, _subject.features, reading(_subject))
