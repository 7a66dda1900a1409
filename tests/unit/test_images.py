"""Reading photos: every odd file gives a right RGB picture or one plain sentence."""

import io
import os
import random
import socket
import struct
import subprocess
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError

from captioning import images, isolated_photos
from captioning.errors import ImageError
from captioning.image_formats import count_scans, formats_of
from captioning.images import (
    as_rgb,
    as_small_copy,
    decode_here,
    read_image,
    read_photo_file,
    to_square,
)
from captioning.isolated_photos import metadata_isolated

ROOT = Path(__file__).parents[2]


def scene(width=64, height=48):
    """A smooth picture with no symmetry: red grows rightwards, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 255 - (x + y)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def encode(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def png(width, height, depth=1, kind=0):
    """A black PNG of any size, made row by row so that it is quick and small."""

    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    packer = zlib.compressobj(1)
    row = b"\0" * (1 + (width * depth + 7) // 8)
    body = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def difference(image, expected):
    """The mean distance of two pictures' values, 0..255."""
    assert image.mode == "RGB"
    assert image.size == expected.size
    a, b = np.asarray(image, np.float64), np.asarray(expected.convert("RGB"), np.float64)
    return np.abs(a - b).mean()


@pytest.fixture(autouse=True)
def in_this_process(request, monkeypatch):
    """Decode HEIC, AVIF and TIFF here, which is faster, except where the process is tested."""
    if request.node.get_closest_marker("process") is None:
        monkeypatch.setattr(images, "needs_isolation", lambda data: False)


def refusal(source, **options):
    with pytest.raises(ImageError) as caught:
        read_image(source, **options)
    text = str(caught.value)
    assert text.endswith(".")
    return text


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95}, 4),
        ("JPEG", {"quality": 95, "progressive": True}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
    ],
)
def test_every_format_gives_the_picture_back(format, options, tolerance):
    assert difference(read_image(encode(scene(), format, **options)), scene()) <= tolerance


def test_path_text_bytes_and_stream_give_the_same_picture(tmp_path):
    data = encode(scene(), "PNG")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    stream = io.BytesIO(data)
    stream.read()  # an upload that somebody has read to its end already
    with path.open("rb") as file:
        for source in (path, str(path), data, stream, file):
            assert difference(read_image(source), scene()) == 0
    assert not stream.closed


def test_two_pictures_in_one_mpo_file_give_the_first():
    data = encode(scene(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert difference(read_image(data), scene()) < 8


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animation_gives_its_first_frame(format):
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "blue", "lime")]
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], **lossless)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert difference(read_image(data), frames[0]) == 0


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format, {})
    upright = ImageOps.exif_transpose(
        Image.open(io.BytesIO(encode(scene(), "PNG", exif=exif)))
    )  # Pillow's own turning as the oracle
    read = read_image(encode(scene(), format, exif=exif, **options))
    assert difference(read, upright) < 4
    assert difference(as_rgb(read), read) == 0  # what was turned once is not turned again


DAMAGED_EXIF = b"Exif\0\0II*\0\xff\xff\xff\xff\xff"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_does_not_cost_the_picture():
    data = encode(scene(), "JPEG", quality=95, exif=DAMAGED_EXIF)
    assert difference(read_image(data), scene()) < 4


def test_nothing_is_printed_about_odd_photos(tmp_path):
    (tmp_path / "exif.jpg").write_bytes(encode(scene(), "JPEG", exif=DAMAGED_EXIF))
    (tmp_path / "bomb.png").write_bytes(png(10_000, 10_000))
    code = """
import sys
from captioning.errors import ImageError
from captioning.images import read_image
for path in sys.argv[1:]:
    try:
        read_image(path)
    except ImageError:
        print("refused")
"""
    command = [sys.executable, "-c", code, tmp_path / "exif.jpg", tmp_path / "bomb.png"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_transparency_is_laid_on_white():
    half = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    for image in (half, half.convert("LA")):
        pixels = np.asarray(read_image(encode(image, "PNG")))
        assert pixels[0, 1].tolist() == [255, 255, 255]
    blend = np.asarray(read_image(encode(Image.new("RGBA", (1, 1), (0, 0, 0, 128)), "PNG")))
    assert abs(int(blend[0, 0, 0]) - 127) <= 1


def test_palette_with_a_transparent_colour_is_laid_on_white():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for format, transparency in (("GIF", 0), ("PNG", 0), ("PNG", b"\x00\xff")):
        pixels = np.asarray(read_image(encode(image, format, transparency=transparency)))
        assert pixels[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    assert np.asarray(read_image(encode(image, "PNG")))[0, 0].tolist() == [10, 20, 30]


def test_transparent_colour_of_a_true_colour_png_is_laid_on_white():
    image = Image.new("RGB", (2, 1), (9, 8, 7))
    image.putpixel((1, 0), (1, 2, 3))
    pixels = np.asarray(read_image(encode(image, "PNG", transparency=(9, 8, 7))))
    assert pixels[0].tolist() == [[255, 255, 255], [1, 2, 3]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_grey_and_palette_pictures_become_rgb(mode, format):
    image = scene().convert("L").convert("LA") if mode == "LA" else scene().convert(mode)
    assert difference(read_image(encode(image, format)), image) == 0


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(format):
    image = scene().convert("CMYK")
    options = {"quality": 95} if format == "JPEG" else {}
    data = encode(image, format, **options)
    assert Image.open(io.BytesIO(data)).mode == "CMYK"
    assert difference(read_image(data), scene()) < 4


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_shades(format):
    shades = np.linspace(0, 65535, 256 * 2).astype(np.uint16).reshape(2, 256)
    data = encode(Image.fromarray(shades), format)
    assert Image.open(io.BytesIO(data)).mode.startswith("I")
    pixels = np.asarray(read_image(data))[..., 0]
    assert np.abs(pixels - shades / 257).max() <= 1


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.linspace(0, 1, 64, dtype=np.float32), 1),
        (np.linspace(0, 255, 64, dtype=np.float32), 255),
        (np.linspace(0, 65535, 64).astype(np.int32), 65535),
        (np.linspace(0, 200, 64).astype(np.int32), 255),
    ],
)
def test_wide_grey_is_scaled_to_its_own_white(values, white):
    data = encode(Image.fromarray(values.reshape(8, 8)), "TIFF")
    pixels = np.asarray(read_image(data))[..., 0].ravel()
    assert np.abs(pixels - values * 255.0 / white).max() <= 1


def test_values_beyond_any_white_are_stretched_and_nan_is_survived():
    values = np.array([[-1e5, 0.0], [3e5, np.nan]], dtype=np.float32)
    pixels = np.asarray(read_image(encode(Image.fromarray(values), "TIFF")))[..., 0]
    assert pixels.tolist() == [[0, 64], [255, 64]]
    flat = np.full((3, 3), -7, dtype=np.int32)
    assert np.asarray(read_image(encode(Image.fromarray(flat), "TIFF"))).max() == 0


def test_one_pixel_is_a_photo():
    image = read_image(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"))
    assert image.getpixel((0, 0)) == (1, 2, 3)
    assert to_square(image, 5).tolist() == [[[1, 2, 3]] * 5] * 5


def noisy(width=320, height=240):
    """A picture that no encoder makes small, so that a cut file has a row for nearly every byte."""
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(40, 215, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("missing", [0.04, 0])
def test_jpeg_that_lacks_only_its_end_gives_the_rows_that_arrived(missing):
    data = encode(noisy(), "JPEG", quality=90)
    whole = read_image(data)
    cut = read_image(data[: int(len(data) * (1 - missing)) - 2])
    assert cut.mode == "RGB"
    assert cut.width == whole.width
    assert 0.9 * whole.height <= cut.height < whole.height
    assert cut.tobytes() == whole.crop((0, 0, cut.width, cut.height)).tobytes()


def test_jpeg_cut_in_half_is_refused_with_the_share_that_arrived():
    data = encode(noisy(), "JPEG", quality=90)
    text = refusal(data[: len(data) // 2], name="beach.jpg")
    assert "'beach.jpg'" in text
    assert "incomplete" in text
    share = int(text.split("%")[0].rsplit(" ", 1)[1])
    assert 30 <= share <= 60


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_cut_files_are_refused_plainly(format, share):
    data = encode(noisy(), format)
    text = refusal(data[: int(len(data) * share)])
    assert "incomplete" in text or "none of" in text


def test_progressive_jpeg_cut_short_is_refused():
    data = encode(noisy(), "JPEG", progressive=True)
    assert "incomplete" in refusal(data[: len(data) * 3 // 4])


def test_empty_file_text_and_folder_are_named(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.jpg").write_text("Bread, milk, eggs.\n" * 20)
    (tmp_path / "album.jpg").mkdir()
    assert "'empty.jpg' is empty" in refusal(tmp_path / "empty.jpg")
    assert "'notes.jpg' is not a picture" in refusal(str(tmp_path / "notes.jpg"))
    assert "'album.jpg' is a folder" in refusal(tmp_path / "album.jpg")
    assert "'gone.jpg' does not exist" in refusal(tmp_path / "gone.jpg")
    assert "cannot be opened" in refusal("a\0b.jpg")


def test_closed_stream_is_refused():
    stream = io.BytesIO(b"x")
    stream.close()
    assert "cannot be read" in refusal(stream)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"avif"])
def test_the_beginning_of_a_heic_or_avif_photo_is_called_so(brand):
    head = b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1heic"
    assert "incomplete" in refusal(head + b"\0" * 100, name="IMG_1.HEIC")


@pytest.mark.parametrize("format", ["EPS", "PPM", "ICO", "PDF", "JPEG2000", "TGA"])
def test_formats_outside_the_list_never_reach_a_decoder(format):
    text = refusal(encode(scene(), format))
    assert "none of JPEG" in text or "file, which cannot be read here" in text


def test_long_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10**12)  # a sparse file: reading it would not fit into memory
    assert "50 MB" in refusal(path)
    data = encode(scene(), "PNG")
    for source in (data, io.BytesIO(data)):
        assert "too large" in refusal(source, max_bytes=len(data) - 1)
        assert read_image(source, max_bytes=len(data)).size == scene().size


def test_endless_stream_is_read_no_further_than_the_limit():
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            assert 0 < size <= 1001
            return b"\xff" * size

    assert "too large" in refusal(Endless(), max_bytes=1000)


@pytest.mark.parametrize("side", [30_000, 10_000])
@pytest.mark.parametrize("filters", ["ignore", "error"])
def test_decompression_bomb_is_refused_whatever_becomes_of_warnings(side, filters):
    data = png(side, side)
    assert len(data) < 1_000_000
    with warnings.catch_warnings():
        warnings.simplefilter(filters)
        assert "80 million pixels" in refusal(data)


def test_pixel_limit_is_exact_and_reported():
    data = encode(scene(30, 20), "PNG")
    assert read_image(data, max_pixels=600).size == (30, 20)
    assert "30 x 20" in refusal(data, max_pixels=599)


def test_no_file_stays_open(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("no /proc to count open files in")
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    data = encode(scene(), "PNG")
    good.write_bytes(data)
    bad.write_bytes(data[: len(data) // 2])
    before = len(os.listdir(descriptors))
    kept = [read_image(good) for _ in range(5)]
    for _ in range(5):
        refusal(bad)
    assert len(os.listdir(descriptors)) == before
    assert len(kept) == 5


def test_threads_reading_cut_and_whole_photos_do_not_disturb_each_other():
    whole = encode(noisy(), "JPEG", quality=90)
    jobs = [whole, whole[: int(len(whole) * 0.96)], whole[: len(whole) // 2], whole[:-2]] * 8

    def outcome(data):
        try:
            return read_image(data).tobytes()
        except ImageError as error:
            return str(error)

    alone = [outcome(data) for data in jobs[:4]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, jobs)) == alone * 8
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_give_a_picture_or_an_image_error():
    rng = random.Random(1)
    small = noisy(24, 16)
    originals = [encode(small, f) for f in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")]
    originals.append(encode(small.convert("CMYK"), "JPEG"))
    for original in originals:
        for _ in range(80):
            data = bytearray(original)
            for _ in range(rng.randrange(1, 8)):
                # Headers hold the traps, so half of the changes fall there.
                end = len(data) if rng.random() < 0.5 else 80
                data[rng.randrange(end)] = rng.randrange(256)
            try:
                assert decode_here(bytes(data), "The photo", 1_000_000).mode == "RGB"
            except ImageError as error:
                assert str(error).endswith(".")


@pytest.mark.parametrize("marker", [b"JFIF\0", b"Exif\0\0"])
def test_a_jpeg_whose_metadata_alone_are_damaged_is_read_as_its_pixels_lie(marker):
    """Pillow by itself refuses some of these, or warns of them, which is an error here."""
    photo = noisy(24, 16)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "some words"
    data = encode(photo, "JPEG", exif=exif.tobytes())
    assert read_image(data).size == (16, 24)
    pixels = Image.open(io.BytesIO(encode(photo, "JPEG"))).tobytes()
    rng, refused = random.Random(4), 0
    at = data.index(marker)
    length = int.from_bytes(data[at - 2 : at], "big") - 2
    for _ in range(300):
        # The segment is cut short or filled with anything, and the rest is left as it is.
        segment = data[at : at + rng.randrange(length)]
        segment += rng.randbytes(rng.randrange(length + 1 - len(segment)))
        damaged = data[: at - 2] + (len(segment) + 2).to_bytes(2, "big") + segment
        damaged += data[at + length :]
        try:
            Image.open(io.BytesIO(damaged))
        except Exception:
            refused += 1
        found = read_image(damaged)
        if found.size == (24, 16):
            assert found.tobytes() == pixels
    assert refused > 10


def test_square_is_squashed_not_cropped():
    image = scene(90, 30)
    square = to_square(image, 32)
    assert square.shape == (32, 32, 3)
    assert square.dtype == np.uint8
    assert square.flags.writeable
    # All four corners of the picture are still there.
    assert square[0, 0, 0] < 10 < 245 < square[0, -1, 0]
    assert square[0, 0, 1] < 10 < 245 < square[-1, 0, 1]
    assert np.array_equal(square, np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC)))


def test_square_of_the_right_size_is_untouched():
    image = noisy(32, 32)
    assert np.array_equal(to_square(image, 32), np.asarray(image))


def test_square_takes_other_modes():
    assert to_square(Image.new("L", (4, 4), 7), 4).tolist() == [[[7, 7, 7]] * 4] * 4


def test_a_small_copy_is_made_as_the_data_set_s_were():
    image = scene(90, 30)
    copy = as_small_copy(image, 32)
    assert (copy.size, copy.mode) == ((32, 32), "RGB")
    stream = io.BytesIO()
    image.resize((32, 32), Image.Resampling.BICUBIC).save(
        stream, "JPEG", quality=94, subsampling="4:2:0"
    )
    assert np.array_equal(np.asarray(copy), np.asarray(Image.open(stream)))


def test_what_is_a_small_copy_already_is_left_as_it_is():
    image = noisy(32, 32)
    assert as_small_copy(image, 32) is image


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_formats_that_decode_slowly_have_a_limit_of_their_own(format, monkeypatch):
    pillow_heif.register_heif_opener()
    data = encode(Image.new("RGB", (1_000, 500)), format)
    assert read_image(data).size == (1_000, 500)
    assert images.MAX_PIXELS_OF[format] < images.MAX_PIXELS
    monkeypatch.setitem(images.MAX_PIXELS_OF, format, 499_999)
    with pytest.raises(ImageError, match=r"more than the 0\.5 million pixels"):
        decode_here(data, "The photo", images.MAX_PIXELS)


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_avif_and_heic_are_read_upright(format):
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(encode(scene(), "PNG", exif=exif))))
    assert difference(read_image(encode(scene(), format, quality=95)), scene()) < 8
    found = read_image(encode(scene(), format, quality=95, exif=exif.tobytes()))
    assert difference(found, upright) < 8


def test_heic_is_read_in_a_program_that_has_read_none(tmp_path):
    pillow_heif.register_heif_opener()
    (tmp_path / "a.heic").write_bytes(encode(scene(), "HEIF"))
    code = (
        "import sys; from captioning.images import read_image; print(read_image(sys.argv[1]).size)"
    )
    command = [sys.executable, "-c", code, tmp_path / "a.heic"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "(64, 48)\n"


@pytest.mark.parametrize(
    ("shades", "white"),
    [
        (np.linspace(0, 4095, 64).astype(np.uint16), 4095),  # an X-ray's twelve bits
        (np.linspace(0, 255, 64).astype(np.uint16), 255),
        (np.linspace(0, 900, 64).astype(np.uint16), 1023),
        (np.linspace(0, 60_000, 64).astype(np.uint16), 65535),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_that_are_not_all_used_are_scaled_by_what_is(shades, white, format):
    data = encode(Image.fromarray(shades.reshape(8, 8)), format)
    pixels = np.asarray(read_image(data))[..., 0].ravel()
    assert np.abs(pixels - shades * 255.0 / white).max() <= 1


def test_grey_of_any_range_is_stretched():
    values = np.linspace(30.5, 37.5, 64, dtype=np.float32)  # degrees
    pixels = np.asarray(read_image(encode(Image.fromarray(values.reshape(8, 8)), "TIFF")))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_a_wrong_checksum_in_a_side_chunk_does_not_cost_the_picture():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "some words")
    exif = Image.Exif()
    exif[0x0112] = 3
    data = bytearray(encode(scene(), "PNG", pnginfo=texts, exif=exif))
    data[data.index(b"some words")] ^= 1
    found = read_image(bytes(data))
    assert difference(found, scene().transpose(Image.Transpose.ROTATE_180)) == 0


def test_a_wrong_checksum_of_the_transparency_costs_the_transparency_alone():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    data = bytearray(encode(image, "PNG", transparency=0))
    data[data.index(b"tRNS") + 5] ^= 1
    assert read_image(bytes(data)).getpixel((0, 0)) == (10, 20, 30)


def test_a_png_whose_pixels_are_changed_is_not_called_short():
    data = bytearray(encode(noisy(), "PNG"))
    data[20] ^= 1
    text = refusal(bytes(data))
    assert "damaged" in text
    assert "only the beginning" not in text


def test_a_progressive_jpeg_cut_short_is_reported_why():
    data = encode(noisy(), "JPEG", progressive=True)
    assert "progressive" in refusal(data[: int(len(data) * 0.95)])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\x0a", "JPEG XL"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns", "SVG"),
        (b"\0\0\0\x18ftypisom", "video"),
        (b"PK\3\4", "zip"),
    ],
)
def test_files_of_other_kinds_are_named(head, kind):
    assert f"is a {kind} file" in refusal(head + b"\0" * 200)


@pytest.mark.parametrize("size", [(1, 8_000_000), (60_000, 2)])
def test_thin_pictures_are_refused_before_they_are_decoded(size):
    assert f"{size[0]:,} x {size[1]:,}" in refusal(png(*size))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no such files")
def test_pipes_devices_and_sockets_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        (tmp_path / "zero.jpg").symlink_to("/dev/zero")
        for name in ("pipe.jpg", "socket.jpg", "zero.jpg"):
            assert f"'{name}'" in refusal(tmp_path / name)
            with pytest.raises(ImageError):
                read_photo_file(tmp_path / name)


def test_a_tiff_of_tiles_larger_than_any_picture_is_refused_before_it_is_decoded():
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: 20_000, 323: 20_000}
    data = b"\x80\x00" * 100
    tags |= {324: 8 + 2 + 12 * (len(tags) + 2) + 4, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    assert "20,000 x 20,000" in refusal(b"II*\0\x08\0\0\0" + directory + data)


@pytest.mark.parametrize("garbage", [b"", b"abc"])
def test_a_jpeg_of_endless_passes_is_refused_before_it_is_decoded(garbage):
    data = encode(scene(), "JPEG", progressive=True)
    assert 1 < count_scans(data) < 20
    last = data[data.rindex(b"\xff\xda") : -2]
    assert "scans" in refusal(data[:-2] + (garbage + last) * 60 + b"\xff\xd9")
    behind = data + last * 60  # what stands behind the end is never decoded
    assert difference(read_image(behind), read_image(data)) == 0
    assert count_scans(encode(scene(), "PNG")) == 0
    assert "scans" in refusal(data[:2] + b"\xff\xe5\0\2" * 1_000_000 + data[2:])
    assert "scans" in refusal(data[:2] + b"\xff" * 1_000_000 + data[2:])
    assert difference(read_image(data[:2] + b"\xff" * 1_000 + data[2:]), read_image(data)) == 0


def test_a_png_of_endless_chunks_is_refused_before_it_is_decoded():
    data, chunk = encode(scene(), "PNG"), b"\0\0\0\0abCd" + zlib.crc32(b"abCd").to_bytes(4, "big")
    assert difference(read_image(data[:33] + chunk * 1000 + data[33:]), scene()) == 0
    assert "100,000 chunks" in refusal(data[:33] + chunk * 100_000 + data[33:])


def tiff(strips, *, order="<"):
    """A TIFF directory that states a number of strips."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, 1)
    return head + struct.pack(f"{order}HHII", 273, 4, strips, 0) + bytes(4)


SLOW = {
    "JPEG with more than 100 blocks of EXIF": lambda: (
        encode(scene(), "JPEG")[:2]
        + b"\xff\xe1\0\x10Exif\0\0abcdefgh" * 101
        + encode(scene(), "JPEG")[2:]
    ),
    "TIFF with more than 200,000 numbers": lambda: tiff(200_001),
    "TIFF with more than 200,000 numbers ": lambda: tiff(6_000_000, order=">"),
    "GIF with more than 100,000 blocks": lambda: (
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1a" * 100_001 + b"\0"
    ),
    "GIF with more than 100,000 blocks ": lambda: (
        b"GIF89a" + bytes(4) + b"\x80\0\0" + bytes(6) + b"!\xf9\1a\0" * 50_001
    ),
    "GIF with more than 100,000 blocks  ": lambda: b"GIF89a" + bytes(7) + b"a" * 100_001,
    "run-length encoded BMP of more than 8,000,000": lambda: (
        b"BM" + bytes(28) + b"\1" + b"\1\0" * 4_000_000
    ),
    "run-length encoded BMP of more than 8,000,000 ": lambda: (
        b"BM" + bytes(16) + struct.pack("<ii", 8_000, -8_000) + bytes(4) + b"\2" + bytes(100)
    ),
}


@pytest.mark.parametrize("reason", SLOW)
def test_a_file_that_takes_long_to_read_is_refused_unread(reason, monkeypatch):
    monkeypatch.setattr(images.Image, "open", None)
    assert f"refused: it is a {reason.strip()}" in refusal(SLOW[reason]())


@pytest.mark.parametrize("head", [b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"MM*\0", b"II\0*"])
def test_a_big_tiff_is_refused_unread(head):
    order = ">" if head[:2] == b"MM" else "<"
    assert ("BigTIFF" in refusal(head + tiff(1, order=order)[4:])) == (len(head) > 4)
    with pytest.raises(UnidentifiedImageError):
        images.Image.open(io.BytesIO(head + tiff(1, order=order)[4:]), formats=formats_of(head))


def png_chunk(kind, data):
    check = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + check


def test_a_png_of_many_colour_profiles_is_refused():
    png = encode(scene(), "PNG")
    profile = png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(100_000)))
    assert difference(read_image(png[:33] + profile + png[33:]), scene()) == 0
    assert "100,000 chunks" in refusal(png[:33] + profile * 101 + png[33:])


def test_an_orientation_of_endless_numbers_counts_as_none():
    png = encode(scene(), "PNG")
    for numbers, size in ((1, scene().size[::-1]), (5_000_000, scene().size)):
        entry = struct.pack("<HHHII", 1, 274, 3, numbers, 6)
        block = b"II*\0\x08\0\0\0" + entry + bytes(4)
        assert read_image(png[:33] + png_chunk(b"eXIf", block) + png[33:]).size == size
    big = b"II+\0" + struct.pack("<HHQQHHQQ", 8, 0, 16, 1, 274, 3, 10**12, 6) + bytes(8)
    for block in (b"", b"II", b"MM\0*", big):
        assert read_image(png[:33] + png_chunk(b"eXIf", block) + png[33:]).size == scene().size


def test_files_with_many_pieces_are_read():
    blocks = b"!\xfe" + b"\1a" * 1_000 + b"\0"
    gif = encode(scene(), "GIF")
    table = 13 + (3 << (gif[10] & 7) + 1)
    assert difference(read_image(gif[:table] + blocks + gif[table:]), read_image(gif)) == 0
    rows = encode(scene(), "TIFF", tiffinfo={278: 1})
    assert difference(read_image(rows), scene()) == 0
    jpeg, exif = encode(scene(), "JPEG"), b"\xff\xe1\0\x10Exif\0\0abcdefgh"
    assert difference(read_image(jpeg[:2] + exif * 100 + jpeg[2:]), read_image(jpeg)) == 0


@pytest.mark.process
@pytest.mark.parametrize("format", ["TIFF", "AVIF", "HEIF"])
def test_a_process_of_its_own_gives_the_same_picture_and_the_same_errors(format):
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(noisy(24, 16), format, exif=exif.tobytes(), icc_profile=b"profile")
    assert difference(read_image(data), decode_here(data, "The photo", 1_000)) == 0
    assert "'é.x' is too large: it has " in refusal(data, name="é.x", max_pixels=99)
    for damaged in (data[: len(data) // 2], data[:40] + bytes(len(data) - 40)):
        with pytest.raises(ImageError) as here:
            decode_here(damaged, "The photo", 1_000)
        assert refusal(damaged) == str(here.value)
    if format != "TIFF":
        found = metadata_isolated(data, "The photo")
        assert (found.format, found.frames) == (format, 1)
        assert Image.open(io.BytesIO(data)).info["exif"] == found.blocks["exif"]
        assert found.blocks["icc_profile"] == b"profile"
        with pytest.raises(ImageError, match="damaged"):
            metadata_isolated(data[:30], "The photo")


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
@pytest.mark.parametrize(("limit", "value"), [("MAX_CPU_SECONDS", 0), ("MAX_MEMORY", 10_000_000)])
def test_a_photo_that_takes_too_much_ends_only_the_process_that_reads_it(limit, value, monkeypatch):
    monkeypatch.setattr(isolated_photos, limit, value)
    assert "too long or too much memory" in refusal(encode(scene(), "TIFF"))


def test_large_pictures_are_decoded_one_after_the_other():
    budget, together, most = images._PixelBudget(100), [], []

    def decode(pixels):
        with budget.take(pixels):
            together.append(pixels)
            most.append(sum(min(p, 100) for p in together))
            time.sleep(0.001)
            together.remove(pixels)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(decode, [60, 10, 500, 30, 100, 1, 70, 30] * 5))
    assert max(most) <= 100


IMAGES = [encode(noisy(12, 8), f) for f in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")]


@settings(max_examples=150, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_changed_file_gives_a_picture_or_a_sentence(data):
    content = bytearray(data.draw(st.sampled_from(IMAGES)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=8))
    try:
        found = decode_here(bytes(content), "The photo", 1_000_000)
        assert found.mode == "RGB"
        assert to_square(found, 8).shape == (8, 8, 3)
    except ImageError as error:
        assert str(error).endswith(".")
