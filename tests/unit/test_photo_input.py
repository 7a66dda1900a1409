"""Photos in every form a program holds them in."""

import io
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from captioning.captioner import Captioner
from captioning.errors import ImageError
from captioning.photo_input import to_picture

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_all_forms_of_a_photo_give_the_same_picture(tmp_path):
    data = png(Image.fromarray(PIXELS))
    (tmp_path / "photo.png").write_bytes(data)
    opaque = np.dstack([PIXELS, np.full((6, 8), 255, np.uint8)])
    forms = [
        str(tmp_path / "photo.png"),
        tmp_path / "photo.png",
        data,
        bytearray(data),
        io.BytesIO(data),
        Image.fromarray(PIXELS),
        Image.fromarray(opaque),
        PIXELS,
        opaque,
        PIXELS.astype(np.float32) / 255,
        PIXELS[::1, ::-1][:, ::-1],  # not contiguous
    ]
    for form in forms:
        picture = to_picture(form)
        assert picture.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(picture), PIXELS)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F"]
)
def test_a_picture_of_any_mode_becomes_rgb(mode):
    base = Image.fromarray(PIXELS)
    picture = (
        base.convert("L").convert(mode) if mode in ("LA", "PA", "I", "F") else base.convert(mode)
    )
    assert to_picture(picture).mode == "RGB"
    assert to_picture(picture).size == (8, 6)


def test_transparency_is_laid_on_white_and_grey_has_three_channels():
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (np.asarray(to_picture(clear)) == 255).all()
    grey = np.asarray(to_picture(np.full((4, 5), 0.5)))
    assert grey.shape == (4, 5, 3) and (grey == 128).all()


def test_a_picture_lying_on_its_side_is_turned_upright():
    image, exif = Image.fromarray(PIXELS), Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "PNG", exif=exif)
    assert to_picture(Image.open(buffer)).size == (6, 8)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (None, "got None"),
        ([PIXELS], "got a list"),
        (3, "got a int"),
        (np.zeros((3, 8, 8), np.uint8), r"\(3, 8, 8\).*transpose"),
        (np.zeros((1, 8, 8, 3), np.uint8), "one photo at a time"),
        (np.zeros((0, 8, 3), np.uint8), "no pixels"),
        (np.zeros((8, 8), np.int64), "got int64"),
        (np.full((8, 8, 3), 255.0), "0 to 1; got 255 to 255"),
        (np.full((8, 8, 3), np.nan), "got nan"),
    ],
    ids=str,
)
def test_anything_else_is_refused_with_what_it_is(photo, message):
    with pytest.raises(ImageError, match=message):
        to_picture(photo)


@dataclass(frozen=True)
class Brightness:
    """Stands for a caption."""

    text: str
    kind: str | None = None


class CountingCaptioner(Captioner):
    """Captions without a network: says the mean brightness."""

    def __init__(self):
        self.read = 0
        self.bundle = SimpleNamespace(learned_from_photos=False)
        self._encoder = SimpleNamespace(pixels=self._pixels)
        self.batches = []

    encoder = property(lambda self: self._encoder)

    def _pixels(self, picture):
        self.read += 1
        return np.asarray(picture.resize((2, 2)))

    def encode_squares(self, pixels, on_wait=None):
        return pixels.mean(axis=(1, 2, 3))

    def describe(self, features, decoding=None):
        self.batches.append(len(features))
        return [Brightness(f"{value:.0f}") for value in features]


def photos(count):
    return [np.full((4, 4, 3), n, np.uint8) for n in range(count)]


def test_many_photos_are_captioned_in_order_without_reading_them_all_first():
    captioner = CountingCaptioner()
    stream = captioner.caption_many(iter(photos(10)), batch=4)
    assert captioner.read == 0
    assert next(stream).text == "0"
    assert captioner.read == 4
    assert [caption.text for caption in stream] == [str(n) for n in range(1, 10)]
    assert captioner.batches == [4, 4, 2]


def test_photos_before_a_broken_one_are_captioned():
    captioner, seen = CountingCaptioner(), []
    with pytest.raises(ImageError):
        for caption in captioner.caption_many([*photos(2), b"no photo", *photos(1)]):
            seen.append(caption.text)
    assert seen == ["0", "1"]
