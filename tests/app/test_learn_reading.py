"""What the lessons say can be followed by a student in the first year."""

import re

import pytest
from lesson_app import LessonApp

from pages.learn.lessons import LESSONS

MOST_YEARS = 8.0
"""Of school.  A student in the first year has had about twelve, but not always in English."""


@pytest.fixture
def lesson(open_page, monkeypatch, tmp_path):
    return lambda key: LessonApp(open_page, monkeypatch, tmp_path / "shipped", key).open()


def years_of_school(text):
    """Return the Automated Readability Index of a text (Smith and Senter 1967).

    Years of school that its reader needs, by the lengths of words and sentences.
    """
    words = re.findall(r"\w[\w'-]*", text)
    sentences = len(re.findall(r"[.!?:](?:\s|$)", text)) or 1
    letters = sum(len(word) for word in words)
    return 4.71 * letters / len(words) + 0.5 * len(words) / sentences - 21.43


def sentences_of(app):
    """Return the texts and side notes of a page that are sentences, without marks."""
    texts = [element.value for kind in (app.markdown, app.caption) for element in kind]
    plain = (re.sub(r"[\\*_`#]|\[([^\]]*)\]\([^)]*\)", r"\1", text) for text in texts)
    return [text for text in plain if "$" not in text and text.rstrip().endswith((".", "?"))]


@pytest.mark.slow
@pytest.mark.parametrize("key", [lesson.key for lesson in LESSONS])
def test_a_student_in_the_first_year_can_read_it(lesson, key):
    texts = sentences_of(lesson(key))
    assert len(" ".join(texts).split()) > 60
    assert years_of_school(" ".join(texts)) < MOST_YEARS


def test_the_measure_separates_hard_from_easy():
    easy = "The dog runs. It is brown. The boy has a ball."
    hard = (
        "Notwithstanding considerable methodological heterogeneity, convolutional representations "
        "systematically outperform handcrafted descriptors throughout contemporary evaluations."
    )
    assert years_of_school(easy) < 1 and years_of_school(hard) > 20
