"""The worksheet: one page, whole by itself, with nothing in it that could run or load."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from captioning.lessons.worksheet import (
    Ask,
    Formula,
    Heading,
    Picture,
    Table,
    Text,
    Worksheet,
    write,
)

NASTY = '<script>alert("1")</script> & \'"><img src=x onerror=y>'


def picture(kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(buffer, kind)
    return buffer.getvalue()


class Reader(HTMLParser):
    """Collects tags with their attributes, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.said, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)


@pytest.fixture
def sheet():
    parts = [
        Heading(NASTY),
        Text(NASTY),
        Picture(picture(), NASTY, NASTY),
        Table([NASTY, "n"], [[NASTY, 1], ["b", 2.5]], NASTY),
        Formula(NASTY),
        Formula("a", picture()),
        Ask(NASTY, lines=4),
    ]
    return Worksheet(NASTY, NASTY, picture("JPEG"), NASTY, NASTY, NASTY, parts)


def test_all_text_is_escaped_and_nothing_runs_or_loads(sheet):
    read = Reader(write(sheet))
    assert not read.open
    assert {tag for tag, _ in read.tags} <= set(
        "html head meta title style body h1 h2 p span figure figcaption img blockquote table tr td "
        "th div code".split()
    )
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "href"]
        if tag == "img":
            assert attributes["src"].startswith("data:image/") and attributes["alt"]
    assert "url(" not in write(sheet) and "@import" not in write(sheet)
    assert "".join(read.said).count(NASTY) >= 9


def test_pictures_are_inside_the_page_as_they_were(sheet):
    found = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', write(sheet))
    assert [kind for kind, _ in found] == ["jpeg", "png", "png"]
    assert base64.b64decode(found[0][1]) == picture("JPEG")
    assert base64.b64decode(found[1][1]) == picture()


def test_a_question_leaves_as_many_lines_as_it_asks_for(sheet):
    assert write(sheet).count('<div class="line"></div>') == 4


def test_a_picture_has_the_size_it_was_drawn_for():
    text = write(Worksheet("t", "i", None, "n", "c", "m", [Picture(picture(), "a", "", 48)]))
    assert 'width="8"' in text


def test_it_prints_on_a4_and_is_white(sheet):
    text = write(sheet)
    assert "size: A4" in text and "background: #fff" in text


def test_a_sheet_without_a_photo_has_none():
    text = write(Worksheet("t", "i", None, "n", "c", "m"))
    assert "<img" not in text and "<blockquote>c</blockquote>" in text
