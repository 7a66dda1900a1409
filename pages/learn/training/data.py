"""What the lesson on training computes, kept between reruns."""

import contextlib
from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

import streamlit as st

from captioning.bundle import Bundle
from captioning.config import DecoderConfig
from captioning.datasets.shapes.drawing import paint
from captioning.datasets.shapes.scene import describe, draw_lots
from captioning.errors import BundleError
from captioning.images import read_image
from captioning.lessons.training import Curve, read_curve
from captioning.runs import Runs, read_curves
from pages.learn import inspector
from pages.learn.subject import BY_MODEL, BY_SUBJECT, Subject
from pages.ui import cache

if TYPE_CHECKING:
    from captioning.lessons.gradient_step import Learned, Pupil
    from captioning.lessons.training import ForcedWord
    from captioning.training.seeds import SeedRun, SeedStudy

_PHOTOS = 200
_HELD_OUT = 40


def known_curves() -> dict[str, Curve]:
    """Return the loss curves of all runs and models with at least two epochs."""
    found: dict[str, Curve] = {}
    for run in Runs().all():
        _take(found, f"run {run.id}", read_curves(run).epochs)
    for name, bundle in cache.models().items():
        # A damaged history is reported where models are chosen.
        with contextlib.suppress(BundleError):
            _take(found, f"model {name}", bundle.history())
    return found


def _take(found: dict[str, Curve], name: str, history: Sequence[Mapping[str, Any]]) -> None:
    curve = read_curve(history)
    if curve is not None and len(curve.epochs) > 1:
        found[name] = curve


@st.cache_data(max_entries=64, show_spinner="Taking the steps…", hash_funcs=BY_SUBJECT)
def learned(subject: Subject, sentence: str, rate: float, steps: int) -> "Learned":
    """Teach a copy of the model one sentence; a grey photo shows what else that changes.

    Raises:
        CaptioningError: the sentence cannot be learned, or the rate is too high.
    """
    pupil, others = _pupil(subject), subject.captioner.blank_features
    return pupil.learn(subject.features, sentence, rate=rate, steps=steps, others=others)


@st.cache_resource(max_entries=2, show_spinner="Copying the model…", hash_funcs=BY_MODEL)
def _pupil(subject: Subject) -> "Pupil":
    from captioning.lessons.gradient_step import Pupil

    return Pupil(subject.captioner)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=BY_SUBJECT)
def forced(subject: Subject, sentence: str) -> "list[ForcedWord]":
    """Return what the model would write after the true words before each place.

    Raises:
        QueryError: it does not know a word of the sentence, or it is too long.
    """
    from captioning.lessons.training import forced_words

    return forced_words(subject.captioner, subject.features, sentence)


def own_words(subject: Subject, beginning: tuple[str, ...] = ()) -> list[str]:
    """Return what the model writes after a beginning, always the likeliest next word."""
    ids = tuple(subject.vocabulary.id(word) for word in beginning)
    return [subject.vocabulary.words[i] for i in inspector.writing(subject, begun=ids).ids]


@st.cache_data(max_entries=128, show_spinner=False)
def seed_run(seed: int, photos: int, epochs: int, same: str) -> "SeedRun":
    """Return one tiny training on drawn shapes; equal ones run once.

    Args:
        seed: of its random numbers.
        photos: how many it learns from.
        epochs: passes over them.
        same: what does not differ from seed to seed: "weights", "order", or "" for nothing.

    Raises:
        CaptioningError: there is no model of shapes to read the photos with.
    """
    return _study().run(
        seed,
        photos=photos,
        epochs=epochs,
        same_weights=same == "weights",
        same_order=same == "order",
    )


def rival(subject: Subject, place: int) -> str | None:
    """Return the word that came second at one place of the model's greedy sentence, if any."""
    from captioning.lessons.training import second_word

    token = second_word(inspector.writing(subject), place)
    return None if token is None else subject.vocabulary.words[token]


@st.cache_resource(max_entries=1, show_spinner="Drawing and encoding shapes…")
def _study() -> "SeedStudy":
    from captioning.training.seeds import SeedStudy, quarters

    captioner = cache.captioner(_reader())
    # With a separate seed: the encoder has never seen these pictures.
    scenes = [(draw_lots(rng), rng) for rng in (Random(f"lesson/{n}") for n in range(_PHOTOS))]  # noqa: S311
    images = [read_image(paint(scene), name="a drawn picture") for scene, _ in scenes]
    config = DecoderConfig(kind="inject", embedding_size=32, units=64, dropout=0.0, max_length=16)
    return SeedStudy(
        quarters(captioner.encode(images)),
        [describe(scene, rng) for scene, rng in scenes],
        held_out=_HELD_OUT,
        config=config,
        learning_rate=0.02,
    )


def _reader() -> Bundle:
    """Return the model whose own small encoder reads the drawn photos."""
    for bundle in cache.models().values():
        if bundle.encoder.name == "compact" and "triangle" in bundle.vocabulary:
            return bundle
    raise BundleError(
        "These trainings need the model 'shapes', which comes with this app, to encode the "
        "pictures. It is missing: put the folder models/shapes back."
    )
