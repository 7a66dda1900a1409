"""A caption inside a photo file: read back by Pillow and an XML parser, the picture untouched."""

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from captioning.errors import ImageError
from captioning.photofiles import exif, jpeg
from captioning.sharing import alt_html, alt_text, read_caption, write_caption

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
TEXT = "a dog & a <b>cat</b> run"
OTHERS_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:CaptionWriter="somebody" '
    b'xmp:Rating="4"><dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Seq><rdf:li>Ada'
    b"</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def saved(photo, kind, **settings):
    buffer = io.BytesIO()
    photo.save(buffer, kind, **settings)
    return buffer.getvalue()


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def packet_of(data):
    image = opened(data)
    packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    packet = packet if isinstance(packet, str) else packet.decode()
    return ET.fromstring(re.sub(r"<\?xpacket.*?\?>", "", packet))


def scan_of(data):
    """The picture data of a JPEG: everything from its first table on."""
    return data[data.index(b"\xff\xdb") :]


def with_old_exif(photo):
    metadata = Image.Exif()
    metadata[0x010F] = "Maker"
    metadata[0x0112] = 6
    metadata.get_ifd(0x8769)[0x829A] = 0.25
    metadata.get_ifd(0x8769)[0x927C] = b"maker's own notes"
    metadata.get_ifd(0x8825)[1] = "N"
    return saved(photo, "JPEG", exif=metadata, quality=90)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("writer", ["flickr8k-compact", None])
def test_every_program_finds_the_caption(kind, writer, photo):
    copy, ending = write_caption(saved(photo, kind), TEXT, writer=writer)
    expected = alt_text(TEXT, machine_made=writer is not None)
    assert ending == {"JPEG": "jpg", "PNG": "png"}[kind]
    root = packet_of(copy)
    for name in (f"{DC}description", f"{IPTC}AltTextAccessibility"):
        (item,) = root.findall(f".//{name}/{RDF}Alt/{RDF}li")
        assert item.text == expected
        assert item.get("{http://www.w3.org/XML/1998/namespace}lang") == "x-default"
    assert [e.text for e in root.iter(f"{PHOTOSHOP}CaptionWriter")] == [writer] * (
        writer is not None
    )
    image = opened(copy)
    if kind == "JPEG":
        assert image.getexif()[exif.IMAGE_DESCRIPTION] == expected
    else:
        assert image.info["Description"] == expected
    stored = read_caption(copy)
    assert (stored.text, stored.machine_made, stored.writer) == (TEXT, writer is not None, writer)


def test_the_picture_data_of_a_jpeg_are_the_same_bytes(photo):
    for data in (saved(photo, "JPEG", progressive=True), with_old_exif(photo)):
        copy, _ = write_caption(data, TEXT, writer="m")
        assert scan_of(copy) == scan_of(data)
        assert opened(copy).format == "JPEG"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
def test_a_png_keeps_its_pixels_and_its_mode(mode, photo):
    if mode == "I;16":
        image = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        image = photo.convert(mode)
    data = saved(image, "PNG")
    copy = opened(write_caption(data, TEXT, writer="m")[0])
    assert copy.mode == opened(data).mode
    assert copy.tobytes() == opened(data).tobytes()


def test_what_a_camera_wrote_stays(photo):
    data = with_old_exif(photo)
    before, after = opened(data).getexif(), opened(write_caption(data, TEXT)[0]).getexif()
    assert after[0x010F] == "Maker"
    assert after[0x0112] == 6
    for part in (0x8769, 0x8825):
        assert dict(after.get_ifd(part)) == dict(before.get_ifd(part))
    assert set(after) == {*before, exif.IMAGE_DESCRIPTION}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_others_wrote_about_the_photo_stays(kind, photo):
    if kind == "JPEG":
        data = saved(photo, kind, xmp=OTHERS_XMP)
    else:
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", OTHERS_XMP.decode(), zip=True)
        texts.add_text("Author", "Ada")
        data = saved(photo, kind, pnginfo=texts)
    copy, _ = write_caption(data, TEXT, writer="m")
    root = packet_of(copy)
    (about,) = root.iter(f"{RDF}Description")
    assert about.get("{http://ns.adobe.com/xap/1.0/}Rating") == "4"
    assert root.find(f".//{DC}creator/{RDF}Seq/{RDF}li").text == "Ada"
    assert read_caption(copy).writer == "m"
    assert kind == "JPEG" or opened(copy).info["Author"] == "Ada"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_second_caption_takes_the_place_of_the_first(kind, photo):
    once, _ = write_caption(saved(photo, kind), "first", writer="m")
    twice, _ = write_caption(once, "second, by hand")
    stored = read_caption(twice)
    assert (stored.text, stored.machine_made, stored.writer) == ("second, by hand", False, None)
    assert b"first" not in packet_as_bytes(twice)
    if kind == "JPEG":
        assert opened(twice).getexif()[exif.IMAGE_DESCRIPTION] == "second, by hand"
    assert (twice.count(b"http://ns.adobe.com/xap"), twice.count(b"XML:com")) in {(1, 0), (0, 1)}


def packet_as_bytes(data):
    return ET.tostring(packet_of(data))


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
def test_another_format_becomes_a_png_of_the_same_pixels(kind, photo):
    data = saved(photo, kind, **({"lossless": True} if kind == "WEBP" else {}))
    copy, ending = write_caption(data, TEXT, writer="m")
    assert ending == "png"
    assert opened(copy).tobytes() == opened(data).convert("RGB").tobytes()
    assert read_caption(copy).text == TEXT


def test_short_and_foreign_texts_survive(photo):
    for text in ("", "a", "abc", "abcd", "ein Mädchen läuft", "一只狗"):
        for kind in ("JPEG", "PNG"):
            copy, _ = write_caption(
                with_old_exif(photo) if kind == "JPEG" else saved(photo, kind), text
            )
            assert read_caption(copy).text == text


def test_a_photo_without_a_caption_has_none(photo):
    assert read_caption(saved(photo, "JPEG")) is None
    assert read_caption(saved(photo, "PNG")) is None
    with pytest.raises(ImageError, match="JPEG and PNG"):
        read_caption(saved(photo, "GIF"))


def test_an_exif_description_alone_is_read(photo):
    metadata = Image.Exif()
    metadata[exif.IMAGE_DESCRIPTION] = "by somebody"
    stored = read_caption(saved(photo, "JPEG", exif=metadata))
    assert (stored.text, stored.machine_made) == ("by somebody", False)


def test_a_damaged_exif_block_is_left_alone(photo):
    beyond, many, short = (
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\0\x08\0\0",
    )
    for block in (b"XX", beyond, many, short):
        assert exif.with_description(block, TEXT) is None
    data = jpeg.replace(saved(photo, "JPEG"), jpeg.EXIF, b"XX")
    copy, _ = write_caption(data, TEXT, writer="m")
    assert read_caption(copy).text == TEXT
    assert jpeg.find(copy, jpeg.EXIF) == b"XX"


@pytest.mark.parametrize(
    "packet",
    [
        b"not xml at all",
        b"<x/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'.encode("utf-16"),
        b"\xff\xfe\xfd",
    ],
)
def test_a_damaged_or_hostile_packet_is_replaced(packet, photo):
    data = jpeg.replace(saved(photo, "JPEG"), jpeg.XMP, packet)
    assert read_caption(data) is None
    assert read_caption(write_caption(data, TEXT, writer="m")[0]).text == TEXT


def test_damaged_files_are_refused_with_a_sentence(photo):
    for data in (
        b"",
        b"\xff\xd8\xff",
        saved(photo, "JPEG")[:40],
        saved(photo, "PNG")[:60],
        b"text",
    ):
        with pytest.raises(ImageError):
            write_caption(data, TEXT)


def test_html_is_escaped_and_says_first_who_wrote():
    snippet = alt_html('a "b" <script>', "x.jpg")
    assert snippet == (
        '<img src="x.jpg" alt="Machine-made caption: a &quot;b&quot; &lt;script&gt;">'
    )
    assert 'alt="a dog"' in alt_html("a dog", "x.jpg", machine_made=False)
