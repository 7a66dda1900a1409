"""Reading Flickr8k in its layouts, with its oddities; and choosing what a folder holds."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from captioning.datasets import generate_shapes, load, verify
from captioning.datasets.assembly import assemble
from captioning.datasets.data_issues import Oddities, Tally
from captioning.datasets.flickr8k import read_flickr8k
from captioning.datasets.splitting import official_splits
from captioning.errors import DatasetError

REAL = Path(__file__).parents[3] / "shared" / "flickr8k"

# Commas, quotes and accents are what caption files get wrong.
SAYINGS = (
    "A cat, a hat and a mat .",
    'A sign says " open " .',
    "Café tables in the rain .",
    "One chair",
    '"Stop," says the sign, twice .',
)
NAMES = tuple(f"{number}_abc.jpg" for number in range(1, 11))


def captions_of(names=NAMES):
    return {name: [f"{saying[:-1]}{name[0]} ." for saying in SAYINGS] for name in names}


def write_photos(folder, names=NAMES):
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        Image.new("RGB", (8 + number, 8), (20 * number, 0, 0)).save(folder / name)


def csv_text(captions):
    quoted = [
        (name, '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text)
        for name, texts in captions.items()
        for text in texts
    ]
    return "image,caption\n" + "".join(f"{name},{text}\n" for name, text in quoted)


def token_text(captions):
    return "".join(
        f"{name}#{number}\t{text}\n"
        for name, texts in captions.items()
        for number, text in enumerate(texts)
    )


def kaggle(root, captions=None, names=NAMES, text=None):
    write_photos(root / "Images", names)
    (root / "captions.txt").write_bytes((text or csv_text(captions or captions_of())).encode())
    return root


def classic(root, captions=None, names=NAMES, lists=None, photos="Flicker8k_Dataset"):
    write_photos(root / photos, names)
    texts = root / "Flickr8k_text"
    texts.mkdir()
    (texts / "Flickr8k.token.txt").write_bytes(token_text(captions or captions_of()).encode())
    lists = lists or {"train": NAMES[:8], "dev": NAMES[8:9], "test": NAMES[9:]}
    for split, listed in lists.items():
        (texts / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{n}\n" for n in listed))
    return root


def refusal(folder):
    with pytest.raises(DatasetError) as caught:
        load(folder)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def test_both_layouts_give_the_captions_as_they_were_written(tmp_path):
    for dataset in (load(kaggle(tmp_path / "k")), load(classic(tmp_path / "c"))):
        assert {photo.name: list(photo.captions) for photo in dataset.photos} == captions_of()
        assert [photo.name for photo in dataset.photos] == sorted(NAMES)


def test_classic_lists_make_the_splits(tmp_path):
    dataset = load(classic(tmp_path / "c"))
    assert [len(dataset.split(split)) for split in ("train", "dev", "test")] == [8, 1, 1]
    assert dataset.split("dev")[0].name == NAMES[8]
    assert dataset.references("dev") == [captions_of()[NAMES[8]]]
    assert dataset.name == "flickr8k"
    # None of the names is in the official lists, which place them all elsewhere: nowhere.
    assert dataset.oddities.lists_differ.count == len(NAMES)


def test_official_lists_serve_a_copy_without_lists(tmp_path):
    official = official_splits()
    counts = [list(official.values()).count(split) for split in ("train", "dev", "test")]
    assert counts == [6000, 1000, 1000]
    dev = sorted(name for name, split in official.items() if split == "dev")[:2]
    train = sorted(name for name, split in official.items() if split == "train")[:1]
    names = (*dev, *train, "unlisted.jpg")
    dataset = load(kaggle(tmp_path / "k", captions_of(names), names))
    assert dataset.name == "flickr8k"
    assert [photo.name for photo in dataset.split("dev")] == dev
    assert [photo.name for photo in dataset.split("train")] == train
    assert dataset["unlisted.jpg"].split is None
    assert dataset.oddities.listed_without_photo.count == 8000 - 3
    assert not dataset.oddities.lists_differ


def test_incomplete_lists_give_way_to_the_official_ones(tmp_path):
    official = official_splits()
    dev, train = (next(n for n, split in official.items() if split == s) for s in ("dev", "train"))
    lists = {"train": (dev, train), "dev": (), "test": ()}
    root = classic(tmp_path / "c", captions_of((dev, train)), (dev, train), lists)
    assert {photo.name for photo in load(root).split("train")} == {dev, train}
    (root / "Flickr8k_text" / "Flickr_8k.devImages.txt").unlink()
    assert [photo.name for photo in load(root).split("dev")] == [dev]


def test_other_photos_in_this_layout_are_a_data_set_of_their_own(tmp_path):
    dataset = load(kaggle(tmp_path / "mine"))
    assert dataset.name == "mine"
    assert all(photo.split for photo in dataset.photos)
    assert "drawn by photo name" in dataset.summary()
    assert not dataset.oddities.listed_without_photo


def test_photo_in_two_lists_is_kept_out_of_training(tmp_path):
    lists = {"train": NAMES, "dev": NAMES[:2], "test": NAMES[:1]}
    dataset = load(classic(tmp_path / "c", lists=lists))
    assert [dataset[name].split for name in NAMES[:3]] == ["test", "dev", "train"]
    assert dataset.oddities.listed_twice.count == 3


def test_token_file_comes_before_the_csv(tmp_path):
    root = classic(tmp_path / "c")
    (root / "captions.txt").write_text("image,caption\n1_abc.jpg,Something else .\n")
    assert list(load(root)["1_abc.jpg"].captions) == captions_of()["1_abc.jpg"]


@pytest.mark.parametrize(
    "given", [".", "..", "Flicker8k_Dataset", "Flickr8k_text", "Flicker8k_Dataset/../"]
)
def test_folder_may_be_one_above_or_below(tmp_path, given):
    root = classic(tmp_path / "above" / "c")
    dataset = load(root / given)
    assert dataset.path(dataset.photos[0]).is_file()
    assert len(dataset.split("train")) == 8


def test_nested_and_loose_parts_are_found(tmp_path):
    nested = classic(tmp_path / "nested")
    shutil.move(nested / "Flicker8k_Dataset", tmp_path / "moved")
    (nested / "Flickr8k_Dataset").mkdir()
    shutil.move(tmp_path / "moved", nested / "Flickr8k_Dataset" / "Flicker8k_Dataset")
    assert len(load(nested)) == len(NAMES)
    texts = nested / "Flickr8k_text"
    texts.rename(tmp_path / "moved")
    texts.mkdir()
    (tmp_path / "moved").rename(texts / "Flickr8k_text")
    assert len(load(nested).split("train")) == 8
    loose = classic(tmp_path / "loose", photos="images")
    for path in (loose / "Flickr8k_text").iterdir():
        shutil.move(path, loose)
    assert len(load(loose).split("train")) == 8


def test_two_data_sets_in_one_folder_ask_for_a_choice(tmp_path):
    kaggle(tmp_path / "one")
    generate_shapes(tmp_path / "two", count=1, seed=0)
    assert "'one', 'two'" in refusal(tmp_path)


def test_oddities_are_counted_and_reported(tmp_path):
    captions = captions_of()
    captions["1_abc.jpg"] = captions["1_abc.jpg"][:4] + captions["1_abc.jpg"][:1]
    captions["2_abc.jpg"] += captions["2_abc.jpg"][1:3]
    captions["3_abc.jpg"] = captions["3_abc.jpg"][:4] + ["  "]
    captions["4_abc.jpg"] = []
    captions["gone.jpg"] = ["A ghost ."]
    captions["5_abc.jpg.1"] = ["A slip .", "Another ."]
    lists = {"train": [*NAMES, "lost.jpg"], "dev": [], "test": []}
    root = classic(tmp_path / "c", captions, lists=lists)
    file = root / "Flickr8k_text" / "Flickr8k.token.txt"
    file.write_text("\nno tab here\n" + file.read_text() + "\n\n")
    dataset = load(root)
    found = dataset.oddities
    assert found.decisions == []
    assert {n: tally.count for n, tally in vars(found).items() if isinstance(tally, Tally)} == {
        "misnamed": 2,
        "captions_without_photo": 1,
        "photos_without_captions": 1,
        "repeats_kept": 1,
        "repeats_dropped": 2,
        "empty_captions": 1,
        "unreadable_rows": 2,
        "long_rows": 0,
        "wrong_caption_count": 1,
        "listed_without_photo": 1,
        "listed_twice": 0,
        "lists_differ": 10,
        "ambiguous_names": 0,
        "unknown_splits": 0,
        "loose_names": 0,
    }
    assert list(dataset["2_abc.jpg"].captions) == captions_of()["2_abc.jpg"]
    assert len(dataset["1_abc.jpg"].captions) == 5
    assert dataset["4_abc.jpg"].split is None
    assert all(dataset.references("train"))
    message = " ".join(found.sentences())
    for example in ("gone.jpg", "5_abc.jpg.1", "line 1 and line 2", "lost.jpg", "4_abc.jpg"):
        assert example in message
    assert len(found.sentences()) == 10
    assert dataset.summary().startswith("flickr8k: 10 photos with 44 captions (9 train, 0 dev,")


def test_only_examples_are_shown_of_many():
    oddities = Oddities()
    assemble([(f"{n}.jpg", "x") for n in range(1000)], ["a.jpg"], {}, oddities)
    (sentence,) = [s for s in oddities.sentences() if "not in the folder" in s]
    assert sentence.startswith("1,000 captions are left out")
    assert len(sentence) < 150


def test_a_set_may_have_any_number_of_captions_per_photo():
    oddities = Oddities()
    rows = [("a.jpg", "x"), ("b.jpg", "y"), ("b.jpg", "y")]
    photos = assemble(rows, ["a.jpg", "b.jpg"], {}, oddities, captions_each=None)
    assert [photo.captions for photo in photos] == [("x",), ("y", "y")]
    assert not oddities.wrong_caption_count


def test_names_in_caption_files_cannot_point_outside(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.jpg")
    captions = captions_of() | {"../../secret.jpg": SAYINGS, str(tmp_path / "secret.jpg"): SAYINGS}
    dataset = load(kaggle(tmp_path / "k", captions))
    assert {photo.name for photo in dataset.photos} == set(NAMES)
    assert dataset.oddities.captions_without_photo.count == 10


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("latin-1"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
    ],
)
@pytest.mark.parametrize("layout", [kaggle, classic])
def test_every_usual_encoding_gives_the_same_captions(tmp_path, encode, layout):
    root = layout(tmp_path / "set")
    file = next(p for p in root.rglob("*.txt") if p.name in ("captions.txt", "Flickr8k.token.txt"))
    file.write_bytes(encode(file.read_text(encoding="utf-8")))
    dataset = load(root)
    assert {photo.name: list(photo.captions) for photo in dataset.photos} == captions_of()


@pytest.mark.parametrize("layout", [kaggle, classic])
@pytest.mark.parametrize("noise", [bytes(range(256)) * 40, b"\xff\xd8\xff\xe0\0\x10JFIF" * 99])
def test_binary_noise_gives_a_sentence(tmp_path, layout, noise):
    root = layout(tmp_path / "set")
    file = next(p for p in root.rglob("*.txt") if p.name in ("captions.txt", "Flickr8k.token.txt"))
    file.write_bytes(noise)
    assert "binary" in refusal(root)


def test_csv_of_other_shapes(tmp_path):
    loose = csv_text({}) + "1_abc.jpg,A cat, a hat , and more .\n"
    dataset = load(kaggle(tmp_path / "unquoted", text=loose))
    assert dataset["1_abc.jpg"].captions == ("A cat, a hat , and more .",)
    extra = 'id,caption,image\n7,"A cat, a hat .",1_abc.jpg\n8,A dog,2_abc.jpg,\n9,A bird\n'
    dataset = load(kaggle(tmp_path / "extra", text=extra))
    assert dataset["1_abc.jpg"].captions == ("A cat, a hat .",)
    assert dataset["2_abc.jpg"].captions == ("A dog",)
    assert dataset.oddities.unreadable_rows.examples == ["line 4"]
    bare = "1_abc.jpg,A cat .\n2_abc.jpg,A dog .\n"
    assert load(kaggle(tmp_path / "bare", text=bare))["2_abc.jpg"].captions == ("A dog .",)


def test_unclosed_quote_costs_one_row_not_the_rest(tmp_path):
    text = 'image,caption\n1_abc.jpg,"A cat\n2_abc.jpg,A dog .\n3_abc.jpg,A bird .\n'
    dataset = load(kaggle(tmp_path / "k", text=text))
    assert dataset["2_abc.jpg"].captions == ("A dog .",)
    assert dataset["3_abc.jpg"].captions == ("A bird .",)
    text += '\n4_abc.jpg,"A cat, a dog ."\n5_abc.jpg,' + "a" * 200_000 + "\n"
    dataset = load(kaggle(tmp_path / "l", text=text))
    assert dataset["4_abc.jpg"].captions == ("A cat, a dog .",)
    assert dataset["5_abc.jpg"].captions == ()


def test_what_is_no_data_set_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path, tmp_path / "empty"):
        text = refusal(folder)
        assert "'captions.txt'" in text
        assert "'Flickr8k.token.txt'" in text
        assert "'shapes.json'" in text
    assert "is a file" in refusal(tmp_path / "notes.txt")
    assert "does not exist" in refusal(tmp_path / "missing")
    assert "No folder was given" in refusal("")
    for path in ("a\0b", "x" * 5000, "~nobody-of-this-name"):
        refusal(path)


def test_parts_that_hold_nothing_say_so(tmp_path):
    root = kaggle(tmp_path / "k", text="question,answer\n")
    assert "question," in refusal(root)
    (root / "captions.txt").write_text("image,caption\n")
    assert "no captions" in refusal(root)
    (root / "captions.txt").write_text("")
    assert "'image,caption'" in refusal(root)
    (root / "Flickr8k.token.txt").write_text("nothing\nof\nthe\nkind\n")
    assert "no captions" in refusal(root)
    shutil.rmtree(root / "Images")
    (root / "Images").mkdir()
    assert "no photos" in refusal(root)
    with pytest.raises(DatasetError, match="Looked for|is not Flickr8k"):
        read_flickr8k(tmp_path)


def test_unreadable_folder_and_file_are_reported(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    root = kaggle(tmp_path / "k")
    (root / "captions.txt").chmod(0)
    assert "cannot be read" in refusal(root)
    for mode in (0o000, 0o400, 0o100):  # nothing, names only, files only
        root.chmod(mode)
        refusal(root)
        if mode != 0o400:
            assert "cannot be opened" in refusal(root)
    root.chmod(0o700)
    (root / "Images").chmod(0)
    assert "cannot be read" in refusal(root)
    (root / "Images").chmod(0o700)


def test_a_folder_in_place_of_the_caption_file_is_reported(tmp_path):
    root = kaggle(tmp_path / "k")
    (root / "captions.txt").unlink()
    (root / "captions.txt").mkdir()
    assert "cannot be read" in refusal(root)


def test_fingerprint_follows_names_and_sizes_alone(tmp_path):
    first = load(kaggle(tmp_path / "k"))
    assert first.fingerprint == load(classic(tmp_path / "c")).fingerprint
    assert len(first.fingerprint) == 16
    (tmp_path / "k" / "captions.txt").write_text("image,caption\n9_abc.jpg,Other .\n")
    assert load(tmp_path / "k").fingerprint == first.fingerprint
    photo = tmp_path / "k" / "Images" / NAMES[0]
    photo.write_bytes(photo.read_bytes() + b"\0")
    grown = load(tmp_path / "k").fingerprint
    photo.rename(photo.with_name("renamed.jpg"))
    renamed = load(tmp_path / "k").fingerprint
    photo.with_name("renamed.jpg").unlink()
    fewer = load(tmp_path / "k")
    assert len({first.fingerprint, grown, renamed, fewer.fingerprint}) == 4
    (tmp_path / "k" / "Images" / NAMES[1]).unlink()
    assert fewer.fingerprint  # remembered, not read again
    with pytest.raises(DatasetError, match="cannot be opened now"):
        _ = (
            load(classic(tmp_path / "d"))
            .__class__("x", fewer.root, fewer.photos, fewer.folder, fewer.oddities)
            .fingerprint
        )


def test_questions_to_a_data_set(tmp_path):
    dataset = load(kaggle(tmp_path / "k"))
    assert NAMES[0] in dataset
    assert "other.jpg" not in dataset
    with pytest.raises(DatasetError, match="no photo 'other.jpg'"):
        dataset["other.jpg"]
    with pytest.raises(DatasetError, match="no split 'val'"):
        dataset.split("val")
    with pytest.raises(AttributeError):
        dataset.name = "other"


def test_verify_opens_every_photo_and_names_the_bad_ones(tmp_path):
    root = kaggle(tmp_path / "k")
    (root / "Images" / NAMES[3]).write_text("not a photo")
    (root / "Images" / "._hidden.jpg").write_text("a Macintosh leaves these")
    (root / "Images" / "Thumbs.db").write_text("and Windows these")
    progress = []
    report = verify(load(root), lambda done, total: progress.append((done, total)))
    assert [name for name, _ in report.unreadable] == [NAMES[3]]
    assert progress == [(done, 10) for done in range(1, 11)]
    assert not report.ok
    assert report.sentences()[0] == "1 of 10 photos cannot be read:"
    assert NAMES[3] in report.sentences()[1]
    (root / "Images" / NAMES[3]).unlink()
    assert verify(load(root)).sentences() == ["9 of 9 photos can be read."]


@pytest.fixture(scope="module")
def real_layouts(tmp_path_factory):
    if not (REAL / "Images").is_dir():
        pytest.skip("the measuring data is not beside the checkout")
    root = tmp_path_factory.mktemp("real")
    for layout, text in (("kaggle", "captions.txt"), ("classic", "Flickr8k_text")):
        (root / layout).mkdir()
        (root / layout / "Images").symlink_to(REAL / "Images")
        (root / layout / text).symlink_to(REAL / text)
    return load(root / "kaggle"), load(root / "classic")


@pytest.mark.slow
def test_real_flickr8k_is_whole_and_equal_in_both_layouts(real_layouts):
    kaggle_copy, classic_copy = real_layouts
    assert kaggle_copy.photos == classic_copy.photos
    assert kaggle_copy.fingerprint == classic_copy.fingerprint
    assert len(kaggle_copy) == 8091
    assert {len(photo.captions) for photo in kaggle_copy.photos} == {5}
    sizes = [len(kaggle_copy.split(split)) for split in ("train", "dev", "test")]
    assert sizes == [6000, 1000, 1000]
    assert sum(photo.split is None for photo in kaggle_copy.photos) == 91


def test_real_flickr8k_has_the_oddities_it_is_known_for(real_layouts):
    kaggle_copy, classic_copy = real_layouts
    assert classic_copy.oddities.misnamed.count == 5
    assert classic_copy.oddities.repeats_kept == kaggle_copy.oddities.repeats_kept
    assert len(kaggle_copy.oddities.sentences()) == 1
    assert len(classic_copy.oddities.sentences()) == 2
