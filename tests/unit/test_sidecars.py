"""XMP sidecars, judged by exiftool, and whose words a photo or a sidecar carries."""

import io
import json
import shutil
import subprocess

import pytest
from PIL import Image, PngImagePlugin

from captioning.errors import ImageError
from captioning.image_metadata import has_words_of_a_person, write_caption, write_sidecar

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")
FACTS = {"writer": "everyday", "version": "ab12", "confidence": 0.5}
DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="4"
   darktable:xmp_version="5">
   <darktable:history><rdf:Seq><rdf:li darktable:num="0"/></rdf:Seq></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


def saved(kind="JPEG", **settings):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (30, 90, 200)).save(buffer, kind, **settings)
    return buffer.getvalue()


def exiftool(*arguments):
    return subprocess.run([EXIFTOOL, *arguments], capture_output=True, check=True).stdout


@needs_exiftool
@pytest.mark.parametrize("old", [None, DARKTABLE], ids=["new", "darktable"])
@pytest.mark.process
def test_exiftool_reads_the_caption_of_a_sidecar(old, tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    path.write_bytes(write_sidecar(old, "A dog & a cat run.", **FACTS))
    (found,) = json.loads(exiftool("-json", "-G1", path))
    marked = "Machine-made caption (everyday ab12, 50 % sure): A dog & a cat run."
    assert found["XMP-dc:Description"] == marked
    assert found["XMP-photoshop:CaptionWriter"] == "everyday"
    assert old is None or found["XMP-xmp:Rating"] == 4
    assert set(exiftool("-s3", "-Validate", path).split()) == {b"OK"}


def test_an_old_sidecar_is_edited_and_not_written_again():
    new = write_sidecar(DARKTABLE, "A dog.", **FACTS)
    place = new.index(b"<dc:description")
    assert DARKTABLE.startswith(new[:place])
    assert new.endswith(DARKTABLE[place:])
    assert write_sidecar(new, "A dog.", **FACTS) == new
    with pytest.raises(ImageError, match="sidecar is damaged"):
        write_sidecar(b"<x:xmpmeta", "A dog.")


def test_what_this_program_wrote_is_no_persons():
    photo = write_caption(saved(), "A dog.", **FACTS, doubtful=True).data
    sidecar = write_sidecar(None, "A dog.", writer="m", doubtful=True)
    assert not has_words_of_a_person(photo=photo, sidecar=sidecar)
    assert not has_words_of_a_person(photo=saved(), sidecar=DARKTABLE)
    assert has_words_of_a_person(photo=write_caption(saved(), "Ada at the sea").data)
    assert has_words_of_a_person(sidecar=write_sidecar(None, "Ada at the sea"))


@pytest.mark.parametrize("text", [b"OLYMPUS DIGITAL CAMERA         ", b"   ", b""])
def test_what_cameras_write_is_no_persons(text):
    exif = Image.Exif()
    exif[0x010E] = text
    assert not has_words_of_a_person(photo=saved(exif=exif))


def test_a_description_in_a_png_or_a_heic_is_a_persons():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Description", "Ada at the sea")
    assert has_words_of_a_person(photo=saved("PNG", pnginfo=texts))
    exif = Image.Exif()
    exif[0x010E] = "Ada at the sea"
    assert has_words_of_a_person(photo=saved("AVIF", exif=exif))
    assert not has_words_of_a_person(photo=saved("AVIF"))
    assert not has_words_of_a_person(photo=saved()[:60])


@needs_exiftool
@pytest.mark.parametrize(
    "tag",
    [
        "XMP-dc:Description",
        "XMP-dc:Description-de",
        "XMP-iptcCore:AltTextAccessibility",
        "IPTC:Caption-Abstract",
        "EXIF:ImageDescription",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.process
def test_a_description_by_another_program_is_a_persons(tag, kind, tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(saved(kind))
    exiftool("-q", f"-{tag}=Ada at the sea", path)
    assert has_words_of_a_person(photo=path.read_bytes())
