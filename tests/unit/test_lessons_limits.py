"""The lesson on limits: odd pictures, changed photos, counted words."""

import math

import numpy as np
import pytest
from latex_numbers import check
from PIL import Image

from captioning.lessons.limits import (
    CHANGES,
    ODD_PICTURES,
    Shift,
    change_photo,
    hallucinations,
    odd_picture,
    unseen_things,
    word_changes,
)


@pytest.mark.parametrize("name", ODD_PICTURES)
def test_an_odd_picture_is_the_same_every_time(name):
    one, other = np.asarray(odd_picture(name)), np.asarray(odd_picture(name))
    assert one.shape == (240, 320, 3) and one.dtype == np.uint8
    assert np.array_equal(one, other)


def test_odd_pictures_are_what_they_are_called():
    grey, black, white = (np.asarray(odd_picture(n)) for n in ("even grey", "black", "white"))
    assert set(grey.ravel()) == {127} and set(black.ravel()) == {0} and set(white.ravel()) == {255}
    noise = np.asarray(odd_picture("noise"), float)
    assert abs(noise.mean() - 127.5) < 1
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.02
    page = np.asarray(odd_picture("a page of text"))
    assert 0.8 < (page == 255).mean() < 0.99  # mostly paper, some ink
    pictures = [odd_picture(name).tobytes() for name in ODD_PICTURES]
    assert len(set(pictures)) == len(pictures)


@pytest.fixture
def gradient():
    y, x = np.mgrid[0:60, 0:90]
    return Image.fromarray(np.stack([2 * x, 4 * y, 255 - x - y], axis=-1).astype(np.uint8))


def test_changes_do_what_they_say(gradient):
    pixels = np.asarray(gradient, float)
    changed = {name: np.asarray(change_photo(gradient, name), float) for name in CHANGES}
    assert np.array_equal(changed["mirrored"], pixels[:, ::-1])
    assert np.array_equal(changed["upside down"], pixels[::-1])
    assert changed["darker"] == pytest.approx(0.35 * pixels, abs=1)
    assert np.array_equal(changed["closer"], pixels[9:51, 14:76])
    grey = changed["without colour"]
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 0], grey[..., 2])
    assert changed["blurred"].shape == pixels.shape
    assert (
        np.abs(np.diff(changed["blurred"], axis=1)).max() <= np.abs(np.diff(pixels, axis=1)).max()
    )
    assert np.asarray(gradient, float) == pytest.approx(pixels)  # the photo itself stays


@pytest.mark.parametrize("name", CHANGES)
def test_the_smallest_photo_can_be_changed(name):
    assert change_photo(Image.new("RGB", (1, 1), "red"), name).mode == "RGB"


@pytest.mark.parametrize(
    ("before", "after"),
    [("a red kite", "a blue kite"), ("", "a dog"), ("a dog", ""), ("a b c d", "b c"), ("x", "x")],
)
def test_both_sentences_can_be_read_back_from_the_changes(before, after):
    changes = word_changes(before.split(), after.split())
    assert [c.word for c in changes if c.fate != "new"] == before.split()
    assert [c.word for c in changes if c.fate != "gone"] == after.split()


# Counted words.


def test_a_shift_is_the_difference_of_two_shares():
    shift = Shift("man", "woman", people=(60, 40), model=(45, 5))
    assert shift.of_people == pytest.approx(0.6) and shift.of_model == pytest.approx(0.9)
    assert shift.difference == pytest.approx(0.3)
    assert shift.error == pytest.approx(math.sqrt(0.6 * 0.4 / 100 + 0.9 * 0.1 / 50), abs=1e-9)
    assert shift.beyond_chance
    assert check(f"x = {shift.formula()}", 1e-3) == pytest.approx(0.3, abs=5.1e-4)


def test_few_words_prove_nothing():
    assert not Shift("man", "woman", people=(60, 40), model=(3, 0)).beyond_chance
    assert not Shift("man", "woman", people=(60, 40), model=(27, 23)).beyond_chance


def test_words_in_no_caption_have_no_share():
    shift = Shift("man", "woman", people=(0, 0), model=(1, 0))
    assert shift.of_people is shift.difference is shift.error is None
    assert not shift.beyond_chance
    assert shift.formula() == r"\frac{0}{0}"


def test_a_thing_in_other_words_was_seen():
    references = ["A dog runs.", "two men by the sea"]
    assert unseen_things("a hound and a guy at the ocean", references) == []
    assert unseen_things("a dog on a bench with a ball and a ball", references) == [
        "bench",
        "ball",
        "ball",
    ]


def test_hallucinations_are_counted_by_mention_and_by_caption():
    captions = {"1": "a dog and a ball", "2": "a dog", "3": "it is good"}
    references = {"1": ["a puppy"], "2": ["a dog"], "3": ["yes"]}
    found = hallucinations(captions, references)
    assert (found.named, found.unseen) == (3, 1)
    assert (found.captions, found.with_unseen) == (3, 1)
    assert found.examples == {"1": ("ball",)}
    assert found.of_mentions == pytest.approx(1 / 3) and found.of_captions == pytest.approx(1 / 3)
    assert check(f"x = {found.formula()}", 1e-3) == pytest.approx(1 / 3, abs=5.1e-4)
    empty = hallucinations({}, {})
    assert empty.of_mentions == empty.of_captions == 0
