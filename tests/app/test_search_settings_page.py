"""The Search settings page: from the form to the best settings.  Training is a stand-in."""

import time

import pytest

from captioning.config import TrainingConfig
from captioning.runs import Runs
from captioning.tuning import Studies, StudyConfig, axes_of, places_of

PAGE = "search_settings"


@pytest.fixture(autouse=True)
def standin(train_with):
    train_with("standin_trial.py")


@pytest.fixture
def page(open_page):
    """A function that opens the page, as a link would."""

    def open_(**query):
        app = open_page()
        for key, value in query.items():
            app.query_params[f"{PAGE}.{key}"] = value
        app.switch_page(f"pages/train/{PAGE}.py").run()
        assert not app.exception, app.exception
        return app

    return open_


@pytest.fixture
def searched(home):
    """A search that has come to its end, one of its trials given up."""
    studies = Studies(home)
    study = studies.create(
        StudyConfig(
            base=TrainingConfig(name="shapes", data="shapes"),
            fields=("learning_rate=1e-4:1e-2:log", "decoder.kind=merge,inject,attention"),
            trials=4,
        )
    )
    tries = [(0.001, "attention", 40.0), (0.01, "merge", 20.0), (0.0001, "inject", 50.0)]
    for number, (rate, kind, score) in enumerate([*tries, (0.002, "merge", 5.0)], 1):
        study.write_trial(number, settings={"learning_rate": rate, "decoder.kind": kind})
        state = "finished" if number < 4 else "given up"
        study.write_trial(number, state=state, score=score, scores=[score], seconds=60.0)
    study.write_status("finished")
    return studies.get(study.id)


def visible(app):
    kinds = (app.header, app.subheader, app.markdown, app.caption, app.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def metrics(app):
    return {metric.label: metric.value for metric in app.metric}


def wait(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_search_is_started_from_the_form_and_watched_to_its_end(page, home):
    app = page()
    key = f"{PAGE}.shapes-two-minutes"
    app.number_input(key=f"{key}.trials").set_value(3).run()
    app.pills(key=f"{PAGE}.fields").set_value(["learning_rate", "decoder.kind"]).run()
    app.number_input(key=f"{key}.learning_rate.To").set_value(0.05).run()
    app.pills(key=f"{key}.decoder.kind.choices").set_value(["merge", "inject"]).run()
    assert "3 trials of about" in visible(app)
    app.button(key=f"{PAGE}.start").click().run()
    assert not app.exception
    (study,) = Studies(home).all()
    assert study.config.fields[0].endswith(":0.05:log")
    assert study.config.fields[1] == "decoder.kind=merge,inject"
    wait(lambda: Studies(home).get(study.id).status.state == "finished")
    app = page(study=study.id)
    assert metrics(app)["Trials done"] == "3 of 3"
    assert len(app.get("vega_lite_chart")) == 1


def test_what_is_refused_is_refused_by_the_library(page, home):
    app = page()
    key = f"{PAGE}.shapes-two-minutes"
    app.number_input(key=f"{key}.learning_rate.From").set_value(5.0).run()
    assert "learning_rate must be from" in visible(app)
    assert not [button for button in app.button if button.key == f"{PAGE}.start"]
    app = page()
    app.pills(key=f"{PAGE}.fields").set_value([]).run()
    assert "Choose at least one field" in visible(app)
    assert Studies(home).all() == []


def test_a_finished_search_shows_its_best_and_makes_a_run_of_it(page, home, searched):
    app = page()
    found = metrics(app)
    assert (found["Best CIDEr"], found["Trials done"]) == ("50.0", "4 of 4")
    assert found["CIDEr of the preset's values"] == "40.0"  # trial 1 had those
    assert "trial 3: Learning rate **0.0001**" in visible(app)
    table = app.dataframe[0].value
    assert list(table["state"]) == ["finished", "finished", "best", "given up"]
    app.button(key=f"{PAGE}.make").click().run()
    (run,) = Runs(home).all()
    assert (run.config.learning_rate, run.config.decoder.kind) == (0.0001, "inject")
    assert (run.status.state, run.config.epochs) == ("ready", 10)
    assert "50.0" in run.note


def test_stop_continue_and_delete(page, home):
    studies = Studies(home)
    base = TrainingConfig(name="slow", data="shapes")
    study = studies.create(StudyConfig(base=base, fields=("dropout=0.1:0.6",), epochs=50))
    app = page(study=study.id)
    app.button(key=f"{PAGE}.continue").click().run()
    wait(lambda: any(run.status.state == "running" for run in studies.runs.all()))
    app.run()
    assert "Trial 1 of 8" in visible(app)
    app.button(key=f"{PAGE}.stop").click().run()
    wait(lambda: all(run.status.state == "stopped" for run in studies.runs.all()))
    app.run()
    assert "Stopped after 0 of its trials" in visible(app)
    app.button(key=f"{PAGE}.delete_this_search").click().run()
    assert not app.exception
    assert studies.all() == [] and studies.runs.all() == []


def test_lines_cross_every_axis_between_its_ends(searched):
    axes = axes_of(searched)
    assert [axis.name for axis in axes] == ["learning_rate", "decoder.kind", "CIDEr"]
    assert [text for text, _ in axes[1].marks] == ["merge", "inject", "attention"]
    rows = places_of(searched)
    assert len(rows) == 4 * 3
    at = {(row["trial"], row["axis"]): row["place"] for row in rows}
    assert at[1, "learning_rate"] == pytest.approx(0.5)  # half-way by factors
    assert (at[2, "learning_rate"], at[3, "learning_rate"]) == pytest.approx((1.0, 0.0))
    assert (at[1, "decoder.kind"], at[3, "decoder.kind"]) == (1.0, 0.5)
    assert (at[3, "CIDEr"], at[4, "CIDEr"]) == (1.0, 0.0)
