"""Misspellings, likeness, word pairs, kept captions."""

import json
import random

import numpy as np
import pytest
from analysis_data import dataset_of, random_dataset
from nltk.metrics.distance import edit_distance
from PIL import Image

from captioning.analysis.caption_index import build_index
from captioning.analysis.disk_cache import Written, keep_written, kept_written
from captioning.analysis.search import find
from captioning.analysis.similarity import Likeness, kept_likeness, open_likeness
from captioning.analysis.statistics import likely_misspellings, one_edit_apart
from captioning.analysis.word_pairs import count_pairs, count_words
from captioning.config import DecodingConfig
from captioning.datasets import generate_shapes
from captioning.errors import DatasetError


def test_one_edit_is_what_nltk_calls_a_distance_of_one():
    rng = random.Random(0)
    words = ["".join(rng.choice("abc") for _ in range(rng.randint(1, 5))) for _ in range(120)]
    for one in words:
        for other in words:
            near = edit_distance(one, other, transpositions=True) == 1
            assert one_edit_apart(one, other) == near, (one, other)


def test_misspellings_are_found_and_right_words_left_alone():
    common = ["running", "bicycle", "mountain", "street"]
    captions = [[" ".join(common)] for _ in range(50)]
    # A swap, a letter too many, too few, wrong; then a form, a short word, another first letter.
    captions.append(["runnnig", "bicyccle", "mountan", "strept"])
    captions.append(["streets", "runnings", "fountain", "streat7"])
    index = build_index(dataset_of(captions))
    found = likely_misspellings(index)

    assert {(word.word, word.meant) for word in found} == {
        ("runnnig", "running"),
        ("bicyccle", "bicycle"),
        ("mountan", "mountain"),
        ("strept", "street"),
    }
    assert all(len(find(index, word.query).captions) == word.count == 1 for word in found)


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Random photos, of which number 3 is a slightly changed copy of number 0 in another split."""
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    for place in range(8):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((64, 48)).save(tmp_path / f"{place:04d}.png")
    copy = Image.open(tmp_path / "0000.png").point(lambda value: min(255, value + 9))
    copy.resize((60, 50)).save(tmp_path / "0003.png")
    splits = ["train", "train", "dev", "test", "test", None, "train", "dev"]
    return dataset_of([["a thing"]] * 8, splits, folder=tmp_path)


def test_a_near_copy_is_the_nearest_and_found_across_splits(pictures):
    likeness = open_likeness(pictures)

    assert not likeness.by_meaning
    assert likeness.nearest("0000.png", 3)[0].other.name == "0003.png"
    assert likeness.nearest("0003.png", 3)[0].other.name == "0000.png"
    pair = likeness.across_splits(5)[0]
    assert (pair.one.name, pair.other.name) == ("0000.png", "0003.png")
    assert pair.cosine == pytest.approx(likeness.cosine("0000.png", "0003.png"))


def test_likeness_is_kept_and_a_broken_photo_left_out(pictures, tmp_path):
    (tmp_path / "0001.png").write_bytes(b"noise")
    progress = []
    assert kept_likeness(pictures) is None
    first = open_likeness(pictures, on_progress=lambda done, total: progress.append((done, total)))
    again = kept_likeness(pictures)

    assert progress[-1] == (8, 8)
    assert "0001.png" not in again and len(again.names) == 7
    assert np.allclose(first.vectors, again.vectors, atol=1e-3)
    with pytest.raises(DatasetError, match="cannot be compared"):
        again.nearest("0001.png")


def test_stored_features_are_used_where_they_are(pictures, tmp_path):
    features = np.random.default_rng(1).standard_normal((8, 4, 6)).astype(np.float16)
    names = [photo.name for photo in pictures.photos]
    folder = tmp_path / "data" / "features" / f"small-net-map-0-{pictures.fingerprint}"
    folder.mkdir(parents=True)
    features.tofile(folder / "features.f16")
    index = {
        "encoder": {"name": "net", "layer": "map"},
        "shape": [4, 6],
        "names": names,
        "skipped": {"0002.png": "broken"},
        "done": 8,
    }
    (folder / "index.json").write_text(json.dumps(index))
    likeness = open_likeness(pictures)

    means = features.astype(np.float32).mean(axis=1)
    one, other = means[0], means[5]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert likeness.by_meaning
    assert "net (map)" in likeness.source
    assert "0002.png" not in likeness
    assert likeness.cosine("0000.png", "0005.png") == pytest.approx(cosine, abs=1e-3)

    (folder / "index.json").write_text(json.dumps({**index, "done": 4}))
    assert not open_likeness(pictures).by_meaning


@pytest.mark.parametrize("photos", [1, 30, 300])
def test_pairs_across_splits_are_those_of_brute_force(photos):
    dataset = random_dataset(photos, photos=photos)
    vectors = np.random.default_rng(2).standard_normal((photos, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(photo.name for photo in dataset.photos)
    likeness = Likeness(dataset, names, vectors, "random", by_meaning=False)

    brute = sorted(
        (
            (float(vectors[i] @ vectors[j]), names[i], names[j])
            for i in range(photos)
            for j in range(i + 1, photos)
            if dataset[names[i]].split
            and dataset[names[j]].split
            and dataset[names[i]].split != dataset[names[j]].split
        ),
        reverse=True,
    )[:20]
    found = likeness.across_splits(20)
    assert [(p.one.name, p.other.name) for p in found] == [(i, j) for _, i, j in brute]
    assert [p.cosine for p in found] == pytest.approx([c for c, _, _ in brute], abs=1e-6)


def test_generated_shapes_can_be_compared(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path / "data"))
    dataset = generate_shapes(tmp_path / "shapes", count=20, seed=0)

    assert len(open_likeness(dataset).nearest(dataset.photos[0].name)) == 6


def test_pairs_are_counted_by_caption_in_whole_words():
    references = ["A man and a man.", "a woman", "the manatee", "two men", "a white man"]
    pairs = {(p.one.phrase, p.other.phrase): p for p in count_pairs(references, ["a man", "man"])}
    gender = pairs["man", "woman"]

    assert (gender.one.references, gender.other.references) == (2, 1)
    assert (gender.one.written, gender.other.written) == (2, 0)
    assert gender.share_in_references == pytest.approx(2 / 3)
    assert gender.share_written == 1
    assert pairs["men", "women"].share_written is None
    assert pairs["white man", "black man"].one.references == 1
    assert ("he", "she") not in pairs
    index = build_index(dataset_of([references]))
    assert len(find(index, gender.one.query).captions) == gender.one.references


def test_words_without_a_model_have_no_second_count():
    (count,) = count_words(["an elderly man", "elderly people", "a man"])

    assert (count.phrase, count.references, count.written) == ("elderly", 2, None)


def test_what_a_model_wrote_is_kept_until_the_model_changes(pictures, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "decoder.safetensors").write_bytes(b"weights")

    class Model:  # as much of a bundle as is looked at
        name = "model"

    Model.folder = folder
    written = Written({"0003.png": "a thing", "0004.png": "two things"}, {"bleu_4": 12.5})
    narrow, wide = DecodingConfig(beam_width=1), DecodingConfig(beam_width=3)

    assert kept_written(pictures, Model, "test", narrow) is None
    assert keep_written(pictures, Model, "test", narrow, written)
    assert kept_written(pictures, Model, "test", narrow) == written
    assert kept_written(pictures, Model, "test", wide) is None
    (folder / "decoder.safetensors").write_bytes(b"other weights")
    assert kept_written(pictures, Model, "test", narrow) is None
