"""The Train pages: a run from the form to its model.  Training itself is a stand-in."""

import json
import re
import time

import pytest

from captioning.bundle import read_bundle
from captioning.config import TrainingConfig
from captioning.datasets.shapes import generate_shapes
from captioning.runs import Runs, presets, published_model, read_curves
from pages.ui.wording import plain


@pytest.fixture(autouse=True)
def standin(train_with):
    train_with("standin.py")


@pytest.fixture
def train(open_page):
    """A function that opens one of the Train pages, as a link would."""

    def open_(page, **query):
        app = open_page()
        for key, value in query.items():
            app.query_params[key.replace("_", ".", 1)] = value
        app.switch_page(f"pages/train/{page}.py").run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def finished(home, write_tiny_bundle):
    """A finished run with curves, a filmstrip and a model."""
    from captioning.config import TrainingConfig

    runs = Runs(home)
    run = runs.create(TrainingConfig(name="first", data="shapes", epochs=2, shapes_count=40))
    events = []
    for number, loss in ((1, 3.0), (2, 2.0)):
        captions = [f"caption {number}"]
        strip = {"photos": ["shapes_00008.png"], "captions": captions}
        figures = {"loss": loss, "dev_loss": loss, "cider": 10 + number, "bleu_4": 45.6, "n": 10}
        more = {"forced_bleu_4": 50.0, "learning_rate": 0.01, "seconds": 9.0, "time": 1e9}
        more |= {"exact_match": 25.0}
        events += [
            {"event": "filmstrip", "epoch": number, **strip},
            {"event": "epoch", "epoch": number, **figures, **more},
        ]
    (run.folder / "events.jsonl").write_text("".join(json.dumps(t) + "\n" for t in events))
    run.write_status(run.status.replace(state="finished", epoch=2, steps=5, step=5))
    facts = {"verdict": "CIDEr on 9 dev photos: 12.0. The model beats both."}
    write_tiny_bundle(run.bundle_folder, metrics={"training": facts})
    return runs.get(run.id)


def visible(app):
    kinds = (app.header, app.subheader, app.markdown, app.caption, app.error, app.warning)
    return "\n".join(element.value for kind in kinds for element in kind)


def wait(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_is_started_from_the_form_and_watched_to_its_end(train, home):
    app = train("new")
    app.number_input(key="new.shapes-two-minutes.epochs").set_value(2).run()
    app.text_input(key="new.note").set_value("my first").run()
    app.button(key="new.start").click().run()
    (run,) = Runs(home).all()
    assert (run.config.epochs, run.note) == (2, "my first")

    def ended():
        Runs(home).reconcile()
        return Runs(home).get(run.id).status.state == "finished"

    wait(ended)
    app = train("watch", watch_run=run.id)
    assert {m.label: m.value for m in app.metric}["Epoch"] == "2 of 2"
    assert len(app.get("vega_lite_chart")) == 2


def test_a_preset_shows_five_settings_and_folds_the_rest_away(train):
    app = train("new")
    fields = [*app.text_input, *app.selectbox, *app.number_input]
    folded = app.expander[0]
    inside = {f.key for kind in ("selectbox", "number_input") for f in folded.get(kind)}
    shown = [f.label for f in fields if f.key.startswith("new.shapes") and f.key not in inside]
    assert sorted(shown) == ["Data set", "Epochs", "Learning rate", "Name", "Start from"]
    assert folded.label == "All other settings"
    labels = {f.label for kind in ("selectbox", "number_input") for f in folded.get(kind)}
    assert "Weight averaging" in labels and "Ema momentum" not in labels


def test_photos_of_ones_own_begin_with_the_default_model(train, home, write_tiny_bundle, jpeg):
    write_tiny_bundle(home / "models" / "tiny")
    folder = home / "holiday"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.jpg").write_bytes(jpeg("red"))
    (folder / "captions.csv").write_text(
        "image,caption\n" + "".join(f"{n}.jpg,a red square\n" for n in range(10))
    )
    app = train("new", new_preset="Your photos: of another day")
    assert app.pills(key="new.preset").value == "Your photos: holiday"
    assert "8 training photos are very few" in visible(app)
    share = next(box for box in app.selectbox if box.label == "Share of the first model")
    assert (share.value, share.options[0]) == (None, "chosen on dev")
    share.set_value(0.25).run()
    app.button(key="new.start").click().run()
    (run,) = Runs(home).all()
    assert (run.config.data, run.config.start_from) == ("holiday", "tiny")
    assert run.config.start_share == 0.25
    assert run.config.decoder == read_bundle("tiny").decoder


def test_a_wrong_value_is_refused_by_the_library_itself(train, home):
    app = train("new")
    app.number_input(key="new.shapes-two-minutes.epochs").set_value(0).run()
    assert "epochs must be at least 1, got 0" in app.error[0].value.replace("\\", "")
    assert not [button for button in app.button if button.key == "new.start"]
    assert Runs(home).all() == []


@pytest.mark.parametrize("preset", [p.title for p in presets() if p.config.data != "shapes"])
def test_a_preset_whose_data_is_not_there_says_so(train, preset):
    app = train("new")
    app.pills(key="new.preset").set_value(preset).run()
    assert not app.exception
    assert "flickr8k" in app.error[0].value
    assert not [button for button in app.button if button.key == "new.start"]


def test_views_are_counted_as_soon_as_they_are_asked_for(home):
    from pages.train.cache import sizes_of

    (config,) = (p.config for p in presets() if p.path.stem == "shapes-two-minutes")
    counted = [
        len(sizes_of(config.replace(crops=crops, horizontal_flip=flips)).views)
        for crops, flips in ((0, False), (0, True), (2, False), (2, True))
    ]
    assert counted == [0, 1, 2, 5]


def test_teachers_are_chosen_among_the_models(train, home, write_tiny_bundle):
    write_tiny_bundle(home / "models" / "wise")
    app = train("new")
    teachers = app.pills(key="new.shapes-two-minutes.teachers")
    assert (teachers.options, teachers.value) == (["wise"], [])
    teachers.set_value(["wise"]).run()
    app.button(key="new.start").click().run()
    (run,) = Runs(home).all()
    assert run.config.teachers == ("wise",)


def test_what_cannot_fit_cannot_be_started(train, monkeypatch):
    monkeypatch.setattr("captioning.runs.estimate.available_memory", lambda: 1_000_000)
    app = train("new")
    assert "of memory" in app.error[0].value
    assert app.button(key="new.start").disabled


@pytest.mark.slow
def test_stop_resume_and_delete(train, home):
    runs = Runs(home)
    from captioning.config import TrainingConfig

    run = runs.create(TrainingConfig(name="slow", data="shapes", epochs=50), note="slow")
    app = train("watch", watch_run=run.id)
    app.button(key="watch.start").click().run()
    wait(lambda: read_curves(run).steps)
    app.run()
    app.button(key="watch.stop").click().run()
    wait(lambda: runs.get(run.id).status.state == "stopped")
    app.run()
    assert "Stopped in epoch" in visible(app)
    app.button(key="watch.resume").click().run()
    wait(lambda: read_curves(run).resumed)
    runs.stop(run.id)
    wait(lambda: runs.get(run.id).status.state == "stopped")
    app.run()
    app.button(key="watch.delete_this_run").click().run()
    assert not app.exception
    assert runs.all() == []


def test_a_dead_run_says_so(train, home, finished):
    finished.write_status(finished.status.replace(state="running"))
    app = train("watch", watch_run=finished.id)
    assert "ended unexpectedly" in visible(app)


def test_a_finished_run_shows_its_results(train, home, finished, captioner):
    generate_shapes(home / "shapes-40-0", count=40, seed=0)
    app = train("watch", watch_run=finished.id)
    text = visible(app)
    assert "What it learned" in text and "**caption 2**" in text
    assert plain("CIDEr on 9 dev photos: 12.0. The model beats both.") in text
    assert "Nearest reference" in text
    assert "Word for word right: **25%**" in app.info[0].value
    app.button(key="watch.try.shapes_00009.png").click().run()
    assert not app.exception and captioner.captions[-1][0] == "bundle"
    app.button(key="watch.use").click().run()
    assert not app.exception
    assert published_model(finished).name == "first"


def test_a_run_without_a_model_shows_no_result(train, home):
    run = Runs(home).create(TrainingConfig(data="shapes"))
    assert "What it learned" not in visible(train("watch", watch_run=run.id))


def test_the_filmstrip_can_be_wound_back(train, finished):
    app = train("watch", watch_run=finished.id)
    assert "caption 2" in visible(app)
    app.toggle(key="watch.follow").set_value(False).run()
    app.select_slider(key="watch.epoch").set_value(1).run()
    assert "caption 1" in visible(app)


def test_notes_are_kept(train, home, finished):
    app = train("watch", watch_run=finished.id)
    app.text_area(key=f"watch.note.{finished.id}").set_value("better data").run()
    assert Runs(home).get(finished.id).note == "better data"


def test_clone_opens_the_form_with_the_run_s_settings(train, finished):
    app = train("new", new_base=finished.id)
    assert app.number_input(key=f"new.{finished.id}.shapes_count").value == 40


def test_runs_are_compared_exported_and_published(train, home, finished):
    runs = Runs(home)
    runs.clone(finished.id, {"learning_rate": 0.5})
    app = train("compare")
    table = app.table[0].value
    row = table[table.iloc[:, 0].str.replace("\\", "") == "learning_rate"]
    assert set(row.iloc[0, 1:]) == {"0\\.001", "0\\.5"}
    app.selectbox(key="compare.run").set_value(finished.id).run()
    assert len(app.get("download_button")) == 3
    app.text_input(key=f"compare.model.{finished.id}").set_value("kept").run()
    app.text_input(key="compare.by").set_value("Ada").run()
    app.button(key="compare.publish").click().run()
    assert "by Ada" in visible(app)
    assert re.search("kept", app.success[0].value)
    assert (home / "models" / "kept" / "config.json").is_file()
    app.text_input(key="compare.new_name.kept").set_value("renamed").run()
    app.button(key="compare.rename.kept").click().run()
    assert (home / "models" / "renamed" / "config.json").is_file()
    app.button(key="compare.unpublish.renamed").click().run()
    assert not (home / "models" / "renamed").exists()


def test_a_step_is_laid_open(train, monkeypatch):
    from captioning.training import stepwise

    word = stepwise.Target("<bos>", "a", 0.7, 0.5, 0.6, (("a", 0.5), ("red", 0.2)))

    class Fake:
        def __init__(self, config, dataset):
            self.photo = dataset.split("train")[0].name
            self.taken = 0

        def step(self):
            self.taken += 1
            rows = (("<bos>", "<pad>"),)
            return stepwise.Step(
                self.taken, 1.5, 0.01, (self.photo,), rows, rows, ((word,),), {"lstm": 2.0}
            )

    monkeypatch.setattr(stepwise, "StepByStep", Fake)
    app = train("step")
    app.button(key="step.more").click().run()
    app.button(key="step.more").click().run()
    assert not app.exception
    assert "Step 2" in [title.value for title in app.subheader]
    shown = app.dataframe[0].value
    assert list(shown["should predict"]) == ["a"]
    assert list(shown["after"]) == [60.0]
    app.selectbox(key="step.kind").set_value("merge").run()
    assert not app.dataframe  # another model starts from the beginning


@pytest.mark.parametrize("page", ["watch", "compare"])
def test_a_damaged_run_is_named_and_the_others_are_shown(train, home, finished, page):
    (home / "runs" / "broken").mkdir()
    (home / "runs" / "broken" / "config.json").mkdir()
    (finished.folder / "status.json").write_text('{"state": ["x"], "created": "today"}')
    app = train(page)
    assert "The run broken is left out" in visible(app)
    assert finished.id in visible(app) or finished.id in str(app.selectbox) + str(app.get("pills"))
