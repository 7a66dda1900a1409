"""Many photos: where they come from, a row for each, the files they are kept in, the command."""

import csv
import io
import json
import os
import re
import sys
import time
import tracemalloc
import unicodedata
import zipfile

import numpy as np
import pytest
from PIL import Image

from captioning.__main__ import main
from captioning.batch import (
    PERSON,
    Journal,
    Row,
    caption_album,
    from_bytes,
    open_album,
    to_coco,
    to_csv,
    to_jsonl,
    to_texts,
)
from captioning.batch.captioning import BATCH
from captioning.captioner import Captioner
from captioning.config import DecodingConfig
from captioning.csv_text import BOM
from captioning.datasets.photo_files import photo_names
from captioning.errors import ConfigError, DatasetError, ImageError


def jpeg(number):
    random = np.random.default_rng(number)
    colours = random.integers(0, 255, (2, 2, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colours).resize((60, 40)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def tiny_bundle(write_tiny_bundle, tmp_path_factory):
    """The tiny model, made to say at least one word about every photo."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return write_tiny_bundle(folder, decoding=DecodingConfig(prefix=("the",)))


@pytest.fixture(scope="module")
def tiny_captioner(tiny_bundle):
    return Captioner.load(tiny_bundle.folder)


@pytest.fixture(scope="module")
def files():
    """Eleven photos, so that a batch is full and one is not, and two files that are none."""
    good = {f"{number:02}.jpg": jpeg(number) for number in range(11)}
    return {**good, "05b bad.jpg": b"no photo", "sub/cut.JPEG": jpeg(3)[:100]}


@pytest.fixture
def folder(files, tmp_path):
    for name, data in {**files, "notes.txt": b"-", ".hidden.jpg": b"-"}.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "photos"


def zipped(files, **settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **settings) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


@pytest.mark.slow
def test_every_photo_is_a_row_and_a_bad_file_says_why(tiny_captioner, folder, files):
    seen = {}
    rows = list(caption_album(tiny_captioner, open_album(folder), on_read=seen.__setitem__))
    assert set(seen) == {row.photo for row in rows if row.caption}
    assert {photo.size for photo in seen.values()} == {(60, 40)}
    assert [row.photo for row in rows] == sorted(files)
    for row in rows:
        bad = row.photo in ("05b bad.jpg", "sub/cut.JPEG")
        assert bool(row.error) == bad
        assert bool(row.caption) != bad
        assert not bad or row.photo.rpartition("/")[2] in row.error
    assert {row.by for row in rows} == {"tiny", ""}


def test_a_photo_that_breaks_a_step_of_its_own_costs_no_other_its_caption(tiny_captioner, files):
    def on_read(name, photo):
        if name == "03.jpg":
            raise ValueError("height must be more than 0")

    rows = list(caption_album(tiny_captioner, from_bytes(files.items()), on_read=on_read))
    assert len(rows) == len(files)
    (odd,) = [row for row in rows if row.photo == "03.jpg"]
    assert "'03.jpg' cannot be captioned (height must be more than 0)" in odd.error


def test_a_zip_of_a_version_to_come_is_refused_with_a_sentence():
    content = bytearray(zipped({"a.jpg": b"-"}).getvalue())
    content[content.index(b"PK\1\2") + 6] = 250  # needs version 25 to be unpacked
    with pytest.raises(ImageError, match="version 25"):
        open_album(io.BytesIO(bytes(content)))


def test_every_ending_of_a_photo_counts_in_a_folder(tmp_path):
    for name in ("a.jfif", "b.JPE", "c.avif", "d.HEIC", "e.mpo", "f.txt", "g.jpg.txt"):
        (tmp_path / name).write_bytes(b"-")
    names = ["a.jfif", "b.JPE", "c.avif", "d.HEIC", "e.mpo"]
    assert [photo.name for photo in open_album(tmp_path)] == names
    assert photo_names(tmp_path) == names


def test_a_row_says_what_the_photo_says_alone(tiny_captioner, files):
    decoding = DecodingConfig(beam_width=2, banned_words=("red",))
    rows = list(caption_album(tiny_captioner, from_bytes(files.items()), decoding))
    for row in rows:
        if row.caption:
            with Image.open(io.BytesIO(files[row.photo])) as photo:
                alone = tiny_captioner.caption(photo.convert("RGB"), decoding)
            assert row.caption == alone.sentence
            assert row.log_prob == pytest.approx(alone.log_prob, abs=1e-3)


def test_folder_zip_and_files_in_memory_hold_the_same(folder, files, tmp_path):
    path = tmp_path / "photos.zip"
    path.write_bytes(zipped(files).getvalue())
    for album in (
        open_album(folder),
        open_album(path),
        open_album(str(path)),
        from_bytes(files.items()),
    ):
        found = {photo.name: photo.read() for photo in album}
        assert found == files
    single = folder / "03.jpg"
    assert [(p.name, p.read()) for p in open_album(single)] == [("03.jpg", files["03.jpg"])]


def test_a_zip_may_lie_and_writes_nothing(tiny_captioner, tmp_path, monkeypatch):
    monkeypatch.setattr("captioning.batch.sources.MAX_BYTES", 5_000)
    archive = zipped(
        {"../../evil.jpg": jpeg(1), "bomb.png": b"\0" * 1_000_000, "__MACOSX/x.jpg": b"-"},
        compression=zipfile.ZIP_DEFLATED,
    )
    before = set(tmp_path.rglob("*"))
    rows = {row.photo: row for row in caption_album(tiny_captioner, open_album(archive))}
    assert set(rows) == {"../../evil.jpg", "bomb.png"}
    assert rows["../../evil.jpg"].caption
    assert "larger than" in rows["bomb.png"].error
    assert set(tmp_path.rglob("*")) == before
    names = zipfile.ZipFile(io.BytesIO(to_texts(rows.values()))).namelist()
    assert names == ["evil.txt"]


def test_a_damaged_member_is_a_row_and_a_damaged_zip_an_error(tiny_captioner, tmp_path):
    data = bytearray(zipped({"a.jpg": jpeg(1), "b.jpg": jpeg(2)}).getvalue())
    data[60] ^= 0xFF
    first, second = caption_album(tiny_captioner, open_album(io.BytesIO(bytes(data))))
    assert "a.jpg" in first.error
    assert second.caption
    with pytest.raises(ImageError, match="zip cannot be read"):
        open_album(io.BytesIO(b"PK nonsense"))
    with pytest.raises(ImageError, match="no file or folder"):
        open_album(tmp_path / "nowhere")


def test_photos_of_one_name_are_distinguished():
    album = from_bytes([("a.jpg", b"1"), ("a.jpg", b"2"), ("b.jpg", b"3"), ("a.jpg", b"4")])
    assert {p.name: p.read() for p in album} == {
        "a.jpg": b"1", "a (2).jpg": b"2", "b.jpg": b"3", "a (3).jpg": b"4",
    }  # fmt: skip
    names = ("x/a (2).jpg", "x/a.jpg", "x/a.jpg", "x/a.jpg")
    assert [p.name for p in from_bytes([(name, b"") for name in names])] == [
        "x/a (2).jpg", "x/a.jpg", "x/a (3).jpg", "x/a (4).jpg",
    ]  # fmt: skip


def test_many_photos_of_one_name_are_distinguished_quickly():
    started = time.process_time()
    album = from_bytes([("a.jpg", b"")] * 5000 + [("a (2).jpg", b"")] * 5000)
    assert len(album) == 10_000
    assert time.process_time() - started < 5


def test_a_name_of_many_marks_is_read_quickly():
    started = time.process_time()
    name = "a" + "\u0301" * 15_900 + "\u0327" * 15_900 + ".jpg"
    album = open_album(zipped({f"{number}{name}": b"" for number in range(30)}))
    assert len(album) == 30
    assert time.process_time() - started < 5


def test_rows_come_while_later_photos_wait_and_only_a_few_are_read(tiny_captioner, files):
    read = []
    album = [
        type(p)(p.name, lambda p=p: read.append(p.name) or p.read())
        for p in from_bytes((f"{i}.jpg", files["00.jpg"]) for i in range(10 * BATCH))
    ]
    rows = caption_album(tiny_captioner, album)
    next(rows)
    assert len(read) <= 2 * BATCH
    rows.close()
    assert len(read) <= 3 * BATCH


@pytest.mark.slow
def test_photos_do_not_pile_up(tiny_captioner, tmp_path):
    """Forty photos of 2 megapixels are 240 MB of pixels; a few are in memory at a time."""
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 1000), (30, 90, 200)).save(buffer, "JPEG")
    path = tmp_path / "one.jpg"
    path.write_bytes(buffer.getvalue())
    photo = open_album(path)[0]
    album = [type(photo)(f"{i}.jpg", photo.read) for i in range(40)]
    tracemalloc.start()
    assert all(row.caption for row in caption_album(tiny_captioner, album))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30e6


def test_done_photos_are_left_out_and_a_stop_is_heard(tiny_captioner, files):
    album = from_bytes(files.items())
    rows = list(caption_album(tiny_captioner, album, done={"00.jpg", "07.jpg"}))
    assert len(rows) == len(files) - 2
    assert not {"00.jpg", "07.jpg"} & {row.photo for row in rows}
    assert len(list(caption_album(tiny_captioner, album, should_stop=lambda: True))) == BATCH
    assert list(caption_album(tiny_captioner, [])) == []


def test_a_wish_the_model_cannot_meet_stops_the_batch(tiny_captioner, files):
    with pytest.raises(ConfigError, match="zebra"):
        list(
            caption_album(
                tiny_captioner, from_bytes(files.items()), DecodingConfig(required_words=("zebra",))
            )
        )


ROWS = [
    Row(
        "COCO_val2014_000000391895.jpg", "a man, on a bike", -3.25, "m", "", 0.1, 0.82, True, "sure"
    ),
    Row('dir/a "b".jpg', "two dogs", -1.0, "m"),
    Row('dir/a "b".png', "two cats", -1.5, "m"),
    Row("bad\nname.jpg", error='The photo "x", is damaged.'),
    Row("0042.jpg", "x").corrected("by hand"),
    Row("silent.jpg", "", 0.0, "m"),
]


def test_a_correction_is_a_persons():
    row = ROWS[0].corrected("a woman on a bike")
    assert (row.photo, row.caption, row.by, row.log_prob) == (
        ROWS[0].photo, "a woman on a bike", PERSON, None,
    )  # fmt: skip


def test_exports_are_read_back_by_other_readers():
    table = list(csv.DictReader(io.StringIO(to_csv(ROWS).removeprefix(BOM), newline="")))
    assert [line["photo"] for line in table] == [row.photo for row in ROWS]
    assert [line["caption"] for line in table] == [row.caption for row in ROWS]
    assert [line["error"] for line in table] == [row.error for row in ROWS]
    assert [float(line["log_prob"]) for line in table[:3]] == [-3.25, -1.0, -1.5]
    assert [line["by"] for line in table] == ["m", "m", "m", "", PERSON, "m"]
    assert [json.loads(line) for line in to_jsonl(ROWS).splitlines()] == [r.to_dict() for r in ROWS]
    assert json.loads(to_coco(ROWS)) == [
        {"confidence": None, "familiar": None, **result}
        for result in [
            {
                "image_id": 391895,
                "caption": "a man, on a bike",
                "confidence": 0.82,
                "familiar": True,
            },
            {"image_id": 'dir/a "b".jpg', "caption": "two dogs"},
            {"image_id": 'dir/a "b".png', "caption": "two cats"},
            {"image_id": 42, "caption": "by hand"},
        ]
    ]
    with zipfile.ZipFile(io.BytesIO(to_texts(ROWS))) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert texts == {
        "COCO_val2014_000000391895.txt": "a man, on a bike\n",
        'dir/a "b".jpg.txt': "two dogs\n",
        'dir/a "b".png.txt': "two cats\n",
        "0042.txt": "by hand\n",
    }


def test_a_journal_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "new" / "captions.csv"
    journal = Journal(path, by="m")
    for row in ROWS:
        journal.add(row)
    assert path.read_text(encoding="utf-8") == to_csv(ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole + b'half.jpg,"a line that was never')
    again = Journal(path, by="m")
    captioned = [row for row in ROWS if not row.error]
    assert list(again.rows.values()) == captioned
    again.add(Row("half.jpg", "a dog", -1.0, "m"))
    assert path.read_text(encoding="utf-8") == to_csv(
        [*captioned, Row("half.jpg", "a dog", -1.0, "m")]
    )


def as_excel(text, delimiter):
    table = list(csv.reader(io.StringIO(text.removeprefix(BOM), newline="")))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(
        [
            c.replace(".", ",") if re.fullmatch(r"-?\d+\.\d+", c) else c.replace("True", "TRUE")
            for c in row
        ]
        for row in table
    )
    return out.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_a_journal_that_excel_saved_is_read_and_goes_on(tmp_path, delimiter, encoding):
    rows = [
        *ROWS[:3],
        Row("=1+1.jpg", "-a café", -1.0, "m", seconds=0.2),
        Row("'-x.jpg", "x", -1.0, "m"),
    ]
    path = tmp_path / "captions.csv"
    path.write_bytes(as_excel(to_csv(rows), delimiter).encode(encoding))
    assert list(Journal(path, by="m").rows.values()) == rows
    assert path.read_text(encoding="utf-8") == to_csv(rows)


def test_no_cell_of_a_csv_is_a_formula():
    text = to_csv([Row("=1+1.jpg", "@a", -1.0, "m"), Row("-b.jpg", "+c", -1.0, "m")])
    assert text.startswith(BOM + "photo,caption")
    assert "\n'=1+1.jpg,'@a,-1.0," in text
    assert "\n'-b.jpg,'+c,-1.0," in text


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
def test_names_that_are_not_utf8_are_captioned_and_found_again(tmp_path, files):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.jpg")).write_bytes(files["00.jpg"])
    (photo,) = open_album(folder)
    assert photo.name == "caf\\xe9.jpg"
    assert photo.read() == files["00.jpg"]
    Journal(tmp_path / "out.csv", by="m").add(Row(photo.name, "a dog", -1.0, "m"))
    assert set(Journal(tmp_path / "out.csv", by="m").rows) == {photo.name}


def test_a_zip_of_macos_has_the_names_of_its_files(tmp_path, files):
    path = tmp_path / "mac.zip"
    name = unicodedata.normalize("NFD", "Zürich/käse.jpg")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x" * len(name.encode()), files["00.jpg"])
    # As macOS packs them: UTF-8, and no flag that says so.
    path.write_bytes(path.read_bytes().replace(b"x" * len(name.encode()), name.encode()))
    (photo,) = open_album(path)
    assert photo.name == "Zürich/käse.jpg"
    assert photo.read() == files["00.jpg"]


def test_a_journal_of_an_older_version_gains_the_new_columns(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("photo,caption,log_prob,by,error,seconds\na.jpg,a dog,-1.0,m,,0.2\n")
    row = Row("a.jpg", "a dog", -1.0, "m", "", 0.2)
    assert list(Journal(path, by="m").rows.values()) == [row]
    assert path.read_text(encoding="utf-8") == to_csv([row])


def test_a_journal_never_overwrites_what_is_not_its_own(tmp_path):
    path = tmp_path / "captions.csv"
    for content, message in [
        ("name,phone\nada,1\n", "no file of captions"),
        (to_csv(ROWS), "written by the model 'm'"),
        (to_csv(ROWS[:2]) + "a.jpg,a dog,much,other,,0\n", "line 4 is damaged"),
        (to_csv(ROWS[:2]) + f"a.jpg,{'a' * 200_000},-1.0,m,,0\n", "line 4 is damaged"),
        (f"photo,caption,{'a' * 200_000}\n", "line 1 is damaged"),
    ]:
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DatasetError, match=message):
            Journal(path, by="other")
        assert path.read_text(encoding="utf-8") == content
    with pytest.raises(DatasetError, match="cannot be"):
        Journal(tmp_path, by="m")


def test_the_command_writes_a_row_a_photo_and_goes_on(tiny_bundle, folder, files, tmp_path, capsys):
    out = tmp_path / "captions.csv"
    command = ["caption", str(folder), "--model", str(tiny_bundle.folder), "--out", str(out)]
    assert main(command) == 1  # two files are no photos
    message = capsys.readouterr().err
    assert "'05b bad.jpg'" in message
    assert "11 of 13 photos" in message
    lines = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig"))))
    assert [line["photo"] for line in lines] == sorted(files)
    (folder / "05b bad.jpg").write_bytes(files["00.jpg"])
    (folder / "sub" / "cut.JPEG").unlink()
    kept = {line["photo"]: line for line in lines if line["caption"]}
    assert main(command) == 0
    assert "12 of 12 photos" in capsys.readouterr().err
    again = {
        line["photo"]: line
        for line in csv.DictReader(io.StringIO(out.read_text(encoding="utf-8-sig")))
    }
    assert set(again) == {*kept, "05b bad.jpg"}
    assert {name: again[name] for name in kept} == kept  # not written anew
    assert again["05b bad.jpg"]["caption"] == kept["00.jpg"]["caption"]


def test_the_command_steers(tiny_bundle, folder, capsys):
    photo = str(folder / "01.jpg")
    command = ["caption", photo, "--model", str(tiny_bundle.folder)]
    assert main([*command, "--must", "green", "--begin", "the two", "--without", "red"]) == 0
    words = capsys.readouterr().out.lower().rstrip(".\n").split()
    assert words[:2] == ["the", "two"]
    assert "green" in words
    assert "red" not in words
    drawn = []
    for seed in ("1", "1", "2", "3"):
        assert main([*command, "--sample", "--seed", seed, "--temperature", "3", "--json"]) == 0
        drawn.append(json.loads(capsys.readouterr().out)["caption"])
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert main([*command, "--must", "zebra"]) == 1
    assert "does not know the word 'zebra'" in capsys.readouterr().err
    assert main(["caption", str(folder / "sub" / "none"), photo, "--model", command[-1]]) == 1
    assert f"{photo}: " in capsys.readouterr().out


def test_photos_may_follow_words_and_come_from_standard_input(
    tiny_bundle, folder, files, capsys, monkeypatch
):
    photo = str(folder / "01.jpg")
    command = ["caption", "--model", str(tiny_bundle.folder), "--must", "green"]
    assert main([*command, photo]) == 0
    from_file = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(files["01.jpg"])))
    assert main([*command, "-"]) == 0
    assert capsys.readouterr().out == from_file
    with pytest.raises(SystemExit):
        main(command)
    assert "required: PHOTO" in capsys.readouterr().err


def test_rows_are_printed_and_written_at_once(tiny_bundle, folder, tmp_path, capsys):
    out = tmp_path / "captions.csv"
    photo = str(folder / "01.jpg")
    command = ["caption", photo, "--model", str(tiny_bundle.folder), "--out", str(out), "--json"]
    assert main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    (kept,) = Journal(out, by="tiny").rows.values()
    assert printed == kept.to_dict()


def test_photos_are_found_by_a_sentence(tiny_bundle, folder, capsys):
    command = ["find", "the red circle", str(folder), "--model", str(tiny_bundle.folder)]
    assert main([*command, "--count", "3", "--json"]) == 0
    message = capsys.readouterr()
    found = [json.loads(line) for line in message.out.splitlines()]
    assert len(found) == 3
    assert [hit["gain"] for hit in found] == sorted((hit["gain"] for hit in found), reverse=True)
    assert "'05b bad.jpg'" in message.err
    assert main(["find", "xyzzy", *command[2:]]) == 1
    assert "knows no word" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["captoin", "a.jpg"], "caption"),
        (["caption", "--beem-width", "3", "a.jpg"], "--beam-width"),
        (["data", "verfy", "x"], "verify"),
    ],
)
def test_the_nearest_command_or_option_is_named(arguments, meant, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert f"Did you mean {meant}?" in capsys.readouterr().err
