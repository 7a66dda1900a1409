"""The Evaluate page on drawn shapes: scores, parts, stopping, and two models."""

import json
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from captioning.datasets import generate_shapes
from captioning.evaluation import MISTAKES, evaluate
from pages.evaluate import hypotheses as captions_part

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shapes_here(home):
    """Forty shapes in the data folder: 32 train, 4 dev, 4 test."""
    return generate_shapes(home / "shapes", count=40, seed=3)


@pytest.fixture
def open_page(home, shapes_here, write_tiny_bundle):
    """A function that opens the page with a small real model of random weights."""
    write_tiny_bundle(home / "models" / "tiny")

    def open_(**query):
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        for key, value in {"model": "tiny", **query}.items():
            app.query_params[f"evaluate.{key}"] = value
        return app.switch_page("pages/evaluate/evaluate.py").run()

    return open_


@pytest.fixture
def evaluated(open_page):
    """A function that opens the page and evaluates."""

    def open_(**query):
        app = open_page(**query)
        if any(button.key == "evaluate.start" for button in app.button):
            app.button(key="evaluate.start").click().run()
        assert not app.exception
        return app

    return open_


def shown(app):
    kinds = ("header", "subheader", "markdown", "caption", "info", "error", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def test_nothing_is_scored_before_it_is_asked_for(open_page):
    app = open_page()
    assert not app.exception
    assert not app.metric
    assert "4 test photos" in app.button(key="evaluate.start").label


def test_the_scores_are_the_librarys_and_come_back_at_once(
    evaluated, home, shapes_here, monkeypatch
):
    app = evaluated()
    from captioning.captioner import Captioner

    expected = evaluate(Captioner.load("tiny"), shapes_here).scores
    values = {metric.label: metric.value for metric in app.metric}
    assert values["BLEU-1"] == f"{expected.bleu_1:.1f}"
    assert values["CIDEr"] == f"{expected.cider:.1f}"
    assert " to " in shown(app)
    assert "Word for word right: **0%** of its captions." in shown(app)
    assert ("look far better" in shown(app)) == (expected.bleu_4 > 10)
    # Another visitor finds them, and no photo is captioned again.
    monkeypatch.setattr(captions_part, "caption_photos", None)
    assert {m.label: m.value for m in evaluated().metric} == values


def test_what_was_written_before_a_stop_is_not_written_again(open_page, monkeypatch):
    asked = []

    def two_at_a_time(captioner, dataset, photos, decoding):
        for start in range(0, len(photos), 2):
            some = photos[start : start + 2]
            asked.extend(photo.name for photo in some)
            if len(asked) > 2 and not stopped:
                stopped.append(True)
                st.stop()
            yield {photo.name: "a red circle" for photo in some}

    stopped = []
    monkeypatch.setattr(captions_part, "caption_photos", two_at_a_time)
    app = open_page()
    app.button(key="evaluate.start").click().run()
    app.run()
    assert app.button(key="evaluate.start").label == "Resume: 2 of 4 photos left"
    app.button(key="evaluate.start").click().run()
    assert not app.exception
    assert app.metric
    assert len(set(asked[:2]) & set(asked[-2:])) == 0


def test_baselines_are_made_and_stay(evaluated):
    app = evaluated(part="Baselines")
    app.button(key="evaluate.baselines").click().run()
    assert not app.exception
    for name in ("The commonest caption", "The model blind", "The nearest photo's caption"):
        assert f"**{name}**" in shown(app)
    app.segmented_control(key="evaluate.measure").set_value("bleu_1").run()
    assert not app.exception
    assert "**The commonest caption**" in shown(app)


def test_the_same_weights_under_another_name_do_not_differ(evaluated, write_tiny_bundle, home):
    write_tiny_bundle(home / "models" / "twin")
    app = evaluated(part="Compare with a model")
    app.button(key="evaluate.rival.start").click().run()
    assert not app.exception
    assert "There is no real difference between twin and tiny" in shown(app)


def test_harder_photos_are_captioned_next_to_the_plain_one(evaluated):
    app = evaluated(part="Harder photos")
    app.button(key="evaluate.harder").click().run()
    assert not app.exception
    assert app.table[-1].value["The photo"].tolist() == [
        "as it is", "blurred", "cropped", "mirrored", "dark",
    ]  # fmt: skip
    assert app.table[-1].value["same caption"][0] == "100%"
    assert len(app.image) == 5


def test_mistakes_are_scored_next_to_the_right_way(evaluated):
    app = evaluated(part="Scoring mistakes")
    app.button(key="evaluate.mistakes").click().run()
    assert not app.exception
    table = app.table[-1].value
    assert table["Way of scoring"].tolist() == [mistake.name for mistake in MISTAKES]
    right = {metric.label: metric.value for metric in app.metric}["BLEU-4"]
    assert table["BLEU-4"][0] == right
    app.segmented_control(key="evaluate.order").set_value(1).run()
    assert "BLEU-1" in app.table[-1].value.columns


@pytest.mark.parametrize("part", ["Best and worst photos", "Export"])
def test_the_other_parts_open(evaluated, part):
    app = evaluated(part=part)
    assert not app.exception
    assert not app.error
    if part == "Export":
        assert len(app.get("download_button")) == 2
        assert "--model tiny" in shown(app)
    else:
        assert shown(app).count("CIDEr-D") >= 4


def test_a_photo_that_cannot_be_read_is_reported(open_page, shapes_here):
    bad = shapes_here.split("test")[1]
    shapes_here.path(bad).write_bytes(b"no photo")
    app = open_page()
    app.button(key="evaluate.start").click().run()
    assert not app.exception
    assert bad.name.replace("_", "") in app.error[0].value.replace("\\", "").replace("_", "")
    assert not app.metric


def test_without_a_model_the_page_says_how_to_get_one(home):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/evaluate/evaluate.py").run()
    assert not app.exception
    assert "no model here yet" in shown(app)


def test_the_report_of_the_page_is_that_of_the_command(evaluated, capsys, shapes_here):
    from captioning.__main__ import main

    figures = {metric.label: metric.value for metric in evaluated().metric}
    main(["evaluate", "--model", "tiny", "--data", str(shapes_here.root), "--json"])
    exported = json.loads(capsys.readouterr().out)
    assert f"{exported['rouge_l']:.1f}" == figures["ROUGE-L"]
