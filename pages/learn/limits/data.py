"""What the lesson on limits asks the model, kept between reruns."""

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from captioning.lessons.limits import change_photo, odd_picture
from pages.learn.subject import BY_SUBJECT, Subject
from pages.ui import cache

if TYPE_CHECKING:
    from captioning.caption import Caption
    from captioning.explain import Evidence

_LONGEST_SIDE = 640


@dataclass(frozen=True)
class Captioned:
    """A picture and the model's caption of it.

    Attributes:
        name: of the picture.
        picture: as PNG.
        caption: the model's sentence.
    """

    name: str
    picture: bytes
    caption: "Caption"

    @property
    def words(self) -> list[str]:
        """The words of the sentence."""
        return [word.word for word in self.caption.words]


def log_prob_a_word(caption: "Caption") -> float:
    """Return the mean log-probability of its words: how sure it is, whatever the length."""
    return math.fsum(word.log_prob for word in caption.words) / max(len(caption.words), 1)


def caption_of_odd(subject: Subject, name: str) -> Captioned:
    """Return what the model writes about one of the odd pictures.

    Raises:
        CaptioningError: the model cannot be loaded.
    """
    return _captioned(subject, name, odd_file(name))


def caption_of_change(subject: Subject, name: str) -> Captioned:
    """Return what the model writes about the photo after a change.

    Raises:
        CaptioningError: the model cannot be loaded.
    """
    return _captioned(subject, name, _changed(subject, name))


@st.cache_data(max_entries=128, show_spinner=False, hash_funcs=BY_SUBJECT)
def evidence(subject: Subject, sentence: str) -> "list[Evidence]":
    """Return each word's probability with the photo and with an evenly grey one.

    Raises:
        QueryError: the model does not know a word, or the sentence is too long.
    """
    from captioning.explain import seen_or_guessed

    return seen_or_guessed(subject.captioner, subject.features, sentence)


def _captioned(subject: Subject, name: str, picture: bytes) -> Captioned:
    bundle = subject.bundle
    return Captioned(name, picture, cache.caption(bundle, picture, name, bundle.decoding))


@st.cache_data(max_entries=16, show_spinner=False)
def odd_file(name: str) -> bytes:
    """Return one of the odd pictures as PNG."""
    return _as_png(odd_picture(name))


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_SUBJECT)
def _changed(subject: Subject, name: str) -> bytes:
    image = subject.photo
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    return _as_png(change_photo(image, name))


def _as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
