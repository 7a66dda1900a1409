"""Pipes, devices and endless files are refused at once; what is done is on the disk."""

import lzma
import os
import shutil
from pathlib import Path

import pytest

from captioning.bundle import publish_bundle, read_bundle
from captioning.config import TrainingConfig, read_training_config
from captioning.datasets.catalog import remembered_folders
from captioning.datasets.download import download_state
from captioning.datasets.shapes import _read_index
from captioning.datasets.text_files import read_text
from captioning.errors import (
    BundleError,
    ConfigError,
    DatasetError,
    FeaturesError,
    ImageError,
    PlayError,
)
from captioning.play import Round
from captioning.runs import Run, Runs
from captioning.runs.control import Slot
from captioning.runs.estimate import _read_rates
from captioning.storage import data_folder, read_regular_file
from captioning.training import sentences
from captioning.training.sentences import read_sentences
from captioning.tutorial_files import read_descriptions

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no such files")


@pytest.fixture(params=["a pipe", "a device", "a folder", "an endless file"])
def odd(request, tmp_path):
    path = tmp_path / "odd"
    match request.param:
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a folder":
            path.mkdir()
        case _:
            with path.open("wb") as file:
                file.truncate(10**12)
    return path


def photo_of_a_page(path):
    from pages.ui.cache import photo_file  # imports Streamlit

    return photo_file(path)


def photo_of_a_round(path):
    path.replace(path.parent / "photo")
    return Round(path.parent).photo


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (lambda path: read_regular_file(path, 1000), OSError),
        (read_training_config, ConfigError),
        (read_text, DatasetError),
        (read_descriptions, FeaturesError),
        (read_sentences, DatasetError),
        (_read_index, DatasetError),
        (photo_of_a_page, ImageError),
        (photo_of_a_round, PlayError),
    ],
)
def test_what_is_no_ordinary_file_is_refused_at_once(odd, read, error):
    with pytest.raises(error):
        read(odd)


@pytest.mark.parametrize(
    "name",
    [
        *("config.json", "vocabulary.json", "metrics.json", "history.jsonl"),
        *("decoder.safetensors", "encoder.safetensors"),
    ],
)
def test_a_bundle_of_such_files_is_refused_at_once(odd, name, write_tiny_bundle, tmp_path):
    folder = write_tiny_bundle(tmp_path / "model").folder
    (folder / name).unlink(missing_ok=True)
    shutil.move(odd, folder / name)
    with pytest.raises(BundleError):
        read_bundle(folder).history()


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("datasets.json", remembered_folders),
        ("downloads/flickr8k.json", lambda: download_state().message),
        ("runs/rates.json", lambda: _read_rates(data_folder())),
        ("runs/queue.json", lambda: Runs().queue()),
        ("runs/try/note.txt", lambda: Run._read(data_folder() / "runs" / "try").note),
    ],
)
def test_such_a_file_of_the_program_counts_as_none(odd, name, read, data_home):
    path = data_home / name
    path.parent.mkdir(parents=True)
    shutil.move(odd, path)
    assert not read()


def test_an_ordinary_file_is_read_whole(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular_file(tmp_path / "link", 3) == b"abc"
    assert read_regular_file(Path(os.fspath(tmp_path)) / "file", 3) == b"abc"


@pytest.fixture
def flushed(monkeypatch):
    """The names of what was flushed to the disk, in order."""
    names, fsync = [], os.fsync

    def note(descriptor):
        names.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return names


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="cannot see what is flushed")
def test_what_is_reported_done_is_on_the_disk(flushed, write_tiny_bundle, tmp_path):
    bundle = write_tiny_bundle(tmp_path / "bundle")
    assert {"decoder.safetensors", "config.json", "vocabulary.json"} < set(flushed)
    assert flushed[-1] == tmp_path.name
    flushed.clear()
    published = publish_bundle(bundle.folder, "mine", run="try")
    assert {"published.json", "decoder.safetensors"} < set(flushed)
    assert flushed[-1] == published.folder.parent.name
    flushed.clear()
    runs = Runs(tmp_path)
    run = runs.create(TrainingConfig(name="try", data="shapes"))
    assert flushed[-1] == "runs"
    (run.folder / "events.jsonl").touch()
    flushed.clear()
    runs.finish(run, run.status.replace(state="finished"), Slot.take(runs.slot_path, run.id))
    assert flushed[0] == "events.jsonl"
    assert flushed[-1] == run.id


def test_sentences_that_unpack_to_gigabytes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "_MOST_BYTES", 1000)
    path = tmp_path / "many.xz"
    path.write_bytes(lzma.compress(b"a dog\n" * 1000))
    with pytest.raises(DatasetError, match="more than"):
        read_sentences(path)
    path.write_bytes(lzma.compress(b"a dog\n" * 100))
    assert len(read_sentences(path)) == 100
