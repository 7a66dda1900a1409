"""Searching captions: brute force over the raw text is the oracle."""

import random

import numpy as np
import pytest
from analysis_data import WORDS, dataset_of, random_dataset
from nltk.stem.snowball import SnowballStemmer

from captioning.analysis.caption_index import (
    PhotoRanking,
    build_index,
    open_index,
    stem,
    token_spans,
)
from captioning.analysis.disk_cache import shelf
from captioning.analysis.search import find, parse
from captioning.errors import QueryError
from captioning.text import tokenize

DATASET = random_dataset(0)
INDEX = build_index(DATASET)
SPLIT_OF = [photo.split for photo in DATASET.photos for _ in photo.captions]


def tokenized(dataset=DATASET):
    return [tokenize(caption) for photo in dataset.photos for caption in photo.captions]


def found(query, **options):
    return find(INDEX, query, **options).captions.tolist()


def expected(keep):
    return [
        number
        for number, (words, split) in enumerate(zip(tokenized(), SPLIT_OF, strict=True))
        if keep(words, split)
    ]


def has_phrase(words, *phrase):
    return any(
        tuple(words[i : i + len(phrase)]) == phrase for i in range(len(words) - len(phrase) + 1)
    )


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("dog", lambda w, s: "dog" in w),
        ("dog cat", lambda w, s: "dog" in w and "cat" in w),
        ("dog AND cat", lambda w, s: "dog" in w and "cat" in w),
        ("dog OR cat", lambda w, s: "dog" in w or "cat" in w),
        ("NOT a", lambda w, s: "a" not in w),
        ("dog OR cat red", lambda w, s: "dog" in w or ("cat" in w and "red" in w)),
        ("(dog OR cat) red", lambda w, s: ("dog" in w or "cat" in w) and "red" in w),
        ("NOT (dog OR NOT cat)", lambda w, s: "dog" not in w and "cat" in w),
        ("NOT NOT dog", lambda w, s: "dog" in w),
        ('"red dog"', lambda w, s: has_phrase(w, "red", "dog")),
        ('"the the"', lambda w, s: has_phrase(w, "the", "the")),
        ("t-shirt", lambda w, s: "tshirt" in w),
        ("DOG", lambda w, s: "dog" in w),
        ("~run", lambda w, s: "runs" in w or "running" in w),
        ("~jumped", lambda w, s: "jumps" in w),
        ("~zebra", lambda w, s: False),
        ("~dogs", lambda w, s: "dog" in w or "dogs" in w),
        ('"dogs"', lambda w, s: "dogs" in w),
        ("len:5", lambda w, s: len(w) == 5),
        ("len:>8", lambda w, s: len(w) > 8),
        ("len:>=8", lambda w, s: len(w) >= 8),
        ("len:<3", lambda w, s: len(w) < 3),
        ("len:4..6", lambda w, s: 4 <= len(w) <= 6),
        ("split:test dog", lambda w, s: s == "test" and "dog" in w),
        ("split:none", lambda w, s: s is None),
        ('start:"a"', lambda w, s: w[0] == "a"),
        ('start:"the red"', lambda w, s: w[:2] == ["the", "red"]),
        ("nowhere", lambda w, s: False),
    ],
)
def test_finds_what_reading_every_caption_finds(query, keep):
    assert found(query) == expected(keep)
    # An empty answer would also pass if nothing were ever found.
    assert query in ("nowhere", "~zebra") or found(query)


def test_random_combinations_agree_with_brute_force():
    rng = random.Random(1)
    for _ in range(200):
        query, keep = random_query(rng, 3)
        assert found(query) == expected(lambda w, s, keep=keep: keep(w)), query


def random_query(rng, depth):
    if depth == 0 or rng.random() < 0.3:
        words = tuple(tokenize(rng.choice(WORDS))[0] for _ in range(rng.choice([1, 1, 2])))
        return f'"{" ".join(words)}"', lambda w: has_phrase(w, *words)
    if rng.random() < 0.3:
        text, keep = random_query(rng, depth - 1)
        return f"NOT ({text})", lambda w: not keep(w)
    (one, first), (other, second) = (random_query(rng, depth - 1) for _ in range(2))
    if rng.random() < 0.5:
        return f"({one}) ({other})", lambda w: first(w) and second(w)
    return f"({one} OR {other})", lambda w: first(w) or second(w)


def test_forms_makes_bare_words_stems_but_not_quoted_ones():
    assert found("dogs", forms=True) == expected(lambda w, s: "dog" in w or "dogs" in w)
    assert found('"dogs"', forms=True) == expected(lambda w, s: "dogs" in w)


def test_rare_counts_training_captions_alone():
    dataset = dataset_of(
        [["a dog", "a dog"], ["a bird"], ["a dog flies"]], ["train"] * 2 + ["test"]
    )
    index = build_index(dataset)

    assert find(index, "rare:<1").captions.tolist() == [3]
    assert find(index, "rare:<2").captions.tolist() == [2, 3]
    assert find(index, "rare:<4").captions.tolist() == [0, 1, 2, 3]


def test_a_phrase_does_not_reach_into_the_next_caption():
    index = build_index(dataset_of([["a red", "dog runs"]]))

    assert find(index, '"red dog"').captions.tolist() == []


def test_the_words_that_matched_are_marked_in_the_raw_caption():
    dataset = dataset_of([['A "Red" dog, two DOGS .', "no dog"]])
    index = build_index(dataset)

    def marked(query, caption=0):
        raw = index.captions[caption]
        return [raw[a:b] for a, b in find(index, query).spans(caption)]

    assert marked("dog") == ["dog,"]
    assert marked("~dog") == ["dog,", "DOGS"]
    assert marked('"red dog"') == ['"Red"', "dog,"]
    assert marked("two NOT no") == ["two"]
    assert marked("len:5") == []


def test_photos_of_a_search_come_once_and_know_their_captions():
    search = find(INDEX, "dog")

    assert [photo.name for photo in search.photos] == sorted({p.name for p in search.photos})
    again = np.concatenate([search.captions_of(place) for place in range(len(search.photos))])
    assert again.tolist() == search.captions.tolist()
    for place, photo in enumerate(search.photos):
        raws = {INDEX.captions[c] for c in search.captions_of(place)}
        assert raws <= set(photo.captions)


@pytest.mark.parametrize(
    "query",
    ["", "   ", "\"dog", "dog OR", "AND dog", "NOT", "(dog", "dog)", "()", "len:x", "len:",
     "len:5..",
     "split:exam", "colour:red", "...", '""', 'start:""', "dog AND OR cat", "(" * 5000,
     "NOT " * 5000 + "dog", "~", "len:99999999999"],
)  # fmt: skip
def test_a_search_that_means_nothing_gets_a_sentence(query):
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert str(caught.value).rstrip().endswith(".")
    assert len(str(caught.value)) < 250 or len(query) > 250


def test_any_typing_gives_captions_or_a_sentence():
    rng = random.Random(2)
    pieces = [
        "dog",
        '"',
        "(",
        ")",
        "AND",
        "OR",
        "NOT",
        "~",
        "len:",
        "len:>3",
        "split:",
        "é",
        "\n",
        "-",
    ]
    for _ in range(500):
        text = "".join(rng.choice(pieces) + rng.choice(["", " "]) for _ in range(rng.randint(1, 8)))
        try:
            find(INDEX, text)
        except QueryError as error:
            assert str(error)


def test_token_spans_are_the_words_of_the_tokenizer():
    rng = random.Random(3)
    letters = "aB .,'-\t\u00a0é!\"\u2003İ"
    for _ in range(500):
        text = "".join(rng.choice(letters) for _ in range(rng.randint(0, 20)))
        spans = list(token_spans(text))
        assert [span.word for span in spans] == tokenize(text)
        assert all(tokenize(text[span.start : span.end]) == [span.word] for span in spans)


def test_the_stemmer_is_nltks():
    assert [stem(word) for word in WORDS] == [SnowballStemmer("english").stem(w) for w in WORDS]


def same(one, other):
    return (
        one.words == other.words
        and one.captions == other.captions
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("photo_of", "stems", "tokens", "starts", "order", "word_starts")
        )
    )


def test_the_index_is_kept_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    built = open_index(DATASET)
    kept = shelf(DATASET) / "captions.npz"
    written = kept.stat().st_mtime_ns

    assert same(open_index(DATASET), built)
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["noise", "empty", "half", "other", "folder"])
def test_a_damaged_index_is_built_again(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("CAPTIONING_DATA", str(tmp_path))
    built = open_index(DATASET)
    path = shelf(DATASET) / "captions.npz"
    whole = path.read_bytes()
    path.unlink()
    match damage:
        case "noise":
            path.write_bytes(random.Random(4).randbytes(5000))
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(whole[: len(whole) // 2])
        case "other":
            np.savez(path, version=np.array(1), words=np.zeros(3, np.uint8))
        case "folder":
            path.mkdir()

    assert same(open_index(DATASET), built)


def test_an_index_that_cannot_be_kept_still_works(tmp_path, monkeypatch):
    place = tmp_path / "a file"
    place.write_text("not a folder")
    monkeypatch.setenv("CAPTIONING_DATA", str(place))

    assert same(open_index(DATASET), INDEX)


def test_another_caption_is_another_index():
    one, other = dataset_of([["a dog"]]), dataset_of([["a cat"]])

    assert shelf(one) != shelf(other)
    assert shelf(one) != shelf(dataset_of([["a dog"]], ["test"]))


def test_a_data_set_without_captions_has_an_index():
    index = build_index(dataset_of([[], []]))

    assert find(index, "dog").photos == ()
    assert PhotoRanking(index).nearest("a dog") == []


def test_photos_are_ranked_by_shared_rare_words():
    dataset = dataset_of([["a dog runs", "the dog"], ["a cat sleeps"], ["a dog and a zebra run"]])
    hits = PhotoRanking(build_index(dataset)).nearest("zebras running")

    assert [hit.photo.name for hit in hits] == ["0002.png", "0000.png"]
    assert [word for word, _ in hits[0].words] == ["zebras", "running"]
    assert hits[0].score == pytest.approx(sum(added for _, added in hits[0].words))
    assert PhotoRanking(build_index(dataset)).unknown("a purple zebra") == ["purple"]


def test_a_photos_own_captions_find_it():
    captions = [[f"a thing{n} near thing{n + 1}", f"thing{n} alone"] for n in range(30)]
    ranking = PhotoRanking(build_index(dataset_of(captions)))

    for place, (first, _) in enumerate(captions):
        assert ranking.nearest(first)[0].photo.name == f"{place:04d}.png"
