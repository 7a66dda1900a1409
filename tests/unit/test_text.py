"""What a word is, in the languages and scripts people write captions in."""

import unicodedata

import pytest

from captioning.metrics import score_captions
from captioning.text import clean, join_words, tokenize
from captioning.vocabulary import Vocabulary

PLAIN = "it's the dog's \"ball\" - a red one..."
CURLY = "it’s the dog’s “ball” — a red one…"


def test_ascii_is_cleaned_as_ever():
    assert tokenize("A DOG runs, T-shirt & 2 $cats_!") == [
        "a",
        "dog",
        "runs",
        "tshirt",
        "2",
        "cats",
    ]
    assert clean("  ") == ""


@pytest.mark.parametrize(
    "mark", [*"‘’‚‛“”„‟«»‹›–—…·•¡¿。、「」，！？；：।॥،؟؛۔׃·՞", "´", "ʼ", "\u00ad", "\ufeff"]
)
def test_punctuation_of_unicode_is_stripped_as_that_of_ascii(mark):
    assert tokenize(f"{mark}dog{mark} runs {mark}") == ["dog", "runs"]


def test_curly_marks_change_no_score():
    scores = score_captions([CURLY, "a dog"], [[PLAIN], ["a dog"]])
    assert scores.as_dict()["bleu_1"] == pytest.approx(100)
    assert tokenize(CURLY) == tokenize(PLAIN)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("Ein Hund läuft über die Straße.", "ein hund läuft über die straße"),
        ("कुत्ता दौड़ रहा है।", unicodedata.normalize("NFC", "कुत्ता दौड़ रहा है")),
        ("كلب، يركض؟", "كلب يركض"),
        ("a 🐶 runs 🏃", "a 🐶 runs 🏃"),
        ("一只狗在草地上奔跑。", "一 只 狗 在 草 地 上 奔 跑"),
        ("3只dog跑", "3 只 dog 跑"),
        ("犬がボールで遊ぶ", "犬 が ボ ー ル で 遊 ぶ"),
        ("น้ำที่", "น้ ำ ที่"),
        ("개가 달린다", "개가 달린다"),
    ],
)
def test_words_of_other_languages(caption, words):
    assert tokenize(caption) == words.split()
    assert tokenize(clean(caption)) == tokenize(caption)
    assert tokenize(join_words(tokenize(caption))) == tokenize(caption)


def test_accents_in_two_unicode_forms_are_one_word():
    assert tokenize(unicodedata.normalize("NFD", "Café Käse")) == tokenize("café käse")


def test_chinese_captions_make_a_vocabulary_and_come_back_without_spaces():
    vocabulary = Vocabulary.build(["一只狗在草地上奔跑。", "一只狗。", "一只红狗"], min_count=3)
    assert set(vocabulary.words[4:]) == set("一只狗")
    assert vocabulary.decode(vocabulary.encode("一只狗")) == "一只狗"
    assert vocabulary.decode([2, *vocabulary.encode("一只狗"), 3]) == "一只狗"
