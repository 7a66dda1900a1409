"""Reading Flickr30k, MS-COCO, Karpathy's files, and any folder with a table of captions."""

import csv
import io
import json
from collections import Counter
from random import Random

import pytest
from PIL import Image

from captioning.datasets import load, verify
from captioning.datasets.data_issues import Oddities
from captioning.datasets.loading import kind_of
from captioning.datasets.photo_files import PhotoFiles, photo_files
from captioning.datasets.splitting import split_by_name
from captioning.datasets.tables import read_table
from captioning.errors import DatasetError

SAYINGS = ("A cat, a hat and a mat .", 'A sign says " open " .', "Café tables .", "One", "Two")
NOISE = (bytes(range(256)) * 40, b"\xff\xd8\xff\xe0\0\x10JFIF" * 99, Random(0).randbytes(5000))


def write_photos(folder, names):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 8), (20 * number, 0, 0)).save(path)


def sayings(name):
    return tuple(f"{text} {name.rsplit('/', 1)[-1]}" for text in SAYINGS)


def refusal(folder):
    with pytest.raises(DatasetError) as caught:
        load(folder)
    assert str(caught.value).endswith((".", ").")), str(caught.value)
    return str(caught.value)


def captions_by_file(dataset):
    return {photo.name.rsplit("/", 1)[-1]: photo.captions for photo in dataset.photos}


def splits_by_file(dataset):
    return {photo.name.rsplit("/", 1)[-1]: photo.split for photo in dataset.photos}


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- Flickr30k ---------------------------------------------------------------------------------

NUMBERED = tuple(f"{1000092790 + number}.jpg" for number in range(6))
LISTED = dict(zip(NUMBERED, ("train", "train", "train", "train", "val", "test"), strict=True))


def karpathy_json(listed, folder=None):
    images = [
        {
            **({"filepath": folder(name)} if folder else {}),
            "filename": name,
            "imgid": number,
            "split": split,
            "sentences": [
                {"raw": text, "tokens": text.lower().split(), "imgid": number, "sentid": i}
                for i, text in enumerate(sayings(name))
            ],
            "sentids": [0, 1, 2, 3, 4],
        }
        for number, (name, split) in enumerate(listed.items())
    ]
    return json.dumps({"images": images, "dataset": "any"})


def bars(names):
    rows = [f"{n}| {i}| {text}" for n in names for i, text in enumerate(sayings(n))]
    return "\n".join(["image_name| comment_number| comment", *rows, ""])


def tokens(names):
    return "".join(f"{n}#{i}\t{text}\n" for n in names for i, text in enumerate(sayings(n)))


def numbered_csv(names):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["image_name", "comment_number", "comment"])
    writer.writerows((n, i, text) for n in names for i, text in enumerate(sayings(n)))
    return out.getvalue()


FLICKR30K = {
    "kaggle": ("flickr30k_images/", "results.csv", bars),
    "doubly nested": ("flickr30k_images/flickr30k_images/", "results.csv", bars),
    "captions among the photos": ("flickr30k_images/", "flickr30k_images/results.csv", bars),
    "original": ("flickr30k-images/", "results_20130124.token", tokens),
    "all in one folder": ("", "results.csv", bars),
    "copied like Flickr8k": ("Images/", "captions.txt", numbered_csv),
}


def flickr30k(root, layout="kaggle", text=None):
    photos, captions, write = FLICKR30K[layout]
    write_photos(root / photos, NUMBERED)
    (root / captions).write_text(text or write(NUMBERED), encoding="utf-8")
    return root


@pytest.mark.parametrize("layout", FLICKR30K)
def test_every_layout_of_flickr30k_gives_the_same_captions_and_splits(tmp_path, layout):
    root = flickr30k(tmp_path / "set", layout)
    drawn = load(root)
    assert drawn.name == kind_of(root) == "flickr30k"
    assert {n: tuple(t.strip() for t in c) for n, c in captions_by_file(drawn).items()} == {
        name: sayings(name) for name in NUMBERED
    }
    assert splits_by_file(drawn) == {name: split_by_name(name) for name in NUMBERED}
    (root / "dataset_flickr30k.json").write_text(karpathy_json(LISTED))
    listed = load(root)
    assert splits_by_file(listed) == {n: s.replace("val", "dev") for n, s in LISTED.items()}
    assert "drawn by" in drawn.summary()
    assert "drawn by" not in listed.summary()
    assert all(listed.path(photo).is_file() for photo in listed.photos)
    assert drawn.fingerprint == listed.fingerprint


def test_flickr30k_row_without_its_bar_is_mended(tmp_path):
    # The one slip of Kaggle's results.csv, in its form.
    text = bars(NUMBERED).replace(f"{NUMBERED[1]}| 4| ", f"{NUMBERED[1]}| 4   ")
    dataset = load(flickr30k(tmp_path / "set", text=text))
    assert dataset[NUMBERED[1]].captions == sayings(NUMBERED[1])
    assert not dataset.oddities.unreadable_rows
    cut = text.replace(f"{NUMBERED[2]}| 0| ", f"{NUMBERED[2]}| ")
    dataset = load(flickr30k(tmp_path / "cut", text=cut))
    assert dataset.oddities.unreadable_rows.count == 1
    assert dataset.oddities.wrong_caption_count.examples == [NUMBERED[2]]


def test_flickr30k_and_flickr8k_are_distinguished(tmp_path):
    official = "1000268201_693b08cb0e.jpg"
    write_photos(tmp_path / "8" / "Images", [official])
    (tmp_path / "8" / "captions.txt").write_text(f"image,caption\n{official},A cat .\n")
    write_photos(tmp_path / "30" / "Images", NUMBERED[:1])
    (tmp_path / "30" / "captions.txt").write_text(f"image,caption\n{NUMBERED[0]},A cat .\n")
    assert load(tmp_path / "8").name == "flickr8k"
    assert load(tmp_path / "30").name == "flickr30k"


# --- Karpathy ----------------------------------------------------------------------------------

COCO = {
    "COCO_train2014_000000000009.jpg": "train",
    "COCO_train2014_000000000025.jpg": "train",
    "COCO_val2014_000000000042.jpg": "restval",
    "COCO_val2014_000000000073.jpg": "val",
    "COCO_val2014_000000000074.jpg": "test",
}
OURS = {"train": "train", "restval": "train", "val": "dev", "test": "test"}


def year_folder(name):
    return name.split("_")[1]


@pytest.mark.parametrize("above", ["", "images/"])
@pytest.mark.parametrize("below", ["", "annotations/", "karpathy/", "caption_datasets/"])
def test_karpathys_coco_lies_in_two_folders(tmp_path, above, below):
    write_photos(tmp_path, [f"{above}{year_folder(name)}/{name}" for name in COCO])
    write_photos(tmp_path, [f"{above}test2014/COCO_test2014_000000000001.jpg"])
    file = tmp_path / below / "dataset_coco.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(karpathy_json(COCO, year_folder))
    dataset = load(tmp_path)
    assert dataset.name == "coco"
    assert splits_by_file(dataset) == {name: OURS[split] for name, split in COCO.items()}
    assert captions_by_file(dataset) == {name: sayings(name) for name in COCO}
    assert dataset.photos[0].name == f"train2014/{min(COCO)}"
    assert all(dataset.path(photo).is_file() for photo in dataset.photos)
    assert dataset.oddities.sentences() == []
    assert verify(dataset).ok


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("flickr8k", "Images"), ("flickr8k", "Flicker8k_Dataset"), ("flickr30k", "photos/all")],
)
def test_karpathys_file_alone_is_enough(tmp_path, kind, folder):
    write_photos(tmp_path / folder, NUMBERED)
    (tmp_path / f"dataset_{kind}.json").write_text(karpathy_json(LISTED))
    dataset = load(tmp_path)
    assert dataset.name == kind
    assert splits_by_file(dataset) == {name: OURS[split] for name, split in LISTED.items()}
    assert captions_by_file(dataset) == {name: sayings(name) for name in NUMBERED}
    assert dataset.photos[0].name == NUMBERED[0]


def test_of_karpathys_three_files_the_one_of_the_photos_is_read(tmp_path):
    for kind in ("flickr8k", "flickr30k", "coco"):
        (tmp_path / f"dataset_{kind}.json").write_text(karpathy_json({"other.jpg": "train"}))
    (tmp_path / "dataset_coco.json").write_text(karpathy_json(COCO, year_folder))
    write_photos(tmp_path, [f"{year_folder(name)}/{name}" for name in COCO])
    assert load(tmp_path).name == "coco"


def test_damaged_entries_of_karpathys_file_cost_only_themselves(tmp_path):
    write_photos(tmp_path / "Images", NUMBERED)
    content = json.loads(karpathy_json(LISTED))
    content["images"][1:3] = [None, {"filename": 7, "sentences": [{"raw": "x"}]}]
    content["images"].append({"filename": "../../etc/passwd.jpg", "sentences": [{"raw": "x"}]})
    content["images"].append({"filename": NUMBERED[1], "filepath": "..", "sentences": "text"})
    (tmp_path / "dataset_flickr8k.json").write_text(json.dumps(content))
    dataset = load(tmp_path)
    assert dataset.oddities.unreadable_rows.examples == ["entry 2", "entry 3", "entry 8"]
    assert {photo.name for photo in dataset.photos} == set(NUMBERED)
    assert dataset.oddities.photos_without_captions.count == 2
    assert dataset.oddities.captions_without_photo.count == 1


# --- COCO as it is handed out ------------------------------------------------------------------


def annotations(names, first_id):
    images = [{"id": first_id + i, "file_name": n, "height": 8} for i, n in enumerate(names)]
    found = [
        {"id": 5 * image["id"] + i, "image_id": image["id"], "caption": text}
        for i in range(len(SAYINGS))  # annotators took turns: not in the order of the photos
        for image in images
        for text in [sayings(image["file_name"])[i]]
    ]
    return {"info": {}, "images": images, "licenses": [], "annotations": found}


TRAIN2017 = ("000000000009.jpg", "000000000025.jpg", "000000000030.jpg")
VAL2017 = ("000000000139.jpg", "000000000285.jpg")


def coco2017(root, above="", below="annotations/", parts=("train", "val")):
    for part, names, first in (("train", TRAIN2017, 1), ("val", VAL2017, 100)):
        if part in parts:
            write_photos(root, [f"{above}{part}2017/{name}" for name in names])
        file = root / below / f"captions_{part}2017.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(annotations(names, first)))
    return root


@pytest.mark.parametrize("above", ["", "images/"])
@pytest.mark.parametrize("below", ["", "annotations/"])
@pytest.mark.parametrize("given", ["", "annotations", "val2017"])
def test_coco_as_it_is_handed_out(tmp_path, above, below, given):
    root = coco2017(tmp_path / "set", above, below)
    if not (root / given).is_dir() or (above and given == "val2017"):
        given = ""
    dataset = load(root / given)
    assert dataset.name == "coco"
    assert [photo.name for photo in dataset.split("dev")] == [f"val2017/{n}" for n in VAL2017]
    assert [photo.name for photo in dataset.split("train")] == [f"train2017/{n}" for n in TRAIN2017]
    assert dataset.split("test") == ()
    assert "no test split" in dataset.summary()
    assert captions_by_file(dataset) == {n: sayings(n) for n in (*TRAIN2017, *VAL2017)}
    assert all(dataset.path(photo).is_file() for photo in dataset.photos)


def test_coco_without_its_large_part_is_the_other_part(tmp_path):
    dataset = load(coco2017(tmp_path, parts=("val",)))
    assert len(dataset) == len(dataset.split("dev")) == len(VAL2017)
    assert "'captions_train2017.json' is skipped" in dataset.summary()
    assert not dataset.oddities.captions_without_photo
    assert dataset.path(dataset.photos[0]).is_file()


def test_the_year_whose_photos_are_there_is_read(tmp_path):
    coco2017(tmp_path, parts=())
    old = "COCO_val2014_000000000042.jpg"
    write_photos(tmp_path, [f"val2014/{old}"])
    text = json.dumps(annotations([old], 1))
    (tmp_path / "annotations" / "captions_val2014.json").write_text(text)
    assert [photo.name for photo in load(tmp_path).photos] == [old]


@pytest.mark.parametrize("change", [{"images": None}, {"annotations": 3}, {"images": [{"id": 1}]}])
def test_coco_annotations_of_another_form_are_reported(tmp_path, change):
    root = coco2017(tmp_path)
    file = root / "annotations" / "captions_val2017.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert "captions_val2017.json" in refusal(root)


def test_damaged_annotations_cost_only_themselves(tmp_path):
    root = coco2017(tmp_path)
    file = root / "annotations" / "captions_val2017.json"
    content = json.loads(file.read_text())
    content["annotations"][:0] = [None, {"image_id": 1e9, "caption": "x"}, {"image_id": 100}]
    content["annotations"].append({"image_id": 101, "caption": None})
    file.write_text(json.dumps(content))
    dataset = load(root)
    assert dataset.oddities.unreadable_rows.count == 4
    assert captions_by_file(dataset)[VAL2017[0]] == sayings(VAL2017[0])


# --- any folder with a table -------------------------------------------------------------------

OWN = ("one.jpg", "two.JPG", "three.png", "four.webp")


def own(root, text, names=OWN, folder="", table="captions.csv"):
    write_photos(root / folder, names)
    (root / table).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


@pytest.mark.parametrize("image", ["image", "filename", "file_name", "Photo", "file", "Image Name"])
@pytest.mark.parametrize("caption", ["caption", "Text", "comment", "sentence", "description"])
def test_columns_are_guessed_by_their_names(tmp_path, image, caption):
    text = f"id,{caption},{image},width\n7,A cat .,one.jpg,8\n8,A dog .,one.jpg,8\n"
    dataset = load(own(tmp_path / "pets", text, OWN[:1]))
    assert dataset.name == "pets"
    assert dataset["one.jpg"].captions == ("A cat .", "A dog .")


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("table", ["captions.csv", "anything.tsv", "captions.txt"])
def test_columns_may_be_parted_by_any_of_the_usual_signs(tmp_path, delimiter, table):
    rows = [("image", "caption", "split"), ("one.jpg", "A cat .", "val")]
    text = "\n".join(delimiter.join(row) for row in rows)
    dataset = load(own(tmp_path, text, OWN[:1], table=table))
    assert dataset["one.jpg"].captions == ("A cat .",)
    assert dataset["one.jpg"].split == "dev"


@pytest.mark.parametrize("folder", ["", "images", "deep/er/photos"])
@pytest.mark.parametrize("written", ["{}", "images/{}", "./{}", "C:\\mine\\{}", "/home/me/{}"])
def test_photos_are_found_wherever_they_lie_below(tmp_path, folder, written):
    rows = "".join(f"{written.format(name)},About {name} .\n" for name in OWN)
    dataset = load(own(tmp_path, "image,caption\n" + rows, folder=folder))
    assert captions_by_file(dataset) == {name: (f"About {name} .",) for name in OWN}
    assert dataset.folder == tmp_path / folder
    assert all(dataset.path(photo).is_file() for photo in dataset.photos)


def test_names_without_ending_and_of_other_case_are_found(tmp_path):
    dataset = load(own(tmp_path, "file,text\nONE,A cat .\nTwo.jpg,A dog .\nthree,A bird .\n"))
    assert [len(photo.captions) for photo in dataset.photos] == [0, 1, 1, 1]


def test_equal_names_in_two_folders_need_the_folder(tmp_path):
    names = ("a/1.jpg", "b/1.jpg", "b/2.jpg")
    text = "image,caption\na/1.jpg,A cat .\nother/b/1.jpg,A dog .\n2.jpg,A bird .\n1.jpg,Which ?\n"
    dataset = load(own(tmp_path, text, names))
    assert [photo.captions for photo in dataset.photos] == [
        ("A cat .",),
        ("A dog .",),
        ("A bird .",),
    ]
    assert [photo.name for photo in dataset.photos] == list(names)
    assert dataset.oddities.ambiguous_names.examples == ["1.jpg"]
    assert "matches several photos" in dataset.summary()


def test_a_table_cannot_point_outside(tmp_path):
    write_photos(tmp_path, ["secret.jpg"])
    text = f"image,caption\n../secret.jpg,A .\n{tmp_path}/secret.jpg,B .\none.jpg,C .\n"
    dataset = load(own(tmp_path / "set", text, OWN[:1]))
    assert [photo.name for photo in dataset.photos] == ["one.jpg"]
    assert dataset.oddities.captions_without_photo.count == 2


def test_splits_of_the_table_are_kept(tmp_path):
    words = ("Train", "validation", "TEST", "fold 3")
    rows = [f"{n},A .,{w}\n{n},B .,{w}\n" for n, w in zip(OWN, words, strict=True)]
    dataset = load(own(tmp_path, "image,caption,split\n" + "".join(rows)))
    assert [dataset[name].split for name in OWN] == ["train", "dev", "test", None]
    assert dataset.oddities.unknown_splits.count == 1
    assert "fold 3" in dataset.summary()
    assert "drawn by" not in dataset.summary()


def test_photo_in_two_splits_is_kept_out_of_training(tmp_path):
    text = "image,caption,split\none.jpg,A .,train\none.jpg,B .,test\ntwo.JPG,C .,train\n"
    dataset = load(own(tmp_path, text, OWN[:2]))
    assert [dataset[name].split for name in OWN[:2]] == ["test", "train"]
    assert dataset.oddities.listed_twice.count == 1


def test_drawn_splits_are_fixed_by_the_name_alone(tmp_path):
    names = [f"{number}.jpg" for number in range(60)]
    rows = [f"{name},A .\n" for name in names]
    few = load(own(tmp_path / "few", "image,caption\n" + "".join(rows[:30]), names[:30]))
    many = load(own(tmp_path / "many", "image,caption\n" + "".join(rows[::-1]), names, "images"))
    assert splits_by_file(few).items() <= splits_by_file(many).items()
    assert "80 % train, 10 % dev, 10 % test" in few.summary()


def test_drawn_splits_are_four_fifths_and_two_tenths():
    counts = Counter(split_by_name(f"photo {number}") for number in range(20_000))
    assert counts["train"] == pytest.approx(16_000, abs=250)  # 4.4 standard deviations
    assert counts["dev"] == pytest.approx(2_000, abs=190)
    assert counts["test"] == pytest.approx(2_000, abs=190)
    assert split_by_name("a/b/c.jpg") == split_by_name("c.jpg")


def test_captions_may_be_several_columns(tmp_path):
    text = "file_name,caption_0,caption_1,caption_2\none.jpg,A .,B .,\n"
    dataset = load(own(tmp_path, text, OWN[:1], table="metadata.csv"))
    assert dataset["one.jpg"].captions == ("A .", "B .")
    assert dataset.oddities.empty_captions.count == 1


def test_line_breaks_inside_quotes_belong_to_the_caption(tmp_path):
    text = 'image,caption\none.jpg,"A cat\non a mat ."\ntwo.JPG,"He said ""hi"", twice"\n'
    dataset = load(own(tmp_path, text, OWN[:2]))
    assert dataset["one.jpg"].captions == ("A cat\non a mat .",)
    assert dataset["two.JPG"].captions == ('He said "hi", twice',)


def test_any_captions_survive_the_way_through_a_table(tmp_path):
    texts = [
        "a,b",
        'say "x"',
        '"',
        "  spaced  ",
        "tab\there",
        "semi;colon",
        "bar|bar",
        "é ü ☃",
        "-",
    ]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["image", "caption"])
    writer.writerows(("one.jpg", text) for text in texts)
    dataset = load(own(tmp_path, out.getvalue(), OWN[:1]))
    assert list(dataset["one.jpg"].captions) == [text.strip() for text in texts]


def test_rows_of_another_length_cost_only_themselves(tmp_path):
    text = (
        "image,caption,split\none.jpg,A cat, a hat,train\ntwo.JPG,A dog,train\nthree.png\n\n,x,y\n"
    )
    dataset = load(own(tmp_path, text))
    assert dataset["two.JPG"].captions == ("A dog",)
    assert dataset.oddities.unreadable_rows.count == 4
    # The last column is the caption: more commas are part of it.
    text = "image,split,caption\none.jpg,train,A cat, a hat\n"
    assert load(own(tmp_path, text))["one.jpg"].captions == ("A cat, a hat",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(tmp_path, encoding):
    text = "image,caption\r\none.jpg,Café “Süd” .\r\n"
    dataset = load(own(tmp_path, text.encode(encoding), OWN[:1]))
    assert dataset["one.jpg"].captions == ("Café “Süd” .",)


def test_of_several_tables_the_one_with_captions_is_read(tmp_path):
    own(tmp_path, "image,caption\none.jpg,A cat .\n", table="z.csv")
    (tmp_path / "a.csv").write_text("camera,lens\nx,y\n")
    dataset = load(tmp_path)
    assert dataset["one.jpg"].captions == ("A cat .",)
    assert "'z.csv', not from 'a.csv'" in dataset.summary()


def test_a_table_without_the_columns_says_what_it_begins_with(tmp_path):
    text = refusal(own(tmp_path, "camera,lens\nx,y\n"))
    assert "'camera,lens'" in text
    assert "'image,caption'" in text
    assert "no captions" in refusal(own(tmp_path, "image,caption\n"))


def test_a_table_of_other_photos_says_so(tmp_path):
    text = refusal(own(tmp_path, "image,caption\nholiday.jpg,A beach .\n"))
    assert "do not belong together" in text
    assert "'holiday.jpg'" in text


def test_missing_photos_are_counted_and_the_rest_is_read(tmp_path):
    rows = "".join(f"{name},A .\n" for name in (*OWN, "gone.jpg"))
    root = own(tmp_path, "image,caption\n" + rows)
    (root / OWN[0]).unlink()
    dataset = load(root)
    assert len(dataset) == len(OWN) - 1
    assert dataset.oddities.captions_without_photo.count == 2


def test_hidden_files_and_those_of_macintoshs_are_no_photos(tmp_path):
    write_photos(tmp_path, ["__MACOSX/one.jpg", ".cache/one.jpg", ".one.jpg"])
    dataset = load(own(tmp_path, "image,caption\none.jpg,A cat .\n", OWN[:1]))
    assert [photo.name for photo in dataset.photos] == ["one.jpg"]


def test_a_folder_of_photos_alone_or_of_tables_alone_is_no_data_set(tmp_path):
    write_photos(tmp_path / "photos", OWN)
    assert "'image' and 'caption'" in refusal(tmp_path / "photos")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "captions.csv").write_text("image,caption\none.jpg,A .\n")
    assert kind_of(tmp_path / "tables") is None
    assert "Looked for" in refusal(tmp_path / "tables")
    assert "The simplest form is a table 'captions.csv'" in refusal(tmp_path / "tables")


def test_a_folder_that_fits_two_kinds_inside_another_is_one_data_set(tmp_path):
    # Flickr30k's folder is also one with a CSV.
    flickr30k(tmp_path / "above" / "set")
    assert load(tmp_path / "above").name == kind_of(tmp_path / "above") == "flickr30k"


# --- what every kind must stand ----------------------------------------------------------------


def every_kind(tmp_path):
    """Make one of each kind; yield its folder and each of its text files."""
    flickr30k(tmp_path / "f30", "original")
    (tmp_path / "f30" / "dataset_flickr30k.json").write_text(karpathy_json(LISTED))
    write_photos(tmp_path / "karpathy8" / "Images", NUMBERED)
    (tmp_path / "karpathy8" / "dataset_flickr8k.json").write_text(karpathy_json(LISTED))
    coco2017(tmp_path / "coco")
    own(tmp_path / "own", "image,caption\none.jpg,A cat .\n")
    for root in ("f30", "karpathy8", "coco", "own"):
        for path in sorted((tmp_path / root).rglob("*")):
            if path.suffix in (".json", ".csv", ".token"):
                yield tmp_path / root, path


def test_noise_cuts_and_folders_in_place_of_files_give_a_sentence_and_lose_nothing(tmp_path):
    for root, file in every_kind(tmp_path):
        good = file.read_bytes()
        assert len(load(root)) > 0
        for bad in (*NOISE, b"", b"\n", good[: len(good) // 2], b"[" * 100_000, b"[]", b"null"):
            file.write_bytes(bad)
            before = snapshot(root)
            try:
                load(root)
            except DatasetError as error:
                assert str(error).strip().endswith(".")
            else:  # half a text file is still captions
                assert file.suffix != ".json", (file, bad[:20])
            assert snapshot(root) == before
        file.unlink()
        file.mkdir()
        with pytest.raises(DatasetError):
            load(root)
        file.rmdir()
        file.write_bytes(good)


def test_a_path_that_is_a_file_or_nothing_gives_a_sentence(tmp_path):
    for _root, file in every_kind(tmp_path):
        assert "is a file" in refusal(file)
    assert kind_of(tmp_path / "missing") is None
    assert kind_of(file) is None


# --- parts -------------------------------------------------------------------------------------


def test_photo_files_are_named_below_their_common_folder(tmp_path):
    write_photos(tmp_path, ["a/b/1.jpg", "a/b/2.jpg"])
    assert photo_files(tmp_path) == PhotoFiles(tmp_path / "a" / "b", ("1.jpg", "2.jpg"))
    write_photos(tmp_path, ["a/c/1.jpg"])
    assert photo_files(tmp_path) == PhotoFiles(tmp_path / "a", ("b/1.jpg", "b/2.jpg", "c/1.jpg"))
    write_photos(tmp_path, ["1/2/3/4/5/6/7/too-deep.jpg"])
    assert len(photo_files(tmp_path).names) == 3


def test_a_loop_of_links_is_walked_only_so_far(tmp_path):
    write_photos(tmp_path, ["a/1.jpg"])
    (tmp_path / "a" / "back").symlink_to(tmp_path / "a")
    assert "1.jpg" in photo_files(tmp_path).names


def test_table_numbers_its_lines_for_the_person_who_looks_them_up(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('image,caption\na.jpg,"one\ntwo"\nbroken\nb.jpg,x\n')
    oddities = Oddities()
    assert [row.name for row in read_table(file, oddities)] == ["a.jpg", "b.jpg"]
    assert oddities.unreadable_rows.examples == ["line 4"]
