"""Photos are message from screenshots, documents, charts, drawings, blank pictures and noise."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.drawn_pictures import draw_pictures
from benchmarks.picture_kinds import ALTERED, fit_model
from captioning.calibration.picture_kind import KINDS, kind_of, picture_statistics, shipped_model
from captioning.images import read_image

PHOTOS = sorted((Path(__file__).parents[2] / "assets" / "photos").glob("*.jpg"))


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_photos_stay_photos_in_grey_with_a_border_dark_and_under_a_sky(path):
    photo = read_image(path)
    assert kind_of(photo) == "photo"
    for change in ALTERED.values():
        assert kind_of(change(photo, np.random.default_rng(0))) == "photo"


@pytest.mark.parametrize(
    "kind",
    ["document", pytest.param("chart", marks=pytest.mark.slow), "drawing", "blank", "noise"],
)
def test_drawn_pictures_are_no_photos_and_mostly_of_their_kind(kind):
    found = [kind_of(picture) for _, picture in draw_pictures({kind: 12}, seed=5)]
    assert found.count("photo") <= 1
    assert found.count(kind) >= 8


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (5, 4000)])
def test_a_picture_of_one_colour_is_blank_at_any_size(size):
    assert kind_of(Image.new("RGB", size, "#305080")) == "blank"


def test_statistics_hardly_depend_on_the_size_of_the_file():
    photo = read_image(PHOTOS[0])
    large = photo.resize((photo.width * 3, photo.height * 3), Image.Resampling.BICUBIC)
    difference = picture_statistics(photo) - picture_statistics(large)
    assert np.abs(difference).max() < 0.2


def test_a_fitted_model_separates_kinds_and_keeps_nearly_all_photos():
    random = np.random.default_rng(0)
    kinds = np.repeat(np.arange(len(KINDS)), 200)
    statistics = random.normal(0, 0.3, (len(kinds), len(KINDS))) + np.eye(len(KINDS))[kinds] * 4
    model = fit_model(statistics, kinds, statistics[kinds == 0])
    found = [model.kind(row) for row in model.probabilities(statistics)]
    assert np.mean([name == KINDS[kind] for name, kind in zip(found, kinds, strict=True)]) > 0.98
    assert found[:200].count("photo") >= 198


def test_the_statistics_are_those_that_the_shipped_model_was_fitted_on():
    """Noise that grows from the upper left to the lower right, in blocks."""
    random, strength = np.random.default_rng(0), (np.linspace(0, 9.5, 28) ** 2).repeat(8)
    noise = random.normal(0, 1, (224, 224, 3)) * np.minimum.outer(strength, strength)[..., None]
    found = picture_statistics(Image.fromarray((120 + noise).clip(0, 255).astype(np.uint8)))
    assert found @ np.arange(1, len(found) + 1) == pytest.approx(388.760, abs=0.01)
    probabilities = shipped_model().probabilities(found[None])[0]
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities[KINDS.index("drawing")] == pytest.approx(0.410, abs=0.005)
