"""The tutorials' files on the Train pages: a model as a zip, a class's files as a data set."""

import os
import pickle

import numpy as np
import pytest

from captioning.datasets import available_datasets


@pytest.fixture
def train(open_page):
    """A function that opens one of the Train pages."""

    def open_(page):
        app = open_page().switch_page(f"pages/train/{page}.py").run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def brought():
    """A class's files as bytes, of forty photos."""
    names = [f"{n}.jpg" for n in range(100, 140)]
    lines = "".join(f"{name}\ta dog runs\n" for name in names)
    features = {name: np.ones((1, 2048), np.float32) for name in names}
    return lines.encode(), pickle.dumps(features)


def visible(app):
    kinds = (app.markdown, app.caption, app.error, app.success)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def bring(app, descriptions, features):
    app.file_uploader(key="new.tutorial.descriptions").set_value(
        ("descriptions.txt", descriptions, "text/plain")
    )
    app.file_uploader(key="new.tutorial.features").set_value(
        ("features.p", features, "application/octet-stream")
    )
    return app.run()


def test_a_model_is_offered_as_the_tutorials_files(train, home, model, captioner, monkeypatch):
    asked = []

    def make(chosen, *, dataset, photos):
        asked.append((chosen.name, dataset, photos))
        return b"x" * 1_500_000

    monkeypatch.setattr("captioning.tutorial_files.writing.zip_tutorial_files", make)
    app = train("compare")
    app.button(key="compare.tutorial.make").click().run()
    assert not app.exception
    assert asked == [("tiny", None, 100)]
    (button,) = app.get("download_button")
    assert "1.5 MB" in button.label


def test_a_class_s_files_become_a_data_set_to_train_on(train, home, brought):
    app = bring(train("new"), *brought)
    assert not app.exception
    figures = {metric.label: metric.value for metric in app.metric}
    assert (figures["Photos"], figures["Different words"]) == ("40", "3")
    assert "xception avg_pool" in visible(app)
    app.button(key="new.tutorial.take").click().run()
    assert [found.name for found in available_datasets()] == ["our-class"]
    key = "new.shapes-two-minutes.data"
    assert "our-class" in app.run().selectbox(key=key).options


def test_a_pickle_that_would_run_something_is_refused_and_named(train, home, brought, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'mark'}",)

    app = bring(train("new"), brought[0], pickle.dumps({"100.jpg": Trap()}))
    assert "features.p: it asks for" in visible(app)
    assert "system" in visible(app)
    assert not (tmp_path / "mark").exists()
