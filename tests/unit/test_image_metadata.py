"""A caption inside a photo file: read back by Pillow and an XML parser, the picture untouched."""

import io
import json
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from captioning import images
from captioning.errors import ImageError
from captioning.image_metadata import (
    alt_html,
    alt_text,
    exif,
    iptc,
    read_caption,
    write_caption,
    xmp,
)
from captioning.image_metadata.containers import Metadata, container_of
from captioning.images import read_image

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


@pytest.fixture(autouse=True, scope="module")
def in_this_process():
    """Decode TIFFs here, which is faster; `test_images` compares both ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "needs_isolation", lambda data: False)
        yield


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
    copy = write_caption(saved(photo, kind), TEXT, writer=writer)
    assert (copy.ending, copy.notes) == ({"JPEG": "jpg", "PNG": "png"}[kind], ())
    copy = copy.data
    expected = TEXT if writer is None else f"Machine-made caption ({writer}): {TEXT}"
    aloud = alt_text(TEXT, machine_made=writer is not None)
    root = packet_of(copy)
    for name, text in ((f"{DC}description", expected), (f"{IPTC}AltTextAccessibility", aloud)):
        (item,) = root.findall(f".//{name}/{RDF}Alt/{RDF}li")
        assert item.text == text
        assert item.get("{http://www.w3.org/XML/1998/namespace}lang") == "x-default"
    assert [e.text for e in root.iter(f"{PHOTOSHOP}CaptionWriter")] == [writer] * (
        writer is not None
    )
    image = opened(copy)
    assert image.getexif()[exif.IMAGE_DESCRIPTION] == expected
    assert kind == "JPEG" or image.info["Description"] == expected
    stored = read_caption(copy)
    assert (stored.text, stored.machine_made, stored.writer) == (TEXT, writer is not None, writer)


def test_the_picture_data_of_a_jpeg_are_the_same_bytes(photo):
    for data in (saved(photo, "JPEG", progressive=True), with_old_exif(photo)):
        copy = write_caption(data, TEXT, writer="m").data
        assert scan_of(copy) == scan_of(data)
        assert opened(copy).format == "JPEG"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
def test_a_png_keeps_its_pixels_and_its_mode(mode, photo):
    if mode == "I;16":
        image = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        image = photo.convert(mode)
    data = saved(image, "PNG")
    copy = opened(write_caption(data, TEXT, writer="m").data)
    assert copy.mode == opened(data).mode
    assert copy.tobytes() == opened(data).tobytes()


def test_what_a_camera_wrote_stays(photo):
    data = with_old_exif(photo)
    before, after = opened(data).getexif(), opened(write_caption(data, TEXT).data).getexif()
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
    copy = write_caption(data, TEXT, writer="m").data
    root = packet_of(copy)
    (about,) = root.iter(f"{RDF}Description")
    assert about.get("{http://ns.adobe.com/xap/1.0/}Rating") == "4"
    assert root.find(f".//{DC}creator/{RDF}Seq/{RDF}li").text == "Ada"
    assert read_caption(copy).writer == "m"
    assert kind == "JPEG" or opened(copy).info["Author"] == "Ada"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_second_caption_takes_the_place_of_the_first(kind, photo):
    once = write_caption(saved(photo, kind), "first", writer="m").data
    twice = write_caption(once, "second, by hand").data
    stored = read_caption(twice)
    assert (stored.text, stored.machine_made, stored.writer) == ("second, by hand", False, None)
    assert b"first" not in packet_as_bytes(twice)
    if kind == "JPEG":
        assert opened(twice).getexif()[exif.IMAGE_DESCRIPTION] == "second, by hand"
    assert (twice.count(b"http://ns.adobe.com/xap"), twice.count(b"XML:com")) in {(1, 0), (0, 1)}


def packet_as_bytes(data):
    return ET.tostring(packet_of(data))


def test_short_and_foreign_texts_survive(photo):
    for text in ("", "a", "abc", "abcd", "ein Mädchen läuft", "一只狗"):
        for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
            data = with_old_exif(photo) if kind == "JPEG" else saved(photo, kind)
            assert read_caption(write_caption(data, text).data).text == text


def test_a_photo_without_a_caption_has_none(photo):
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        assert read_caption(saved(photo, kind)) is None
    with pytest.raises(ImageError, match="JPEG, PNG"):
        read_caption(saved(photo, "BMP"))


def test_an_exif_description_alone_is_read(photo):
    metadata = Image.Exif()
    metadata[exif.IMAGE_DESCRIPTION] = "by somebody"
    stored = read_caption(saved(photo, "JPEG", exif=metadata))
    assert (stored.text, stored.machine_made) == ("by somebody", False)


def with_part(data, **parts):
    """Put metadata into a file as they are."""
    return container_of(data).write(data, Metadata(**parts))


def test_a_damaged_exif_block_is_kept_and_reported(photo):
    beyond, many, short = (
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\0\x08\0\0",
    )
    for block in (b"XX", beyond, many, short):
        assert exif.with_entries(block, {exif.IMAGE_DESCRIPTION: b"x"}) is None
        assert exif.find(block, exif.IMAGE_DESCRIPTION) is None
    copy = write_caption(with_part(saved(photo, "JPEG"), exif=b"XX"), TEXT, writer="m")
    assert "EXIF could not be understood" in copy.notes[0]
    assert read_caption(copy.data).text == TEXT
    assert container_of(copy.data).read(copy.data).exif == b"XX"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "packet",
    [
        b"not xml at all",
        b"<x/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'.encode("utf-16"),
        b"\xff\xfe\xfd",
        OTHERS_XMP[:-5],
        b"<a>" * 100_000,
    ],
)
def test_a_packet_that_cannot_be_parsed_is_kept_and_reported(packet, kind, photo):
    if kind == "JPEG" and len(packet) > 60_000:
        packet = packet[:60_000]
    data = with_part(saved(photo, kind), xmp=packet)
    assert read_caption(data) is None
    copy = write_caption(data, TEXT, writer="m")
    assert "XMP could not be understood" in copy.notes[0]
    assert container_of(data).read(copy.data).xmp == packet
    assert read_caption(copy.data).text == TEXT  # out of EXIF


def test_a_photo_that_cannot_be_written_is_reported(photo):
    data = with_part(saved(photo, "JPEG"), xmp=b"<x/>", exif=b"XX")
    for odd in (data, with_part(saved(photo, "GIF"), xmp=b"<x/>")):
        with pytest.raises(ImageError, match="metadata are damaged"):
            write_caption(odd, TEXT)


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


RDF_BEGIN = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
HDR = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{RDF_BEGIN}<rdf:Description rdf:about="" '
    'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0">'
    '<Container:Directory xmlns:Container="http://ns.google.com/photos/1.0/container/">'
    "</Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()


def test_a_packet_keeps_every_byte_but_the_caption_s():
    new = xmp.with_properties(HDR, {"photoshop:CaptionWriter": "m"})
    added = b'<photoshop:CaptionWriter xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">m'
    assert new == HDR.replace(b"</rdf:Desc", added + b"</photoshop:CaptionWriter></rdf:Desc")
    assert xmp.with_properties(new, {"photoshop:CaptionWriter": None}) == HDR


def test_descriptions_in_other_languages_stay():
    old = (
        f'{RDF_BEGIN}<rdf:Description xmlns:d="http://purl.org/dc/elements/1.1/"><d:description>'
        '<rdf:Alt><rdf:li xml:lang="x-default">A dog</rdf:li>'
        '<rdf:li xml:lang="de">Ein Hund</rdf:li>'
        "</rdf:Alt></d:description></rdf:Description></rdf:RDF>"
    )
    new = xmp.with_properties(old.encode(), {"dc:description": "a <cat>\0"})
    assert b'<rdf:li xml:lang="de">Ein Hund</rdf:li>' in new
    assert b"A dog" not in new
    assert xmp.read_properties(new) == {"dc:description": "a <cat>"}
    gone = xmp.with_properties(new, {"dc:description": None})
    assert xmp.read_properties(gone) == {"dc:description": "Ein Hund"}


def test_other_ways_to_write_a_description_are_replaced():
    for old in (
        f"{RDF_BEGIN}<rdf:Description dc:description='old' /></rdf:RDF>",
        f"{RDF_BEGIN}<rdf:Description><dc:description>old</dc:description></rdf:Description>"
        '<rdf:Description dc:description = "old"></rdf:Description></rdf:RDF>',
    ):
        assert xmp.read_properties(old.encode())["dc:description"] == "old"
        new = xmp.with_properties(old.encode(), {"dc:description": "new"})
        assert b"old" not in new
        assert xmp.read_properties(new) == {"dc:description": "new"}


def test_what_is_added_to_a_packet_is_taken_from_its_blanks():
    old = HDR + b" " * 3000 + b'\n<?xpacket end="w"?>'
    new = xmp.with_properties(old, {"dc:description": "a" * 500})
    assert len(new) == len(old)
    assert len(xmp.with_properties(new, {"dc:description": None})) == len(old)


@pytest.mark.parametrize("blank", [b" ", b"\n", b" a", b" x:a='1'", b"<!---->", b"&#97;"])
def test_a_packet_of_blanks_and_the_like_takes_no_longer_than_another(blank):
    many = blank * (1_000_000 // len(blank))
    if blank in (b" ", b"\n"):
        tag = HDR.replace(b" rdf:about", many + b" rdf:about")
        assert xmp.with_properties(tag, {"photoshop:CaptionWriter": "m"}) is not None
    xmp.with_properties(HDR.replace(b"</rdf:Desc", many + b"</rdf:Desc"), {"dc:description": "a"})
    xmp.with_properties(HDR + many + b'<?xpacket end="w"?>', {"dc:description": "a"})


def test_a_text_in_many_pieces_is_read_and_replaced_at_once():
    pieces = "\U0001f415" + "abcd<a/>" * 90_000
    old = HDR.replace(
        b"</rdf:Desc", f"<dc:description>{pieces}</dc:description></rdf:Desc".encode()
    )
    assert xmp.read_properties(old)["dc:description"] == "\U0001f415" + "abcd" * 90_000
    many = b"<dc:description>a</dc:description>" * 25_000
    packet = HDR.replace(b"</rdf:Desc", many + b"</rdf:Desc")
    new = xmp.with_properties(packet, {"dc:description": "b"})
    assert new.count(b"<dc:description") == 1
    assert xmp.read_properties(new)["dc:description"] == "b"


def test_prefixes_mean_what_the_innermost_declaration_says():
    deep = b"".join(b"<d xmlns:p%d='u' xmlns:q='v'>" % n for n in range(90))
    siblings = deep + b"<q:a/>" * 90_000 + b"</d>" * 90
    text = b"<x:description xmlns:x='http://purl.org/dc/elements/1.1/'>a dog</x:description>"
    other = b"<x:description xmlns:x='u'>a cat</x:description>"
    packet = HDR.replace(b"</rdf:Desc", siblings + text + other + b"</rdf:Desc")
    found = xmp.read_properties(packet)
    assert found["dc:description"] == "a dog"
    assert found["x:description"] == "a cat"
    assert xmp.read_properties(packet.replace(b"<q:a/>", b"<q:a/><q:a/>")) == {}


def png_of_chunks(png):
    chunk = b"\0\0\0\0abCd" + zlib.crc32(b"abCd").to_bytes(4, "big")
    return png[:33] + chunk * 100_000 + png[33:]


MANY_PIECES = {
    "PNG": png_of_chunks,
    "JPEG": lambda jpeg: jpeg[:2] + b"\xff\xe5\0\2" * 100_001 + jpeg[2:],
    "WEBP": lambda webp: webp + b"abcd\0\0\0\0" * 100_001,
    "GIF": lambda gif: gif[:-1] + b"!\xf9\0" * 100_001 + b";",
}


@pytest.mark.parametrize("kind", MANY_PIECES)
def test_a_file_of_endless_pieces_is_refused(kind, photo):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    many = MANY_PIECES[kind](buffer.getvalue())
    assert read_caption(buffer.getvalue()) is None
    with pytest.raises(ImageError, match="more than 100,000 pieces"):
        read_caption(many)


def test_a_gif_of_endless_blocks_is_refused(photo):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "GIF")
    with pytest.raises(ImageError, match="more than 1,000,000 blocks"):
        read_caption(buffer.getvalue()[:-1] + b"!\xfe" + b"\1a" * 1_000_001 + b"\0;")


def test_filling_before_a_jpeg_marker_is_skipped_at_once():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    jpeg = write_caption(buffer.getvalue(), "a dog").data
    place = jpeg.index(b"\xff\xe1")
    assert read_caption(jpeg[:place] + b"\xff" * 20_000_000 + jpeg[place:]).text == "a dog"
    assert read_caption(jpeg[:place] + b"\xff" * 20_000_000) is None


def test_iptc_records_beyond_any_photo_s_are_no_caption():
    assert iptc.caption_of(b"\x1c\2\x78\0\1a" + b"\x1c\2\5\0\0" * 99_999) == "a"
    assert iptc.caption_of(b"\x1c\2\x78\0\1a" + b"\x1c\2\5\0\0" * 100_000) is None


def test_texts_of_a_png_are_not_unpacked_to_learn_their_language():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    png = buffer.getvalue()
    body = b"iTXtDescription\0\1\0de\0\0" + b"no zlib"
    german = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    english = german.replace(b"de\0", b"\0\0\0")
    body = english[4:-4]
    english = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    written = container_of(png).write(
        png[:33] + german + english + png[33:], Metadata(description="a dog")
    )
    assert german in written
    assert english not in written


def test_a_png_with_many_xmp_packets_is_refused(photo):
    packet = zlib.compress(b" " * 1_000_000)
    body = b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + packet
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    png = buffer.getvalue()
    assert read_caption(png[:33] + chunk * 10 + png[33:]) is None
    with pytest.raises(ImageError, match="more than 10 XMP packets"):
        read_caption(png[:33] + chunk * 11 + png[33:])


def iptc_block(*records):
    data = b"".join(
        bytes([0x1C, *kind]) + len(value).to_bytes(2, "big") + value for kind, value in records
    )
    resource = b"8BIM\x04\x04\0\0" + len(data).to_bytes(4, "big") + data + b"\0" * (len(data) % 2)
    return b"8BIM\x03\xed\x03abc\0\0\0\x02xy" + resource


UTF8, KEYWORD = ((1, 90), b"\x1b%G"), ((2, 25), b"lake")


@pytest.mark.parametrize(
    ("records", "text", "expected"),
    [
        ([UTF8, KEYWORD, ((2, 120), b"old")], "ein M\u00e4dchen", "ein M\u00e4dchen".encode()),
        ([KEYWORD, ((2, 120), b"old")], "ein M\u00e4dchen", "ein M\u00e4dchen".encode("cp1252")),
        ([KEYWORD, ((2, 120), b"old")], "\u4e00\u53ea\u72d7", None),
        ([KEYWORD], "a dog", None),
    ],
)
def test_an_old_iptc_caption_is_replaced_and_none_is_added(photo, records, text, expected):
    data = with_part(saved(photo, "JPEG"), photoshop=iptc_block(*records, ((2, 122), b"Ada")))
    copy = write_caption(data, text).data
    found = container_of(copy).read(copy).photoshop
    assert b"lake" in found
    assert b"old" not in found
    assert (expected is None) == (b"\x1c\x02\x78" not in found)
    assert expected is None or expected in found
    assert found.startswith(b"8BIM\x03\xed\x03abc\0\0\0\x02xy")
    if expected is not None:
        assert b"Ada" not in found


def test_doubt_model_and_version_travel(photo):
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        given = {"writer": "everyday", "version": "1a2b", "confidence": 0.384, "doubtful": True}
        copy = write_caption(saved(photo, kind), TEXT, **given).data
        stored = read_caption(copy)
        assert (stored.text, stored.writer, stored.confidence) == (TEXT, "everyday", 0.384)
        found = container_of(copy).read(copy)
        properties = xmp.read_properties(found.xmp)
        assert properties["captioning:ModelVersion"] == "1a2b"
        message = f"Not sure: Machine-made caption (everyday 1a2b, 38 % sure): {TEXT}"
        assert properties["dc:description"] == message
        if kind != "GIF":
            assert exif.find(found.exif, exif.IMAGE_DESCRIPTION) == message.encode()
        corrected = read_caption(write_caption(copy, TEXT).data)
        assert (corrected.machine_made, corrected.confidence) == (False, None)


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "TIFF", "PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_a_file_keeps_its_picture_alpha_depth_frames_copyright_and_date(kind, mode, photo):
    image = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    first = image if mode == "I;16" else photo.convert(mode).resize((30, 20))
    metadata = Image.Exif()
    metadata[0x8298], metadata[0x0132] = "(c) Ada", "2024:01:02 03:04:05"
    options = {"lossless": True} if kind == "WEBP" else {}
    several = {"save_all": True, "append_images": [first.transpose(1)]} if kind != "JPEG" else {}
    try:
        data = saved(first, kind, exif=metadata, **options, **several)
    except (OSError, ValueError, KeyError):
        pytest.skip("there are no such files")
    copy = write_caption(data, TEXT, writer="m")
    assert copy.notes == ()
    before, after = (Image.open(io.BytesIO(d)) for d in (data, copy.data))
    assert (after.format, after.mode) == (before.format, before.mode)
    assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)
    for number in range(getattr(before, "n_frames", 1)):
        before.seek(number)
        after.seek(number)
        assert after.tobytes() == before.tobytes()
    old, new = opened(data).getexif(), opened(copy.data).getexif()
    assert {tag: new.get(tag) for tag in (0x8298, 0x0132)} == {
        tag: old.get(tag) for tag in (0x8298, 0x0132)
    }


def test_what_a_png_copy_loses_is_reported(photo):
    from pillow_heif import register_heif_opener

    register_heif_opener()
    metadata = Image.Exif()
    metadata[0x8298], metadata[0x0112] = "(c) Ada", 6
    for kind in ("HEIF", "AVIF"):
        data = saved(photo, kind, exif=metadata.tobytes())
        copy = write_caption(data, TEXT, writer="m")
        assert copy.ending == "png"
        assert "is a PNG" in copy.notes[0]
        image = opened(copy.data)
        assert image.getexif()[0x8298] == "(c) Ada"
        assert 0x0112 not in image.getexif()
        assert image.size == read_image(data).size
    copy = write_caption(saved(photo, "BMP"), TEXT)
    assert (copy.ending, copy.notes) == ("png", ())
    assert opened(copy.data).tobytes() == photo.tobytes()


def test_exif_that_cannot_be_written_again_is_left_out(photo):
    """An image description of floating-point numbers."""
    entry = struct.pack("<HHHIf", 1, 0x010E, 11, 1, 0.5)
    data = saved(photo, "AVIF", exif=b"Exif\0\0II*\0\x08\0\0\0" + entry + bytes(4))
    copy = write_caption(data, TEXT)
    assert read_caption(copy.data).text == TEXT
    assert opened(copy.data).size == photo.size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_writing_again_and_again_does_not_grow_a_file(kind, photo):
    data = with_old_exif(photo) if kind == "JPEG" else saved(photo, kind)
    texts = ["a dog runs", "a cat", "two dogs run over a green field"]
    for text in texts:
        data = write_caption(data, text, writer="m").data
    sizes = set()
    for text in texts * 4:
        data = write_caption(data, text, writer="m").data
        assert read_caption(data).text == text
        sizes.add((text, len(data)))
    assert len(sizes) == len(texts)


def test_the_second_picture_of_a_file_of_two_is_found(photo):
    data = saved(photo, "MPO", save_all=True, append_images=[photo.transpose(1)])
    after = Image.open(io.BytesIO(write_caption(data, TEXT, writer="m").data))
    before = Image.open(io.BytesIO(data))
    for image in (before, after):
        image.seek(1)
    assert after.tobytes() == before.tobytes()


EXIFTOOL = shutil.which("exiftool")


def metadata_by_exiftool(folder, *photos, options=()):
    """Return what exiftool finds in each photo, in one process: starting it takes longest."""
    paths = [folder / str(number) for number in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        path.write_bytes(photo)
    command = [EXIFTOOL, "-json", "-a", "-G1", *options, *paths]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout)


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.process
def test_exiftool_finds_the_caption_everywhere_and_nothing_else_changed(kind, photo, tmp_path):
    packet = OTHERS_XMP.replace(b"<dc:creator", b"<dc:description xmlns:dc="
        b'"http://purl.org/dc/elements/1.1/"><rdf:Alt><rdf:li xml:lang="x-default">old</rdf:li>'
        b'<rdf:li xml:lang="fr">ancien</rdf:li></rdf:Alt></dc:description><dc:creator')  # fmt: skip
    data = with_part(with_old_exif(photo) if kind == "JPEG" else saved(photo, kind), xmp=packet)
    if kind == "JPEG":
        data = with_part(data, photoshop=iptc_block(UTF8, KEYWORD, ((2, 120), b"old")))
    new = write_caption(data, TEXT, writer="m", confidence=0.5).data
    before, after = (
        {k: v for k, v in found.items() if not k.startswith(("System", "SourceFile"))}
        for found in metadata_by_exiftool(tmp_path, data, new, options=("-x", "System:all"))
    )
    text = f"Machine-made caption (m, 50 % sure): {TEXT}"
    expected = {
        "XMP-dc:Description": text,
        "XMP-iptcCore:AltTextAccessibility": f"Machine-made caption (50 % sure): {TEXT}",
        "XMP-photoshop:CaptionWriter": "m",
        "XMP-captioning:Confidence": 0.5,
    }
    expected |= {"IFD0:ImageDescription": text} if kind != "GIF" else {}
    expected |= {"IPTC:Caption-Abstract": text} if kind == "JPEG" else {}
    assert {key: after.get(key) for key in expected} == expected
    assert "ExifTool:Warning" not in after
    assert after["XMP-dc:Description-fr"] == "ancien"
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    beside = {"PNG:Description", "RIFF:WebP_Flags", "File:ExifByteOrder", "IFD0:StripOffsets",
              "File:CurrentIPTCDigest", "PNG-pHYs:PixelUnits", "GIF:GIFVersion"}  # fmt: skip
    assert changed - set(expected) <= beside


CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.skipif(EXIFTOOL is None or not CASES.exists(), reason="the photos are not here")
@pytest.mark.parametrize("path", sorted(CASES.glob("x*/before.*")), ids=lambda p: p.parent.name)
@pytest.mark.process
def test_photos_of_other_programs_keep_what_they_say(path, tmp_path):
    data = path.read_bytes()
    before, after = metadata_by_exiftool(tmp_path, data, write_caption(data, TEXT, writer="m").data)
    kept = {k: v for k, v in before.items() if k.startswith(("XMP", "IFD0", "IPTC", "ExifIFD"))}
    lost = {key for key, value in kept.items() if after.get(key) != value}
    assert lost <= {"XMP-dc:Description", "IPTC:Caption-Abstract"}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changed_packet_keeps_or_takes_a_caption(data):
    packet = bytearray(data.draw(st.sampled_from([OTHERS_XMP, HDR])))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(packet)))
        packet[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    text = data.draw(st.text(max_size=20))
    new = xmp.with_properties(bytes(packet), {"dc:description": text})
    if new is not None:
        assert xmp.with_properties(new, {"dc:description": text}) == new
        assert len(xmp.read_properties(new)["dc:description"]) <= len(text)


@settings(max_examples=150, deadline=None)
@given(st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_any_changed_file_is_read_and_written_or_refused(data):
    photo = Image.new("RGB", (9, 7), (90, 10, 200))
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF"]))
    content = bytearray(write_caption(saved(photo, kind), "a dog", writer="m").data)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    for function in (read_caption, lambda photo: write_caption(photo, "a cat")):
        try:
            function(bytes(content))
        except ImageError as error:
            assert str(error).endswith(".")


def test_html_is_escaped_and_says_first_who_wrote():
    snippet = alt_html('a "b" <script>', 'IMG #1 50%?"a".jpg', confidence=0.2)
    assert snippet == (
        '<img src="IMG%20%231%2050%25%3F%22a%22.jpg" '
        'alt="Machine-made caption (20 % sure): a &quot;b&quot; &lt;script&gt;">'
    )
    assert 'alt="a dog"' in alt_html("a dog", "x.jpg", machine_made=False)
    assert 'src="caf%E9.jpg"' in alt_html("a dog", b"caf\xe9.jpg".decode(errors="surrogateescape"))


def test_characters_that_no_metadata_hold_are_left_out_everywhere(photo):
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        copy = write_caption(saved(photo, kind), "a\0 dog\x1b \ud800runs").data
        assert read_caption(copy).text == "a dog runs"
        found = container_of(copy).read(copy)
        assert kind == "GIF" or exif.find(found.exif, exif.IMAGE_DESCRIPTION) == b"a dog runs"
