"""Which data sets are available: those in the data folder, and folders that were named."""

import json
import shutil

import pytest
from PIL import Image

from captioning.datasets import available_datasets, folder_of, generate_shapes, load
from captioning.datasets.catalog import (
    WORKING_FOLDERS,
    forget,
    load_named,
    remember,
    remembered_folders,
    safe_name,
)
from captioning.datasets.splitting import official_splits
from captioning.errors import DatasetError


def own(folder):
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    (folder / "captions.csv").write_text("image,caption\na.jpg,A cat .\n")
    return folder


def flickr8k(folder):
    name = next(iter(official_splits()))
    (folder / "Images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "Images" / name)
    (folder / "captions.txt").write_text(f"image,caption\n{name},A cat .\n")
    return folder


def names():
    return [dataset.name for dataset in available_datasets()]


def test_no_data_folder_is_no_data_sets(data_home):
    assert available_datasets() == []
    assert not data_home.exists()


def test_well_known_sets_come_first_then_own_then_shapes(data_home, tmp_path):
    own(data_home / "a-cats")
    generate_shapes(data_home / "a-shapes", count=1, seed=0)
    flickr8k(data_home / "flickr8k")
    own(data_home / "z-dogs")
    remember(own(tmp_path / "elsewhere" / "birds"))
    assert names() == ["flickr8k", "a-cats", "z-dogs", "birds", "a-shapes"]
    assert [dataset.remembered for dataset in available_datasets()] == [False] * 3 + [True, False]
    for dataset in available_datasets():
        assert len(load(dataset.folder)) == 1
        assert folder_of(dataset.name) == dataset.folder


def test_what_is_no_data_set_is_passed_over(data_home):
    for name in (*WORKING_FOLDERS, ".unpacking-1"):
        own(data_home / name)
    (data_home / "notes").mkdir()
    (data_home / "flickr8k").write_text("a file")
    (data_home / "broken").symlink_to(data_home / "nowhere")
    assert names() == []


def test_equal_names_are_distinguished_and_a_name_is_never_a_path(data_home, tmp_path):
    flickr8k(data_home / "flickr8k")
    remember(flickr8k(tmp_path / "one" / "set"))
    remember(flickr8k(tmp_path / "two" / "set"))
    remember(own(tmp_path / "three" / "my photos"))
    assert names() == ["flickr8k", "flickr8k-2", "flickr8k-3", "my-photos"]
    for name in ("..", "/etc", str(tmp_path / "one" / "set"), "", "my photos"):
        with pytest.raises(DatasetError, match="available: flickr8k, flickr8k-2"):
            folder_of(name)


def test_a_remembered_folder_that_is_away_is_left_out_and_comes_back(tmp_path):
    folder = own(tmp_path / "stick" / "birds")
    remember(folder)
    shutil.move(folder, tmp_path / "away")
    assert names() == []
    assert remembered_folders() == [folder]
    shutil.move(tmp_path / "away", folder)
    assert names() == ["birds"]


def test_remembering_is_done_once_and_can_be_undone(data_home, tmp_path):
    folder = own(tmp_path / "birds")
    remember(folder)
    remember(folder)
    assert remembered_folders() == [folder]
    forget(folder)
    forget(folder)
    assert remembered_folders() == []
    assert (folder / "a.jpg").is_file()
    remember(own(data_home / "cats"))  # is seen anyway
    assert remembered_folders() == []
    assert not list(data_home.glob(".*"))


@pytest.mark.parametrize("noise", [b"", b"\xff\0\1", b"[]", b'{"folders": 3}', b'{"folders": [3]}'])
def test_a_damaged_memory_is_set_aside_not_lost(data_home, tmp_path, noise):
    data_home.mkdir()
    memory = data_home / "datasets.json"
    memory.write_bytes(noise)
    assert available_datasets() == []
    remember(own(tmp_path / "birds"))
    assert names() == ["birds"]
    assert (data_home / "datasets.json.before").read_bytes() == noise
    assert json.loads(memory.read_text())["format_version"] == 1


def test_the_encoding_of_a_folder_is_remembered_until_it_is_found_out_again(tmp_path):
    folder = own(tmp_path / "birds")
    (folder / "captions.csv").write_bytes("image,caption\na.jpg,kůň\n".encode("cp1250"))
    remember(folder, "cp1250")
    assert [c for photo in load_named("birds").photos for c in photo.captions] == ["kůň"]
    remember(folder)
    assert "probably" in load_named("birds").summary()
    remember(folder, "cp1250")
    forget(folder)
    assert remembered_folders() == []


def test_a_memory_that_cannot_be_written_is_reported(data_home, tmp_path):
    data_home.write_text("a file in its place")
    with pytest.raises(DatasetError, match="cannot be written"):
        remember(own(tmp_path / "birds"))


@pytest.mark.parametrize("text", ["", "...", "/", "a/b", "runs", "x" * 300, "é", "con\0", "-rf"])
def test_safe_names_are_safe(text):
    name = safe_name(text)
    assert name
    assert len(name) <= 65
    assert not name.startswith((".", "-"))
    assert name not in WORKING_FOLDERS
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def test_a_data_set_is_loaded_by_its_name_wherever_it_lies(data_home, shapes, tmp_path):
    """Also for training, which a configuration tells the name alone."""
    from captioning.cli.training_data import dataset_for
    from captioning.config import TrainingConfig
    from captioning.datasets.catalog import remember
    from captioning.errors import ConfigError

    with pytest.raises(DatasetError, match="no data set 'elsewhere'"):
        load_named("elsewhere")
    for name, folder in (("elsewhere", tmp_path), ("inside", data_home)):
        folder.mkdir(exist_ok=True)
        (folder / name).symlink_to(shapes.root)
        remember(folder / name)
        assert load_named(name).root == folder / name
        assert len(dataset_for(TrainingConfig(data=name), None)) == len(shapes)
    for name in ("../inside", "gone"):
        with pytest.raises(ConfigError, match="name its folder"):
            dataset_for(TrainingConfig(data=name), None)
