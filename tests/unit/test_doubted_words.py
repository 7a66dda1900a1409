"""How the benchmark of doubted words judges a word, and when a word counts as doubted."""

import math

import pytest

from benchmarks.doubted_words import Judged, judge, report, report_bands, report_details
from captioning.caption import Caption, Word
from captioning.config import DecodingConfig


def test_a_content_word_is_wrong_if_no_reference_has_a_form_of_it():
    words = [Word("two", -0.1), Word("dogs", -0.2), Word("on", -0.1), Word("grass", -3.0)]
    judged = judge(words, ["A dog plays.", "Two animals in a garden."])
    assert [word.wrong for word in judged] == [False, False, True]
    assert judged[2].probability == pytest.approx(math.exp(-3.0))


def test_the_report_compares_words_below_the_limit_with_the_others():
    words = [Judged(0.1, True), Judged(0.2, False), Judged(0.6, True), Judged(0.9, False)]
    words += [Judged(0.9, False)] * 4
    line = report(words, 0.25)
    assert "25% of 8 words, 50% of them wrong; others: 17% wrong; 50% of the wrong" in line


def test_words_of_similar_probability_are_counted_together():
    words = [Judged(0.3, True), Judged(0.39, False), Judged(0.4, False), Judged(0.9, True)]
    line = report_bands(words)
    assert "30% to 40%: 50%, 40% to 50%: 0%" in line and "80% to 100%: 100%" in line


def test_a_caption_is_right_without_its_wrong_details():
    words = [Word("a", -0.1), Word("dog", -0.1), Word("in", -0.1), Word("snow", -2.0)]
    caption = Caption("a dog in snow", -2.3, tuple(words), (), "tiny", 0.1, DecodingConfig())
    references = [["A dog plays on grass."], ["Snow on a dog."]]
    lines = [report_details([caption] * 2, references, at_least) for at_least in (0, 0.4)]
    assert "50% of 2 captions have no wrong word; 4.0 words" in lines[0]
    assert "100% of 2 captions have no wrong word; 2.0 words" in lines[1]


@pytest.mark.parametrize(
    ("word", "share", "doubted"), [("kite", 0.24, True), ("kite", 0.26, False), ("on", 0.1, False)]
)
def test_only_content_words_of_a_small_probability_are_doubted(word, share, doubted):
    assert Word(word, math.log(share)).is_doubted is doubted
