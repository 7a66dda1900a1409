"""Words and ids."""

import json
import random

import numpy as np
import pytest

from captioning.errors import BundleError
from captioning.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary

CAPTIONS = [
    "A red kite above a tree .",
    "The red kite flies .",
    "a kite, red and large",
    "Two trees below a kite !",
]


@pytest.fixture
def vocabulary():
    return Vocabulary.build(CAPTIONS, min_count=1)


def test_the_first_four_ids_are_fixed(vocabulary):
    assert (PAD, UNK, BOS, EOS) == (0, 1, 2, 3)
    assert vocabulary.words[:4] == SPECIAL
    assert Vocabulary.build([], min_count=1).words == SPECIAL


def test_frequent_words_come_first_and_equal_ones_by_the_alphabet(vocabulary):
    assert vocabulary.words[4:7] == ("a", "kite", "red")
    once = vocabulary.words[7:]
    assert list(once) == sorted(once)
    assert set(once) == set("above and below flies large the tree trees two".split())


def test_the_order_of_captions_does_not_matter():
    shuffled = CAPTIONS * 3
    random.Random(0).shuffle(shuffled)
    assert (
        Vocabulary.build(shuffled, min_count=3).words
        == Vocabulary.build(CAPTIONS, min_count=1).words
    )


def test_rare_words_are_left_out_at_exactly_the_count():
    assert "red" in Vocabulary.build(CAPTIONS, min_count=3)
    assert "red" not in Vocabulary.build(CAPTIONS, min_count=4)
    assert "kite" in Vocabulary.build(CAPTIONS, min_count=4)


def test_captions_come_back_cleaned(vocabulary):
    ids = vocabulary.encode("The RED kite, flies!")
    assert all(isinstance(i, int) and i > EOS for i in ids)
    assert vocabulary.decode(ids) == "the red kite flies"
    assert vocabulary.encode("the purple kite")[1] == UNK
    assert vocabulary.decode([BOS, *ids, EOS, PAD, PAD]) == "the red kite flies"
    assert vocabulary.decode(np.array(ids, np.int32)) == "the red kite flies"


def test_no_caption_can_say_a_special_mark(vocabulary):
    for mark in SPECIAL:
        assert set(vocabulary.encode(mark)) <= {UNK}
        assert not {PAD, BOS, EOS} & set(vocabulary.encode(f"a {mark} kite"))


def test_rows_are_padded_on_the_right(vocabulary):
    rows = vocabulary.rows(["a kite", "", "the red kite flies"], max_length=5)
    assert rows.shape == (3, 6)
    assert rows.dtype == np.int32
    a, kite, the, red, flies = (vocabulary.id(w) for w in "a kite the red flies".split())
    assert rows.tolist() == [
        [BOS, a, kite, EOS, PAD, PAD],
        [BOS, EOS, PAD, PAD, PAD, PAD],
        [BOS, the, red, kite, flies, EOS],
    ]


def test_a_caption_that_is_too_long_keeps_its_end_mark(vocabulary):
    (row,) = vocabulary.rows(["the red kite flies"], max_length=3)
    assert vocabulary.decode(row) == "the red"
    assert row.tolist()[0] == BOS
    assert row.tolist()[-1] == EOS
    (row,) = vocabulary.rows(["the red kite flies"], max_length=2)
    assert row.tolist() == [BOS, vocabulary.id("the"), EOS]


def test_a_vocabulary_comes_back_from_its_file(vocabulary, tmp_path):
    wide = Vocabulary([*SPECIAL, "señor", "雪", "a"])
    for original in (vocabulary, wide):
        original.save(tmp_path / "vocabulary.json")
        assert Vocabulary.load(tmp_path / "vocabulary.json").words == original.words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file is missing"),
        ("", "JSON"),
        ("[]", "JSON"),
        ("3", "JSON"),
        ("[" * 100_000, "JSON"),
        ({"words": []}, "format version None"),
        ({"format_version": 2, "words": list(SPECIAL)}, "version 2"),
        ({"format_version": 1}, "words"),
        ({"format_version": 1, "words": "abc"}, "list of words"),
        ({"format_version": 1, "words": [*SPECIAL, 3]}, "list of words"),
        ({"format_version": 1, "words": ["a", "b"]}, "begin with"),
        ({"format_version": 1, "words": []}, "begin with"),
        ({"format_version": 1, "words": [*SPECIAL, "a", "b", "a"]}, "'a' occurs twice"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    path = tmp_path / "vocabulary.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(BundleError, match=message) as caught:
        Vocabulary.load(path)
    assert str(path) in str(caught.value)


def test_half_an_emoji_is_no_word(tmp_path):
    (tmp_path / "v.json").write_text(
        json.dumps({"format_version": 1, "words": [*SPECIAL, "\ud83d"]})
    )
    with pytest.raises(BundleError, match="half an emoji"):
        Vocabulary.load(tmp_path / "v.json")
