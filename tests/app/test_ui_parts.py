"""The parts that pages are made of: pictures, wording, sources, and what sessions share."""

import doctest
import io
import json
import math
import threading
import time
from dataclasses import replace

import altair as alt
import numpy as np
import pytest
from PIL import Image

import captioning.captioner
from captioning import storage
from captioning.caption import Caption, Word
from captioning.config import DecodingConfig, EncoderConfig
from captioning.errors import ImageError
from captioning.evaluation import MISTAKES, Interval, MistakenScore
from captioning.explain import Evidence
from pages.caption.words import evidence_chart
from pages.evaluate.baselines import interval_chart
from pages.evaluate.mistakes import mistake_chart
from pages.ui import cache, pictures, wording
from pages.ui.captions import mark_doubted, word_chart
from pages.ui.components import source_of
from pages.ui.settings import say_needs


def encode(image, kind="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("module", [wording, pictures], ids=lambda module: module.__name__)
def test_the_examples_hold(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted and not outcome.failed


@pytest.mark.parametrize("text", ["a_b*c", ":red[x] $1$ `y`", "1. one\n2. two", "<b>&amp;</b>"])
def test_plain_text_loses_nothing_but_its_markup(text):
    escaped = wording.plain(text)
    assert escaped.replace("\\", "").replace("  \n", "\n") == text
    for sign in "_*:[]$`<>&":
        assert escaped.count(sign) == escaped.count(f"\\{sign}")


@pytest.mark.parametrize("share", [1, 0.9991, 0.9, 0.5, 0.0999, 0.01, 0.00123, 1e-4, 1.2e-5])
def test_percent_keeps_two_digits_that_mean_something(share):
    text = wording.percent(math.log(share))
    if text[0].isdigit():
        assert float(text.rstrip("%")) == pytest.approx(100 * share, rel=0.05)


def test_models_that_lack_weights_come_last(monkeypatch, tmp_path):
    monkeypatch.delenv("CAPTIONING_WEIGHTS", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", storage.shipped_models)
    cache.models.clear()
    names = list(cache.models())
    lacking = {"everyday-efficientnet", "flickr8k-efficientnet", "flickr8k-xception"}
    lacking |= {"tutorial-merge"}
    assert names[:2] == ["everyday", "flickr8k-compact"]
    assert lacking == set(names[-4:])


def test_models_that_cannot_run_are_named_with_what_they_need(
    write_tiny_bundle, tmp_path, monkeypatch
):
    monkeypatch.delenv("CAPTIONING_WEIGHTS", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    shown = []
    monkeypatch.setattr("pages.ui.settings.st.caption", shown.append)
    tiny = write_tiny_bundle(tmp_path / "tiny")
    say_needs([tiny])
    assert shown == []
    encoders = {"downloads": EncoderConfig(name="xception"), "odd": EncoderConfig(name="nowhere")}
    say_needs(replace(tiny, name=name, encoder=encoder) for name, encoder in encoders.items())
    first, second = shown
    assert "downloads: the ImageNet weights are not on this machine" in first
    assert "odd: the encoder is not known here" in second


def test_a_preview_is_upright_and_keeps_its_proportions():
    photo = Image.new("RGB", (1600, 800), "white")
    photo.paste("red", (0, 0, 800, 800))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be looked at turned a quarter to the right
    data, width = cache.preview(encode(photo, exif=exif), "turned.jpg")
    shown = Image.open(io.BytesIO(data))
    assert shown.size == (500, 1000)
    assert width / 520 == pytest.approx(0.5)
    top, bottom = (np.asarray(shown)[row, 250] for row in (100, 900))
    assert top[1] < 100 < bottom[1]  # red is above, white below


def test_a_thumbnail_of_usual_proportions_is_cut_to_size():
    photo = Image.new("RGB", (600, 400), "blue")
    photo.paste("red", (150, 0, 450, 400))
    shown = Image.open(io.BytesIO(pictures.thumbnail(encode(photo), "usual.jpg")))
    assert shown.size == pictures.THUMBNAIL_SIZE
    red, _, blue = np.asarray(shown)[120, 160]
    assert red > 200 > 100 > blue


@pytest.mark.parametrize("size", [(300, 300), (300, 500), (900, 300)])
def test_a_thumbnail_of_other_proportions_shows_the_whole_photo(size):
    photo = Image.new("RGB", size, "blue")
    shown = Image.open(io.BytesIO(pictures.thumbnail(encode(photo), "other.jpg")))
    assert max(shown.size) <= pictures.THUMBNAIL_SIZE[0]
    assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize("make", [cache.preview, pictures.thumbnail])
@pytest.mark.parametrize("data", [b"", b"not a photo"])
def test_a_copy_of_what_is_no_photo_is_refused_by_name(make, data):
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        make(data, "notes.jpg")


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (300, 200), (6000, 4000)])
def test_any_shape_of_photo_has_a_preview(size):
    data, width = cache.preview(encode(Image.new("RGB", size)), "odd.jpg")
    assert width >= 1
    assert max(Image.open(io.BytesIO(data)).size) <= pictures.PREVIEW_SIDE


def test_the_chart_distinguishes_equal_words():
    words = [Word("a", -0.1), Word("dog", -2.0), Word("a", 0.0)]
    chart = word_chart(words)
    columns = {
        step["as"]: json.loads(step["calculate"].removesuffix("[datum.place]"))
        for step in chart["transform"]
    }
    assert columns["word"] == ["a", "dog", "a"]
    assert chart["data"]["sequence"]["stop"] == 3
    assert columns["share"] == pytest.approx([math.exp(w.log_prob) for w in words])


def charts_of_rows():
    rows = [Evidence("a", math.log(0.2), math.log(0.1)), Evidence("dog", math.log(0.5), -3.0)]
    yield alt.LayerChart.from_dict(word_chart([Word("a", math.log(0.9))]))
    yield evidence_chart(rows)
    yield interval_chart(["m"], {"m": 2.0}, {"m": Interval(1.0, 3.0)}, "m")
    yield mistake_chart([MistakenScore(MISTAKES[0], (1.0,) * 4, (0.0,) * 4)], 4)


@pytest.mark.parametrize("chart", list(charts_of_rows()))
def test_a_chart_of_rows_has_a_height_in_pixels_and_fits_only_its_width(chart):
    written = chart.to_dict()
    assert written["height"] >= 24  # in steps, Vega would warn
    assert written["autosize"]["type"] == "fit-x"


def test_doubted_words_are_marked_in_the_sentence_but_never_stop_words():
    shares = (("a", 0.1), ("man", 0.2), ("on", 0.9), ("a", 0.5), ("kite", 0.24), ("flies", 0.26))
    caption = Caption(
        text="a man on a kite flies",
        log_prob=-9.0,
        words=tuple(Word(word, math.log(share)) for word, share in shares),
        alternatives=(),
        model="tiny",
        seconds=0.1,
        decoding=DecodingConfig(),
    )
    marked = r"A :orange[*man*] on a :orange[*kite*] flies\."
    assert mark_doubted(caption) == (marked, ["man", "kite"])
    # A neutral word is not what the model doubted.
    neutral = replace(caption, neutral="a person on a kite flies")
    assert mark_doubted(neutral)[1] == ["kite"]
    fewer = replace(caption, neutral="a kite flies")
    assert mark_doubted(fewer) == (r"A :orange[*kite*] flies\.", ["kite"])


def test_the_source_shown_is_the_source_that_runs():
    namespace = {}
    exec("import math, re\n" + source_of("pages.ui.wording", "seconds"), namespace)
    assert namespace["seconds"](1.26) == wording.seconds(1.26)
    assert "def caption(" in source_of("captioning.captioner", "Captioner.caption")


@pytest.mark.parametrize("name", ["nothing", "percent.nothing"])
def test_a_source_that_is_not_there_is_a_mistake_of_the_page(name):
    with pytest.raises(LookupError):
        source_of("pages.ui.wording", name)


def test_eight_sessions_share_one_model_and_get_what_one_would(model, captioner, jpeg, monkeypatch):
    fast = captioner.load

    def slow(folder):
        time.sleep(0.2)
        return fast(folder)

    monkeypatch.setattr(captioning.captioner.Captioner, "load", slow)
    photos = [jpeg(("red", "green", "blue")[n % 3], (64 + n, 48)) for n in range(8)]
    texts = [""] * 8

    def session(n):
        texts[n] = cache.caption(model, photos[n], "photo", DecodingConfig()).text

    threads = [threading.Thread(target=session, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert captioner.loads == ["tiny"]
    colours = ["red", "green", "blue"] * 3
    assert texts == [f"a {colour} a" for colour in colours[:8]]


def test_a_model_written_again_under_its_name_is_loaded_again(
    model, captioner, jpeg, home, write_tiny_bundle
):
    cache.caption(model, jpeg("red"), "photo", DecodingConfig())
    again = write_tiny_bundle(home / "models" / "tiny")
    cache.caption(again, jpeg("red"), "photo", DecodingConfig())
    assert captioner.loads == ["tiny", "tiny"]
    assert len(captioner.captions) == 2


def test_the_same_photo_under_another_name_is_not_captioned_twice(model, captioner, jpeg):
    for name in ("one.jpg", "two.jpg"):
        cache.caption(model, jpeg("red"), name, DecodingConfig())
    assert len(captioner.captions) == 1
