"""Files and data sets of other people that once went wrong; each case is a folder.

They are collected outside this repository, next to it.  Without them the tests are skipped; other
tests make the same kinds of files themselves.
"""

import io
import os
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioning.batch.exports import Journal, Row
from captioning.batch.sources import open_album
from captioning.datasets import load
from captioning.datasets.splitting import with_dev
from captioning.errors import ImageError
from captioning.image_metadata import alt_html, read_caption, write_caption
from captioning.image_metadata.containers import container_of
from captioning.images import read_image
from captioning.metrics import score_captions
from captioning.text import tokenize
from captioning.training.report import check_vocabulary, unreadable_photos
from captioning.vocabulary import Vocabulary

CASES = Path(__file__).parents[3] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the collected cases")


@pytest.fixture
def copied(tmp_path):
    return lambda case: shutil.copytree(CASES / case, tmp_path / case)


def sizes(dataset):
    return [len(dataset.split(split)) for split in ("train", "dev", "test")]


DATA_SETS = {
    "d01-upper-jpg-images": (10, 20, ""),
    "d02-folder-in-name": (10, 20, ""),
    "d03-nested-images": (10, 20, ""),
    "d04-split-column-ignored": (10, 10, ""),
    "d04b-control": (10, 10, ""),
    "d06-nfd-names": (10, 20, ""),
    "d07-hf-flickr30k-csv": (10, 30, ""),
    "d09-flickr8k-cn": (10, 20, ""),
    "d10-kohya-folder": (10, 10, ""),
    "d11-metadata-jsonl": (10, 10, ""),
    "d22-hf-metadata-per-split": (11, 55, ""),
    "c01-coco-string-ids": (10, 10, ""),
    "c03-coco-own-name": (10, 10, ""),
    "k01-karpathy-2017": (10, 10, ""),
    "e01-one-bad-byte": (10, 10, "line 2"),
    "e03-gbk": (10, 10, "its encoding is probably gb18030"),
    "q02-caption-first-unquoted": (10, 10, "more cells than the first line"),
    "n01-jfif": (3, 2, ""),
    "t02-three-photos": (3, 3, ""),
}


@pytest.mark.parametrize("case", DATA_SETS)
def test_every_caption_is_read(copied, case):
    dataset = load(copied(case))
    photos, captions, told = DATA_SETS[case]
    found = sum(len(photo.captions) for photo in dataset.photos)
    assert (len(dataset), found) == (photos, captions)
    assert told in dataset.summary()
    assert min(sizes(with_dev(dataset))[:2]) > 0


SPLITS = {
    "d04-split-column-ignored": [6, 2, 2],
    "d04b-control": [6, 2, 2],
    "d07-hf-flickr30k-csv": [7, 1, 2],
    "d22-hf-metadata-per-split": [7, 2, 2],
    "k01-karpathy-2017": [4, 1, 5],
    "t02-three-photos": [1, 1, 1],
}


@pytest.mark.parametrize("case", SPLITS)
def test_the_splits_are_those_of_the_files(case):
    assert sizes(load(CASES / case)) == SPLITS[case]


def test_one_bad_byte_costs_one_character():
    captions = [photo.captions[0] for photo in load(CASES / "e01-one-bad-byte").photos]
    assert captions[0] == "a café — pr�s du “marché” à Zürich"
    assert captions[1] == "a café — près du “marché” à Zürich"


def test_chinese_saved_by_excel_is_read_as_chinese():
    assert all("一" <= photo.captions[0][0] <= "鿿" for photo in load(CASES / "e03-gbk").photos)


def test_odd_texts_are_words_without_marks():
    captions = [c for photo in load(CASES / "t01-odd-texts").photos for c in photo.captions]
    words = {word for caption in captions for word in tokenize(caption)}
    assert not [word for word in words if unicodedata.category(word[-1])[0] == "P"]
    assert {"its", "dogs", "ball", "straße"} <= words
    assert score_captions(["it’s the dog’s “ball”"], [["it's the dog's ball"]]).bleu_1 == 100


def test_chinese_has_a_vocabulary():
    captions = [c for photo in load(CASES / "t04-chinese").photos for c in photo.captions]
    vocabulary = Vocabulary.build(captions, min_count=2)
    check_vocabulary(vocabulary, 2)
    assert vocabulary.decode(vocabulary.encode(captions[0])) == captions[0].rstrip("。")


def test_photos_that_cannot_be_read_are_named(tmp_path):
    dataset, bad = load(CASES / "t12-corrupt"), {}
    for photo in dataset.photos:
        try:
            read_image(dataset.path(photo))
        except ImageError as error:
            bad[photo.name] = str(error)
    assert len(bad) == 2
    assert all(name in unreadable_photos(bad) for name in bad)


def test_a_journal_that_excel_saved_goes_on(copied):
    path = copied("b01-journal-bom") / "out.csv"
    journal = Journal(path, by="flickr8k-compact")
    assert set(journal.rows) == {"=1+1.jpg", "a.jpg", "b, c.jpg"}
    journal.add(Row("new.jpg", "a dog", -1.0, "flickr8k-compact"))
    assert len(Journal(path, by="flickr8k-compact").rows) == 4


def test_names_in_a_zip_of_macos():
    (photo,) = open_album(CASES / "b03b-zip-mac-nfd" / "photos.zip")
    assert photo.name == unicodedata.normalize("NFC", "Zürich/käse.jpg")


def test_a_name_in_html_is_an_address():
    (path,) = (CASES / "b08-alt-html-url").glob("*.jpg")
    assert 'src="IMG%20%231%2050%25.jpg"' in alt_html("a dog", path.name)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_a_name_that_is_not_utf8_costs_no_photo(tmp_path):
    photo = io.BytesIO()
    Image.new("RGB", (8, 8)).save(photo, "JPEG")
    for name in (b"a.jpg", b"caf\xe9.jpg", b"z.jpg"):
        (tmp_path / os.fsdecode(name)).write_bytes(photo.getvalue())
    journal = Journal(tmp_path / "out.csv", by="m")
    for found in open_album(tmp_path):
        journal.add(Row(found.name, "a dog", -1.0, "m"))
    assert set(Journal(journal.path, by="m").rows) == {"a.jpg", "caf\\xe9.jpg", "z.jpg"}


PICTURES = {
    "i02-12bit-png/xray.png": 90,
    "i02b-8in16-png/depth.png": 90,
    "i03-avif/photo.avif": 20,
    "i10-png-bad-crc/badcrc.png": 20,
    "n01-jfif/in/saved.jfif": 20,
    "n01-jfif/in/photo.jpe": 20,
}


@pytest.mark.parametrize("path", PICTURES)
def test_the_picture_is_seen(path):
    assert np.asarray(read_image(CASES / path)).mean() > PICTURES[path]


def test_every_ending_of_a_jpeg_is_found_in_a_folder():
    found = {photo.name for photo in open_album(CASES / "n01-jfif" / "in")}
    assert found == {"saved.jfif", "photo.jpe", "pic.mpo"}


@pytest.mark.parametrize("case", ["x01-prefixes-renamed", "x02-languages-lost"])
def test_a_packet_changes_in_its_default_caption_alone(case):
    data = (CASES / case / "before.jpg").read_bytes()
    before, after = (container_of(d).read(d).xmp for d in (data, write_caption(data, "new").data))
    for text in (b"hdrgm:", b"Container:", b"GPano:", b'xml:lang="de"', b'xml:lang="fr"', b"ns2:"):
        assert after.count(text) == before.count(text)
    assert read_caption(write_caption(data, "new").data).text == "new"


def test_an_old_iptc_caption_is_replaced():
    data = (CASES / "x03-iptc-stale" / "before.jpg").read_bytes()
    after = write_caption(data, "new").data
    assert b"Old caption by an agency" in data and b"Old caption by an agency" not in after
    assert b"\x1c\x02\x78\x00\x03new" in after and b"lake" in after


def test_a_webp_keeps_alpha_frames_copyright_and_date():
    data = (CASES / "x04-webp-loses-metadata" / "before.webp").read_bytes()
    written = write_caption(data, "new").data
    before, after = (Image.open(io.BytesIO(d)) for d in (data, written))
    assert (after.format, after.mode, after.n_frames) == ("WEBP", before.mode, before.n_frames)
    kept = {k: v for k, v in after.getexif().items() if k in before.getexif()}
    assert kept == dict(before.getexif())


def test_a_packet_without_a_declared_prefix_keeps_rating_and_city():
    data = (CASES / "x11-packet-not-wellformed" / "before.jpg").read_bytes()
    copy = write_caption(data, "new").data
    packet = container_of(copy).read(copy).xmp
    assert b'photoshop:City="Bern" xmp:Rating="5" GImage:Mime="image/jpeg"' in packet
    assert read_caption(copy).text == "new"
