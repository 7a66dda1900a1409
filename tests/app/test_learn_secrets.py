"""No lesson shows the answer of its guess before the guess is given."""

import re

import pytest
from lesson_app import LessonApp

from pages.learn.lessons import LESSONS

WIDGETS = {
    "radio", "selectbox", "slider", "select_slider", "number_input", "text_input", "text_area",
    "button", "button_group", "toggle", "checkbox", "file_uploader", "download_button",
}  # fmt: skip
ANSWER_IS_A_SECRET_WORD = {"overview", "words", "decoding"}
"""In the others the answer is one of a few words that the lesson itself names."""


@pytest.fixture
def lesson(open_page, monkeypatch, tmp_path, request):
    return LessonApp(open_page, monkeypatch, tmp_path / "shipped", request.param)


def everything_on(app):
    """All that a page shows, as text: tables, diagrams and descriptions of pictures as well."""
    found = []
    for element in app.main:
        if element.type == "table":
            found.append(element.value.to_string())
        elif element.type not in WIDGETS:
            found.append(str(element.proto))
    return "\n".join(found).replace("\\", "")


def shows(text, secret):
    return re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w.]*\d)", text) is not None


def secrets_of(answer, *, word):
    """The answer where it is a word to find out, and every number with which it is explained."""
    right = re.search(r"The answer is \*\*(.+?)\*\*", answer)[1]
    figures = re.findall(r"\d+\.\d+|\d+(?:\.\d+)?%|\d+ × \d+ of", answer)
    figures = [figure for figure in figures if figure.strip("%") not in ("0.0", "100.0", "0.001")]
    return [right, *figures] if word else figures


@pytest.mark.slow
@pytest.mark.parametrize("lesson", [found.key for found in LESSONS], indirect=True)
def test_the_answer_is_not_on_the_page_before_the_guess(lesson):
    app = lesson.open()
    before = everything_on(app)
    (first, *_) = [b.key for b in app.button if b.key and b.key.endswith(".show")]
    lesson.show(first.removesuffix(".show"))
    answer = next(str(m.value) for m in app.markdown if "The answer is" in str(m.value))
    answer = answer.replace("\\", "")
    secrets = secrets_of(answer, word=lesson.key in ANSWER_IS_A_SECRET_WORD)
    assert secrets
    assert [secret for secret in secrets if shows(before, secret)] == []
