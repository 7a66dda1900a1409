"""The tutorials' files: written as their scripts read them, read without running anything."""

import os
import pickle

import numpy as np
import pytest

from captioning.errors import FeaturesError
from captioning.text import tokenize
from captioning.tutorial_files import (
    read_descriptions,
    read_features,
    write_descriptions,
    write_features,
)


def test_descriptions_go_out_and_come_back(shapes, tmp_path):
    path = tmp_path / "descriptions.txt"
    count = write_descriptions(shapes, path)
    found = read_descriptions(path)
    assert sum(map(len, found.values())) == count == 5 * len(shapes.split("train"))
    photo = shapes.split("train")[0]
    assert found[photo.name] == [" ".join(tokenize(caption)) for caption in photo.captions]


def test_a_line_without_a_tab_is_named(tmp_path):
    path = tmp_path / "descriptions.txt"
    path.write_text("a.jpg\ta kite\nnonsense\n")
    with pytest.raises(FeaturesError, match="line 2"):
        read_descriptions(path)


def test_descriptions_have_at_most_a_million_lines(tmp_path):
    path = tmp_path / "descriptions.txt"
    path.write_text("\n" * 1_000_000)
    assert read_descriptions(path) == {}
    path.write_text("\n" * 1_000_001)
    with pytest.raises(FeaturesError, match="more than 1,000,000 lines"):
        read_descriptions(path)


def test_features_are_what_any_script_unpickles(tmp_path):
    path = tmp_path / "features.p"
    rows = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float16)
    write_features(["a.jpg", "b.jpg", "c.jpg"], rows, path)
    plain = pickle.loads(path.read_bytes())
    ours = read_features(path)
    for name, row in zip(plain, rows, strict=True):
        assert ours[name].shape == (1, 8)
        np.testing.assert_array_equal(ours[name], plain[name])
        np.testing.assert_array_equal(ours[name][0], row.astype(np.float32))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.process
def test_features_of_any_protocol_are_read(tmp_path, protocol):
    path = tmp_path / "features.p"
    rows = np.arange(6).reshape(2, 3)
    content = {f"{kind}.jpg": rows.astype(kind) for kind in ("float32", "float64", "int64")}
    path.write_bytes(pickle.dumps(content, protocol))
    found = read_features(path)
    assert list(found) == list(content)
    for name, expected in content.items():
        np.testing.assert_array_equal(found[name], expected)


class Trap:
    def __init__(self, function, *arguments):
        self.what = function, arguments

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize(
    ("trap", "name"),
    [
        (lambda mark: Trap(os.system, f"touch {mark}"), "system"),
        (lambda mark: Trap(eval, f"open({str(mark)!r}, 'w')"), "eval"),
        (lambda mark: Trap(getattr, "x", "upper"), "getattr"),
        (lambda mark: Trap(np.fromfile, str(mark)), "fromfile"),
        (lambda mark: np.array([Trap(os.mkdir, str(mark))], dtype=object), "'O8'"),
    ],
)
@pytest.mark.process
def test_a_pickle_that_would_run_something_is_refused_and_named(tmp_path, trap, name):
    mark, path = tmp_path / "mark", tmp_path / "features.p"
    path.write_bytes(pickle.dumps({"a.jpg": trap(mark)}))
    with pytest.raises(FeaturesError, match=name):
        read_features(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [[1, 2], {"a.jpg": "text"}, {1: np.zeros(2)}, {"a": np.array(["x"])}]
)
@pytest.mark.process
def test_other_contents_are_refused_in_words(tmp_path, content):
    path = tmp_path / "features.p"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(FeaturesError):
        read_features(path)


def test_damage_is_refused_in_words(tmp_path):
    path = tmp_path / "features.p"
    write_features(["a"], [np.zeros(3)], path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FeaturesError, match="no pickle that can be read"):
        read_features(path)
