"""Which photo a caption file means by a name, and that no loss of captions is silent."""

import json
import os
import shutil
import time
import unicodedata
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from captioning.datasets import load, photo_files
from captioning.datasets.photo_files import Match, PhotoFiles
from captioning.errors import DatasetError

CAPTIONS = ("a dog runs on grass", "two kids play ball", "a red kite flies")
NUMBERS = [f"{number:03}" for number in range(1, 11)]


def write_photos(folder, names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 8), (20 * number, 0, 0)).save(path, "JPEG")


def data_set(root, written, files, photos="Images"):
    """A table with two captions a photo under the names `written`, beside the photos `files`."""
    write_photos(root / photos, files)
    rows = [f"{n},{CAPTIONS[(i + j) % 3]}\n" for i, n in enumerate(written) for j in (0, 1)]
    (root / "captions.txt").write_text("image,caption\n" + "".join(rows), encoding="utf-8")
    return root


def captions_of(dataset):
    return [photo.captions for photo in dataset.photos]


def nfd(text):
    return unicodedata.normalize("NFD", text)


# The name as the caption file has it, and the path of the photo below its folder.
SAME = {
    "case of the ending": ("{}.jpg", "{}.JPG"),
    "case": ("img_{}.jpg", "IMG_{}.Jpg"),
    "a folder in the name": ("Images/{}.jpg", "{}.jpg"),
    "an absolute path": ("/home/me/data/{}.jpg", "{}.jpg"),
    "a Windows path": ("C:\\Users\\me\\{}.jpg", "{}.jpg"),
    "nested folders": ("{}.jpg", "2024/05/12/{}.jpg"),
    "no ending": ("{}", "{}.jpg"),
    "another ending": ("{}.png", "{}.jpg"),
    "another Unicode form": ("Käse-{}.jpg", nfd("Käse-{}.jpg")),
    "the other way round": (nfd("Käse-{}.jpg"), "Käse-{}.jpg"),
    "percent-encoding": ("K%C3%A4se%20{}.jpg", "Käse {}.jpg"),
    "percent-encoding twice": ("K%25C3%25A4se%2520{}.jpg", "Käse {}.jpg"),
    "a web address": ("https://example.org/photos/my%20{}.jpg?size=2", "my {}.jpg"),
    "quotes and a mark of direction": ("\u202a'{}.jpg'", "{}.jpg"),
    "COCO's names of 2014": ("COCO_val2014_000000000{}.jpg", "000000000{}.jpg"),
}


@pytest.mark.parametrize("photos", ["Images", "photos"])
@pytest.mark.parametrize("kind", SAME)
def test_names_are_matched_in_every_layout(tmp_path, photos, kind):
    written, file = SAME[kind]
    exact = load(
        data_set(
            tmp_path / "exact", [f"{n}.jpg" for n in NUMBERS], [f"{n}.jpg" for n in NUMBERS], photos
        )
    )
    root = data_set(
        tmp_path / "set",
        [written.format(n) for n in NUMBERS],
        [file.format(n) for n in NUMBERS],
        photos,
    )
    dataset = load(root)
    assert captions_of(dataset) == captions_of(exact)
    assert sum(map(len, captions_of(dataset))) == 20
    assert not dataset.oddities.captions_without_photo
    assert all(dataset.path(photo).is_file() for photo in dataset.photos)


@pytest.mark.parametrize("written", ["{}", "{}.0", "{}.jpg"])
def test_numbers_match_names_with_leading_zeros(tmp_path, written):
    names = [written.format(number) for number in range(1, 11)]
    dataset = load(data_set(tmp_path, names, [f"{n}.jpg" for n in NUMBERS], "photos"))
    assert {len(photo.captions) for photo in dataset.photos} == {2}
    assert "leading zeros" in dataset.summary() or written == "{}.jpg"


def test_a_name_that_is_there_is_never_another_ones():
    files = PhotoFiles(Path("x"), ("a/1.jpg", "b/1.JPG", "01.jpg", "cat.jpg", "cat.png"))
    assert files.find("01.jpg") == Match(("01.jpg",))
    assert files.find("b/1.jpg") == Match(("b/1.JPG",))
    assert files.find("1.jpg").names == ("a/1.jpg", "b/1.JPG")
    assert files.find("001.jpg").loose
    assert files.find("cat.jpg") == Match(("cat.jpg",))
    assert files.find("cat.webp") == Match(("cat.jpg", "cat.png"), loose=True)
    assert files.find("dog.jpg") == files.find("../cat.jpg/..") == Match(())


def test_a_loose_name_gives_way_to_the_photos_own(tmp_path):
    write_photos(tmp_path, ["dog.jpg"])
    (tmp_path / "captions.csv").write_text("image,caption\ndog.png,a cat\ndog.jpg,a dog\n")
    dataset = load(tmp_path)
    assert dataset["dog.jpg"].captions == ("a dog",)
    assert dataset.oddities.captions_without_photo.examples == ["dog.png"]


def test_equal_names_in_other_folders_are_other_photos(tmp_path):
    write_photos(tmp_path, ["val/1.jpg"])
    (tmp_path / "captions.csv").write_text("image,caption\ntrain/1.jpg,a cat\nval/1.jpg,a dog\n")
    assert [photo.captions for photo in load(tmp_path).photos] == [("a dog",)]


@pytest.mark.parametrize("photos", ["Images", "photos"])
def test_a_split_column_is_read_in_every_layout(tmp_path, photos):
    root = data_set(tmp_path, [f"{n}.jpg" for n in NUMBERS], [f"{n}.jpg" for n in NUMBERS], photos)
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    rows = [f"{n}.jpg,a dog,{split}\n" for n, split in zip(NUMBERS, splits, strict=True)]
    (root / "captions.txt").write_text("image,caption,split\n" + "".join(rows))
    dataset = load(root)
    assert [len(dataset.split(split)) for split in ("train", "dev", "test")] == [6, 2, 2]
    assert "drawn by" not in dataset.summary()


def test_captions_of_other_photos_are_refused_in_every_layout(tmp_path):
    for photos in ("Images", "photos"):
        with pytest.raises(DatasetError, match="do not belong together"):
            load(data_set(tmp_path / photos, ["holiday.jpg"], ["1.jpg"], photos))


def test_what_no_page_can_show_is_replaced_or_left_out(tmp_path):
    write_photos(tmp_path / "Images", ["a.jpg"])
    odd = os.path.join(os.fsencode(tmp_path / "Images"), b"caf\xe9.jpg")
    try:
        shutil.copy(tmp_path / "Images" / "a.jpg", odd)
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": os.fsdecode(b"caf\xe9.jpg")}]
    rows = [{"id": n, "image_id": n, "caption": "half \ud83d"} for n in (1, 2)]
    (tmp_path / "captions.json").write_text(json.dumps({"images": images, "annotations": rows}))
    dataset = load(tmp_path)
    assert [(p.name, p.captions) for p in dataset.photos] == [("a.jpg", ("half \ufffd",))]
    assert any("the photo is not in the folder" in line for line in dataset.oddities.sentences())


def test_thousands_of_names_and_photos_of_one_name_are_matched_by_folder(monkeypatch):
    names = tuple(f"{number:04}/a.jpg" for number in range(1000))
    files = PhotoFiles(Path("x"), names)
    folded, fold = [], photo_files._folded
    monkeypatch.setattr(photo_files, "_folded", lambda name: folded.append(name) or fold(name))
    for number in range(1000):
        assert files.find(f"p/{number:04}/a.jpg").names == (f"{number:04}/a.jpg",)
        assert files.find(f"{'p/' * 50}a.jpg").names == names
    assert len(folded) < 20_000


def test_names_of_many_marks_in_the_wrong_order_are_compared_in_time():
    files = PhotoFiles(Path("x"), ("a.jpg", nfd("\u1ebf.jpg")))
    marks = "\u0301" * 75_000 + "\u0327" * 75_000
    started = time.process_time()
    assert files.find(f"a{marks}.jpg") == files.find(f"a{marks[74_600:75_400]}.jpg") == Match(())
    assert time.process_time() - started < 5
    assert files.find("\u1ebf.jpg").names == (nfd("\u1ebf.jpg"),)


def test_folders_with_links_to_each_other_are_searched_once(tmp_path):
    write_photos(tmp_path, ["a/1.jpg", "b/2.jpg"])
    try:
        for number in range(12):
            (tmp_path / "a" / f"l{number:02}").symlink_to(tmp_path / "b")
            (tmp_path / "b" / f"l{number:02}").symlink_to(tmp_path / "a")
    except OSError:
        pytest.skip("links need a privilege here")
    found = sorted(islice(photo_files.photos_below(tmp_path), 100))
    assert found == ["a/1.jpg", "a/l00/2.jpg", "a/l00/l00/1.jpg", "b/2.jpg"]


def test_a_folder_with_a_name_too_long_for_any_is_not_found(tmp_path):
    write_photos(tmp_path, ["a.jpg"])
    image = {"filepath": "x" * 5000, "filename": "a.jpg", "sentences": [{"raw": "a dog"}]}
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": [image]}))
    assert load(tmp_path)["a.jpg"].captions == ("a dog",)


@pytest.mark.parametrize("folder", [".", "data", "annotations", "train", "Images"])
def test_a_folder_whose_files_may_not_be_opened_gives_a_sentence(tmp_path, folder):
    write_photos(tmp_path / "Images", ["a.jpg"])
    (tmp_path / folder).mkdir(exist_ok=True)
    for name in ("captions.csv", "captions.json", "train.parquet", "1.jpg"):
        (tmp_path / folder / name).write_text("image,caption\na.jpg,a dog\n")
    (tmp_path / folder).chmod(0o444)
    try:
        if os.path.exists(tmp_path / folder / "1.jpg"):
            pytest.skip("this user may open all files")
        with pytest.raises(DatasetError):
            load(tmp_path)
    finally:
        (tmp_path / folder).chmod(0o755)
