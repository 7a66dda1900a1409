"""Captions for a whole library: where they are written, what is left alone, and the way back."""

import csv
import io
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from library_worker import QuickCaptioner, caption
from PIL import Image

from captioning.__main__ import main
from captioning.batch import photo_names
from captioning.batch.captioning import Row
from captioning.batch.library import (
    LibraryLog,
    MinConfidence,
    caption_library,
    changes,
    form_of,
    log,
    log_folder,
    undo,
)
from captioning.batch.library.changes import make_patch, old_from_patch
from captioning.config import DecodingConfig
from captioning.errors import ConfigError, DatasetError, StorageError
from captioning.image_metadata import read_caption, write_caption, write_sidecar

FILES = ("sidecar", "embed", "txt")
WORKER = Path(__file__).with_name("library_worker.py")


def photo(brightness=200, kind="JPEG", size=(30, 20)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (brightness,) * 3).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Eleven photos, so that a batch is full and one is not."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number in range(11):
        name = f"{'sub/' if number % 3 == 0 else ''}{number:02}.jpg"
        (folder / name).write_bytes(photo(20 * number))
    return folder


def content(folder):
    """Every file with its bytes, time of change and permissions."""
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


def results(outcomes):
    return {outcome.row.photo: outcome.result for outcome in outcomes}


def log_of(folder, form):
    table = folder / "captions.csv" if form == "csv" else None
    return LibraryLog(log_folder(folder, form, table), lambda result, row: result == "written")


def undone(folder, form):
    table = folder / "captions.csv" if form == "csv" else None
    found = undo(log_of(folder, form), table=table)
    return {Path(file).name for file in found.restored}, {Path(f).name for f in found.changed}


# Where captions are written, and the way back


def test_a_caption_is_written_in_each_form(folder):
    for form in (*FILES, "csv"):
        assert set(results(caption(folder, form)).values()) == {"written"}
    stored = read_caption((folder / "05.jpg").read_bytes())
    assert (stored.text, stored.machine_made, stored.writer) == ("Brightness 100.", True, "quick")
    sidecar = (folder / "sub" / "03.jpg.xmp").read_text()
    assert "Not sure: Machine-made caption (quick 0a, 24 % sure): Brightness 60." in sidecar
    assert (folder / "05.txt").read_text() == "Brightness 100.\n"
    text = (folder / "captions.csv").read_text(encoding="utf-8-sig")
    rows = {row["photo"]: row["caption"] for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 11
    assert rows["sub/03.jpg"] == "Brightness 60."


@pytest.mark.parametrize("form", [*FILES, "csv"])
def test_undo_restores_every_byte_time_and_permission(folder, form):
    for name, kind in (("a.png", "PNG"), ("b.webp", "WEBP"), ("c.gif", "GIF"), ("d.tif", "TIFF")):
        (folder / name).write_bytes(photo(90, kind, (300, 200)))
    old = folder / "01.jpg.xmp"
    old.write_bytes(write_sidecar(None, "Brightness 1.", writer="other", version="1"))
    for path in (old, folder / "02.jpg"):
        path.chmod(0o640)
        os.utime(path, ns=(1_500_000_000_000_000_123, 1_500_000_000_000_000_123))
    before = content(folder)
    assert set(results(caption(folder, form)).values()) == {"written"}
    after = content(folder)
    assert after != before
    assert {name: values[2] for name, values in after.items() if name in before} == {
        name: values[2] for name, values in before.items()
    }
    restored, changed = undone(folder, form)
    assert len(restored) == (1 if form == "csv" else 15)
    assert not changed
    assert content(folder) == before
    assert undone(folder, form) == (set(), set())


def test_undo_goes_back_over_two_models(folder):
    before = content(folder)
    caption(folder, "sidecar")
    again = caption(folder, "sidecar", QuickCaptioner("other"), is_done=lambda result, row: False)
    assert set(results(again).values()) == {"written"}
    assert b"other" in (folder / "05.jpg.xmp").read_bytes()
    assert len(undone(folder, "sidecar")[0]) == 11
    assert content(folder) == before


@pytest.mark.parametrize("form", FILES)
def test_undo_leaves_what_was_changed_since(folder, form):
    caption(folder, form)
    path = folder / {"sidecar": "05.jpg.xmp", "embed": "05.jpg", "txt": "05.txt"}[form]
    path.write_bytes(path.read_bytes() + b" ")
    kept = path.read_bytes()
    restored, changed = undone(folder, form)
    assert (len(restored), changed) == (10, {path.name})
    assert path.read_bytes() == kept
    assert undone(folder, form) == (set(), {path.name})
    path.write_bytes(kept[:-1])
    assert undone(folder, form) == ({path.name}, set())


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud83d.jpg", "a" * 5_000])
def test_a_log_with_an_impossible_name_is_reported(folder, name):
    caption(folder, "txt")
    with (log_folder(folder, "txt", None) / "log.jsonl").open("a") as file:
        file.write(json.dumps({"changes": [[name, "12", "34", 0, 5, 0, 0]]}) + "\n")
    with pytest.raises(StorageError, match="cannot be read") as caught:
        undone(folder, "txt")
    assert len(str(caught.value)) < 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
@pytest.mark.parametrize("file", ["log.jsonl", "before.bin", "05.jpg"])
def test_a_pipe_in_place_of_a_file_is_reported(folder, file):
    caption(folder, "embed")
    path = (folder if file == "05.jpg" else log_folder(folder, "embed", None)) / file
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StorageError, match="pipe"):
        undone(folder, "embed")


def test_a_log_with_a_line_longer_than_any_is_reported(folder, monkeypatch):
    caption(folder, "txt")
    monkeypatch.setattr(log, "_MAX_LINE", 30)
    with pytest.raises(StorageError, match="too long"):
        log_of(folder, "txt")


def test_undo_of_many_changes_is_written_in_lines_of_some(folder, monkeypatch):
    monkeypatch.setattr(log, "_ROWS", 2)
    caption(folder, "txt")
    for path in folder.glob("**/*.txt"):
        path.write_text("changed since")
    assert len(undone(folder, "txt")[1]) == 11
    lines = (log_folder(folder, "txt", None) / "log.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["changes"]) for line in lines] == [2] * 5 + [1]
    assert len(log_of(folder, "txt").changes()) == 11


def test_undo_waits_for_nobody(folder):
    caption(folder, "sidecar")
    with (
        log_of(folder, "sidecar").working({}),
        pytest.raises(StorageError, match="Stop it before"),
    ):
        undone(folder, "sidecar")


@given(st.binary(max_size=2000), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=80))))
def test_the_old_bytes_come_back_from_any_new_ones(old, edits):
    new = old
    for place, text in edits:
        new = new[:place] + text + new[place + len(text) // 2 :]
    assert old_from_patch(make_patch(old, new), new) == old


def test_a_search_for_the_way_back_ends(monkeypatch):
    """Each piece of the old file is looked for in all of the new one."""
    monkeypatch.setattr(changes, "_MAX_SEARCHED", 3_000_000)
    pieces = random.Random(1)
    old, kept = pieces.randbytes(1_000_000), pieces.randbytes(1_000_000)
    new = kept + b"x" + old[-1_000:]
    assert old_from_patch(make_patch(old, new), new) == old
    monkeypatch.setattr(changes, "_MAX_SEARCHED", 10**12)
    assert len(make_patch(old[:50_000] + kept, new)) < 60_000


@pytest.mark.parametrize("pieces", [[(1, 100_000)] * 21, [(0, 2_500_000)]])
def test_a_way_back_to_a_giant_file_is_refused(pieces, monkeypatch):
    monkeypatch.setattr(changes, "_MAX_OLD", 2_000_000)
    packed = zlib.compress(b"".join(struct.pack("<QQ", *piece) for piece in pieces))
    if pieces[0][0] == 0:
        packer = zlib.compressobj(1)
        parts = [packer.compress(struct.pack("<QQ", *pieces[0]))]
        packed = b"".join([*parts, *(packer.compress(bytes(10**5)) for _ in range(25))])
    with pytest.raises(StorageError, match="damaged"):
        old_from_patch(packed, bytes(100_000))


def test_the_way_back_is_small():
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        buffer = io.BytesIO()
        Image.effect_noise((600, 400), 90).convert("RGB").save(buffer, kind)
        old = buffer.getvalue()
        new = write_caption(old, "A dog.", writer="m").data
        assert old_from_patch(make_patch(old, new), new) == old
        assert len(make_patch(old, new)) < 500 < len(old) / 50


# What is left alone


def test_the_words_of_people_survive(folder):
    (folder / "01.jpg.xmp").write_bytes(write_sidecar(None, "Ada at the sea"))
    (folder / "02.jpg").write_bytes(write_caption(photo(), "Ada in the garden").data)
    (folder / "04.xmp").write_bytes(write_sidecar(None, "Lightroom's words"))
    (folder / "05.txt").write_text("Ada runs")
    before = content(folder)
    left = {
        form: {name for name, result in results(caption(folder, form)).items() if result == "left"}
        for form in ("sidecar", "txt", "embed")
    }
    assert left == {
        "sidecar": {"01.jpg", "02.jpg", "04.jpg"},
        "embed": {"02.jpg"},
        "txt": {"05.jpg"},
    }
    after = content(folder)
    for name in ("01.jpg.xmp", "02.jpg", "04.xmp", "05.txt"):
        assert after[name] == before[name]
    assert "04.jpg.xmp" not in after


def test_a_sidecar_of_lightroom_without_words_is_used(folder):
    (folder / "04.xmp").write_bytes(write_sidecar(None, "").replace(b"description", b"title"))
    caption(folder, "sidecar")
    assert b"Brightness 80." in (folder / "04.xmp").read_bytes()
    assert not (folder / "04.jpg.xmp").exists()


def test_text_files_of_photos_that_share_a_stem_keep_the_ending(folder):
    (folder / "05.png").write_bytes(photo(255, "PNG"))
    caption(folder, "txt")
    assert (folder / "05.jpg.txt").read_text() == "Brightness 100.\n"
    assert (folder / "05.png.txt").read_text() == "Brightness 255.\n"
    assert not (folder / "05.txt").exists()


@pytest.mark.parametrize("form", [*FILES, "csv"])
def test_a_photo_that_cannot_be_captioned_stops_no_other(folder, form):
    (folder / "01.jpg").write_bytes(b"no photo")
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    outcomes = caption(folder, form)
    assert [o.row.photo for o in outcomes if o.result == "failed"] == ["01.jpg", "gone.jpg"]
    assert all(o.row.error for o in outcomes if o.result == "failed")
    assert len(outcomes) == 12
    (folder / "01.jpg").write_bytes(photo())
    assert results(caption(folder, form)) == {"01.jpg": "written", "gone.jpg": "failed"}


def test_a_caption_is_not_written_into_what_it_does_not_fit_in(folder, tmp_path):
    (folder / "a.bmp").write_bytes(photo(kind="BMP"))
    (tmp_path / "elsewhere.jpg").write_bytes(photo())
    (folder / "b.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (folder / "05.jpg.xmp").write_bytes(b"<x:xmpmeta")
    before = photo()
    found = results(caption(folder, "embed"))
    assert (found["a.bmp"], found["b.jpg"]) == ("failed", "failed")
    assert (tmp_path / "elsewhere.jpg").read_bytes() == before
    found = results(caption(folder, "sidecar"))
    assert (found["a.bmp"], found["b.jpg"], found["05.jpg"]) == ("written", "written", "failed")
    assert (folder / "05.jpg.xmp").read_bytes() == b"<x:xmpmeta"


@pytest.mark.parametrize(
    ("least", "written"),
    [("not sure", 11), ("fairly-sure", 7), ("sure", 3), ("0.5", 4), ("1", 0), ("0", 11)],
)
def test_captions_below_the_minimum_confidence_are_not_written(folder, least, written):
    found = results(caption(folder, "sidecar", min_confidence=MinConfidence.parse(least)))
    assert sum(result == "written" for result in found.values()) == written
    assert sum(result == "unsure" for result in found.values()) == 11 - written
    assert len(list(folder.rglob("*.xmp"))) == written


def test_a_minimum_confidence_is_a_level_or_a_share():
    for text in ("very", "1.5", "nan"):
        with pytest.raises(ConfigError, match="sure, fairly sure, not sure or a number"):
            MinConfidence.parse(text)
    row = Row("a.png", "a chart", confidence=0.9, level="sure", kind="chart")
    assert not MinConfidence.parse("0.5").allows(row)


# Going on, and sharing the work


def test_a_finished_library_is_not_looked_at_again(folder, monkeypatch):
    caption(folder, "sidecar")
    before = content(folder)

    def read(path):
        raise AssertionError(path)

    monkeypatch.setattr("captioning.batch.library.run.read_photo_file", read)
    assert caption(folder, "sidecar") == []
    assert content(folder) == before


def started(folder, form, seconds):
    return subprocess.Popen(
        [sys.executable, WORKER, folder, form, str(seconds)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def many(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(80):
        (folder / f"{number:02}.jpg").write_bytes(photo(number))
    return folder


def photos_in(table):
    text = table.read_text(encoding="utf-8-sig")
    return [row["photo"] for row in csv.DictReader(io.StringIO(text))]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["sidecar", "csv"])
@pytest.mark.process
def test_two_processes_share_the_work(many, form):
    workers = [started(many, form, 0.2) for _ in range(2)]
    written = [worker.communicate(timeout=100)[0].split("\n")[:-1] for worker in workers]
    assert sorted(written[0] + written[1]) == [f"{number:02}.jpg written" for number in range(80)]
    if form == "csv":
        assert sorted(photos_in(many / "captions.csv")) == photo_names(many)
    else:
        assert len(list(many.glob("*.xmp"))) == 80


@pytest.mark.slow
@pytest.mark.parametrize("form", ["sidecar", "csv"])
@pytest.mark.process
def test_a_killed_process_costs_nothing(many, form):
    worker = started(many, form, 0.2)
    log = log_folder(many, form, many / "captions.csv" if form == "csv" else None) / "log.jsonl"
    while not (log.exists() and log.read_bytes().count(b'{"done"') >= 2):
        assert worker.poll() is None
        time.sleep(0.02)
    worker.kill()
    worker.communicate()
    done = log_of(many, form).results
    assert 16 <= len(done) < 80
    rest = results(caption(many, form))
    assert not set(rest) & set(done)
    assert {*rest, *done} == set(photo_names(many))
    if form == "csv":
        assert sorted(photos_in(many / "captions.csv")) == photo_names(many)
    undone(many, form)
    assert {path.suffix for path in many.iterdir()} == {".jpg"}


def test_a_claim_counts_while_its_process_lives(folder):
    first, second = log_of(folder, "sidecar"), log_of(folder, "sidecar")
    names = photo_names(folder)
    with second.working({}):
        with first.working({}):
            assert first.claim(first.unclaimed(names), 8) == names[:8]
            waiting = second.unclaimed(names)
            assert second.claim(waiting, 3) == names[8:]
        assert second.claim(waiting, 8) == names[:8]


def test_a_line_cut_by_a_kill_is_passed_over(folder):
    caption(folder, "sidecar")
    file = log_folder(folder, "sidecar") / "log.jsonl"
    with file.open("ab") as log:
        log.write(b'{"done": [["new.jpg", "wri')
    (folder / "new.jpg").write_bytes(photo())
    assert results(caption(folder, "sidecar")) == {"new.jpg": "written"}
    assert caption(folder, "sidecar") == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_photos(tmp_path):
    (tmp_path / "one.jpg").write_bytes(photo(200, size=(64, 48)))
    peaks = []
    for count in (100, 500):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:03}.jpg").symlink_to(tmp_path / "one.jpg")
        tracemalloc.start()
        log = LibraryLog(log_folder(folder, "sidecar"), lambda result, row: True)
        form = form_of("sidecar", [], log.wrote)
        with log.working({}):
            names = photo_names(folder)
            for outcome in caption_library(QuickCaptioner(), folder, names, form, log):
                assert outcome.result == "written"
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 400 * 1000  # names and results, not photos or captions


# The table


def test_rows_that_a_kill_kept_from_the_table_are_written_later(folder):
    table = folder / "captions.csv"
    caption(folder, "csv")
    whole = table.read_bytes()
    table.write_bytes(whole[:-30])  # inside the rows of the last batch
    (folder / "new.jpg").write_bytes(photo())
    caption(folder, "csv")
    assert table.read_bytes().startswith(whole)
    assert photos_in(table)[-1] == "new.jpg"


def test_a_table_of_somebody_else_is_left_as_it_is(folder):
    table = folder / "captions.csv"
    table.write_text("name,phone\nada,1\n")
    with pytest.raises(DatasetError, match="is there already"):
        caption(folder, "csv")
    assert table.read_text() == "name,phone\nada,1\n"
    table.unlink()
    caption(folder, "csv")
    changed = table.read_bytes() + b"mine,,,,,\n"
    table.write_bytes(changed)
    (folder / "new.jpg").write_bytes(photo())
    with pytest.raises(DatasetError, match="was changed since"):
        caption(folder, "csv")
    assert undone(folder, "csv") == (set(), {"captions.csv"})
    assert table.read_bytes() == changed


# The command


@pytest.fixture(scope="module")
def model(write_tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_bundle(folder, decoding=DecodingConfig(prefix=("the",)))
    return str(folder)


def test_a_rehearsal_writes_nothing(folder, model, capsys, data_home):
    before = content(folder)
    command = ["caption", str(folder), "--model", model, "--write", "sidecar"]
    assert main([*command, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert len(re.findall(r"\.jpg\.xmp: The ", printed.out)) == 11
    assert "11 captions would be written" in printed.err
    assert content(folder) == before
    assert not (data_home / "library").exists()
    assert main(command) == 0
    capsys.readouterr()
    assert main([*command, "--undo", "--dry-run"]) == 0
    assert "11 files would be restored, 0 changed since." in capsys.readouterr().out
    assert len(content(folder)) == 22
    assert main([*command, "--undo"]) == 0
    assert content(folder) == before
    capsys.readouterr()
    assert main([*command, "--undo"]) == 0
    assert "Nothing is written for" in capsys.readouterr().out


def test_the_command_continues_and_reports_what_it_did(folder, model, capsys):
    (folder / "01.jpg").write_bytes(b"no photo")
    (folder / "02.jpg.xmp").write_bytes(write_sidecar(None, "Ada at the sea"))
    command = ["caption", str(folder), "--model", model, "--write", "sidecar"]
    assert main([*command, "--json"]) == 1
    printed = capsys.readouterr()
    lines = {line["photo"]: line for line in map(json.loads, printed.out.splitlines())}
    assert lines["05.jpg"]["result"] == "written"
    assert lines["05.jpg"]["file"] == str(folder / "05.jpg.xmp")
    assert (lines["02.jpg"]["result"], lines["01.jpg"]["result"]) == ("left", "failed")
    assert re.search(r"/11 photos, [\d.]+ a second, [\d:]+ left", printed.err)
    end = "9 captions written; 1 left alone, described by a person; 1 failed"
    assert end in printed.err
    (folder / "01.jpg").unlink()
    assert main(command) == 0
    assert "0 captions written; 10 done before" in capsys.readouterr().err


@pytest.mark.process
def test_several_processes_do_the_work(many, model, capsys):
    (many / "05.jpg").write_bytes(b"no photo")
    (many / "06.jpg.xmp").write_bytes(write_sidecar(None, "Ada at the sea"))
    command = ["caption", str(many), "--model", model, "--write", "sidecar", "--processes", "2"]
    assert main(command) == 1
    assert len(list(many.glob("*.xmp"))) == 79
    printed = capsys.readouterr().err
    assert "78 captions written; 1 left alone, described by a person; 1 failed" in printed
    assert "1 photo failed. Run the command again without --processes" in printed
    lines = (log_folder(many, "sidecar") / "log.jsonl").read_text().splitlines()
    workers = {json.loads(line)["worker"] for line in lines if line.startswith('{"claim"')}
    assert str(os.getpid()) not in {worker.split("-")[0] for worker in workers}
    (many / "05.jpg").unlink()
    assert main(command) == 0
    assert "0 captions written; 79 done before" in capsys.readouterr().err


def test_a_process_that_cannot_start_costs_nothing(many, model, capsys, monkeypatch):
    monkeypatch.setattr("captioning.cli.caption_library.sys.executable", shutil.which("false"))
    command = ["caption", str(many), "--model", model, "--write", "txt", "--processes", "3"]
    assert main(command) == 0
    assert "80 captions written" in capsys.readouterr().err


def test_new_photos_are_captioned_once_they_are_whole(folder, model, monkeypatch, capsys):
    steps = [
        lambda: (folder / "new.jpg").write_bytes(photo()[:100]),  # half copied
        lambda: (folder / "new.jpg").write_bytes(photo()),
        lambda: None,
        lambda: None,
    ]
    seen = []

    def sleep(seconds):
        seen.append((seconds, (folder / "new.jpg.xmp").exists()))
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr("captioning.cli.caption_library.time.sleep", sleep)
    command = ["caption", str(folder), "--model", model, "--write", "sidecar", "--watch", "7"]
    assert main(command) == 0
    assert seen == [(7.0, False)] * 3 + [(7.0, True)] * 2
    assert "12 captions written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--undo", "--undo needs --write"),
        ("--min-confidence sure", "--min-confidence needs --write"),
        ("--write sidecar --out a.csv", "--out goes with --write csv"),
        ("other --write sidecar", "--write takes one folder"),
        ("--write sidecar --watch 0", "above 0"),
        ("--write sidecar --watch --undo", "does not go with --undo"),
        ("--processes 2", "--processes needs --write"),
        ("--write txt --processes 0", "above 0"),
        ("--write txt --processes 2 --dry-run", "does not go with --dry-run"),
        ("--write txt --processes 2 --json", "does not go with --json"),
    ],
)
def test_options_that_do_not_fit_are_refused(folder, options, message, capsys):
    with pytest.raises(SystemExit):
        main(["caption", str(folder), *options.split()])
    assert message in capsys.readouterr().err


def test_a_model_that_does_not_know_how_sure_it_is_is_refused(folder, model, capsys):
    command = ["caption", str(folder), "--model", model, "--write", "txt"]
    assert main([*command, "--min-confidence", "sure"]) == 1
    assert "does not know how sure it is" in capsys.readouterr().err
    assert main(["caption", str(folder / "05.jpg"), "--write", "txt", "--model", model]) == 1
    assert "takes a folder" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes or links")
def test_a_listing_holds_photos_and_links_alone(folder):
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "a.jpg").write_bytes(b"-")
    (folder / "loop").symlink_to(folder)
    (folder / "link.jpg").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    names = photo_names(folder)
    assert len(names) == 12
    assert {"link.jpg", "sub/00.jpg"} <= set(names)
    assert not [name for name in names if name.startswith((".hidden", "loop", "pipe"))]


@pytest.mark.parametrize(
    "line",
    [
        {"claim": ["00.jpg"]},
        {"claim": "00.jpg", "worker": "1"},
        {"done": [["00.jpg", "unsure", 0.5]], "by": "m"},
        {"done": [["00.jpg", "written"]], "by": 3},
        {"done": {"00.jpg": "written"}},
        {"table": [0, "a"]},
        {"changes": [["00.jpg", "12"]]},
        {"changes": [["00.jpg", "12", "34", 1 << 70, 5, 0, 0]]},
        {"changes": [["00.jpg", "12", "34", 0, 10**12, 0, 0]]},
        {"changes": [["00.jpg", "12", "34", 0, 5, 0, 1 << 40]]},
    ],
)
def test_a_damaged_line_of_the_log_is_left_out(folder, line):
    caption(folder, "txt")
    before, log = log_of(folder, "txt"), log_folder(folder, "txt", None)
    with (log / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    after = log_of(folder, "txt")
    assert (after.results, after.table) == (before.results, None)
    assert after.changes() == before.changes()
