"""Searches for good settings: fields, proposals, and trials that survive kills."""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from standin_trial import score

from captioning.config import TrainingConfig
from captioning.errors import ConfigError, RunError
from captioning.runs import control, read_curves
from captioning.tuning import (
    Studies,
    Study,
    StudyConfig,
    StudyStatus,
    Trial,
    parse_field,
    searchable,
    suggested,
)
from captioning.tuning.proposals import importances, propose, worse_than_median

STANDIN = str(Path(__file__).with_name("standin_trial.py"))
PATIENCE = 60.0
RATE = "learning_rate=1e-5:1e-1:log"


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control, "COMMAND", [sys.executable, STANDIN])
    studies = Studies(tmp_path)
    yield studies
    for study in studies.all():
        study.write_status("stopped")  # so that no trial begins another one
    for run in studies.runs.all():
        if run.live and run.status.pid:
            os.kill(run.status.pid, signal.SIGKILL)
    until(lambda: not any(child.poll() is None for child in control._CHILDREN))
    control._CHILDREN.clear()


def config(name: str = "try", **changes: object) -> StudyConfig:
    given = {"fields": (RATE,), "trials": 5, "epochs": 2, "prune": False, **changes}
    return StudyConfig(base=TrainingConfig(name=name, data="shapes", epochs=9), **given)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def wait_for(studies: Studies, study: Study, *states: str, looking: bool = True) -> Study:
    def reached() -> bool:
        if looking:
            studies.reconcile()
        return studies.get(study.id).status.state in states

    until(reached)
    return studies.get(study.id)


def tried(study: Study) -> list[tuple]:
    return [(t.number, t.settings, t.state, t.scores) for t in study.trials]


# Fields


def test_fields_are_written_as_they_are_read() -> None:
    for text in (
        "learning_rate=0.0001:0.01:log",
        "decoder.dropout=0.1:0.6",
        "decoder.units=64:256:log",
        "decoder.kind=merge,inject",
        "train_encoder=false,true",
        "images_per_batch=8,16,32",
    ):
        assert str(parse_field(text)) == text
    assert parse_field("dropout=0:0.5").name == "decoder.dropout"
    assert parse_field("units=8:9").whole


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("learning_rate", "Write a field"),
        ("rate=1:2", "not a field to search"),
        ("epochs=1:5", "not a field to search"),
        ("decoding.beam_width=1:5", "not a field to search"),
        ("learning_rate=0.1:0.01", "not below"),
        ("learning_rate=0.1:20", "must be from"),
        ("learning_rate=0.1:x", "takes a number"),
        ("units=8.5:16", "takes a whole number"),
        ("dropout=0:0.5:log", "a lower end above 0"),
        ("dropout=0:0.5:often", "between numbers"),
        ("kind=merge:inject", "between numbers"),
        ("kind=merge,lstm", "must be one of"),
        ("kind=merge", "two values"),
        ("learning_rate=nan:0.1", "must be from"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse_field(text)


@pytest.mark.parametrize("name", searchable())
def test_every_field_has_a_range_that_is_accepted(name: str) -> None:
    base = TrainingConfig()
    field = suggested(name, base)
    assert parse_field(str(field)) == field
    study = StudyConfig(base=base, fields=(str(field),), trials=2)
    for value in field.choices or (field.low, field.high):
        try:
            study.trial_config(1, {name: value})
        except ConfigError as error:
            assert "multiple of heads" in str(error)


def test_a_study_s_settings_come_back_and_contradictions_do_not() -> None:
    study = config(fields=(RATE, "kind=merge,inject"))
    assert StudyConfig.from_dict(json.loads(json.dumps(study.to_dict()))) == study
    trial = study.trial_config(3, {"decoder.kind": "merge", "learning_rate": 0.5})
    assert (trial.decoder.kind, trial.learning_rate, trial.epochs) == ("merge", 0.5, 2)
    assert study.base.decoder.kind == "attention"
    for fields, match in (
        ((), "at least one field"),
        (("dropout=0:0.5", "decoder.dropout=0:0.6"), "twice"),
        (("kind=merge,inject",), "2 trials at most"),
    ):
        with pytest.raises(ConfigError, match=match):
            config(fields=fields)


# Proposals


def study_of(tmp_path: Path, settings: StudyConfig, trials: list[Trial]) -> Study:
    (tmp_path / "config.json").write_text(json.dumps(settings.to_dict()))
    return Study(tmp_path, StudyStatus(), tuple(trials))


def searched(tmp_path: Path, settings: StudyConfig) -> list[Trial]:
    trials: list[Trial] = []
    for number in range(1, settings.trials + 1):
        values = propose(study_of(tmp_path, settings, trials))
        reached = score(values.get("learning_rate", 1e-3), 2)
        trials.append(Trial(number, values, "finished", None, reached, (reached - 5, reached)))
    return trials


@pytest.mark.slow
def test_proposals_begin_with_the_base_and_close_in_on_what_is_good(tmp_path: Path) -> None:
    settings = config(trials=24, fields=(RATE, "dropout=0.1:0.6"))
    trials = searched(tmp_path, settings)
    assert trials[0].settings == {"learning_rate": 1e-3, "decoder.dropout": 0.5}
    assert trials == searched(tmp_path, settings)  # in another process, after a kill: the same
    others = [config(trials=24, fields=settings.fields, seed=seed) for seed in range(1, 6)]
    of_seeds = [trials, *(searched(tmp_path, other) for other in others)]
    assert all(found != trials for found in of_seeds[1:])
    late = [score(t.settings["learning_rate"], 2) for found in of_seeds for t in found[-8:]]
    by_chance = 100 - 20 * 1 - 10 / 2  # the mean over the range
    assert sum(late) / len(late) > by_chance + 2


def test_no_values_are_tried_twice_and_none_that_contradict_each_other(tmp_path: Path) -> None:
    settings = config(trials=6, fields=("kind=merge,inject,attention", "images_per_batch=8,16"))
    trials = searched(tmp_path, settings)
    assert len({json.dumps(t.settings) for t in trials}) == 6
    with pytest.raises(ConfigError, match="no values that are new"):
        propose(study_of(tmp_path, settings, trials))
    settings = config(trials=8, fields=("units=30:66", "heads=4,5"))
    for trial in searched(tmp_path, settings):
        assert trial.settings["decoder.units"] % trial.settings["decoder.heads"] == 0


def test_giving_up_follows_optuna_s_median_rule() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    draw = random.Random(3)
    agreed = {True: 0, False: 0}
    for _ in range(150):
        count, epochs = draw.randrange(7), draw.randrange(1, 4)
        finished = [
            Trial(n, {}, "finished", None, 0.0, tuple(draw.uniform(0, 9) for _ in range(3)))
            for n in range(count)
        ]
        theirs = optuna.create_study(
            direction="maximize", pruner=optuna.pruners.MedianPruner(n_startup_trials=3)
        )
        for trial in finished:
            values = dict(enumerate(trial.scores))
            theirs.add_trial(optuna.trial.create_trial(value=1.0, intermediate_values=values))
        asked = theirs.ask()
        scores = [draw.uniform(0, 9) for _ in range(epochs)]
        for step, value in enumerate(scores):
            asked.report(value, step)
        ours = worse_than_median(scores, finished) is not None
        assert ours == asked.should_prune()
        agreed[ours] += 1
    assert min(agreed.values()) > 20


def test_importances_need_enough_trials(tmp_path: Path) -> None:
    settings = config(trials=14, fields=(RATE, "dropout=0.1:0.6"))
    trials = searched(tmp_path, settings)
    assert importances(study_of(tmp_path, settings, trials[:9])) is None
    found = importances(study_of(tmp_path, settings, trials))
    assert found is not None
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["learning_rate"] > found["decoder.dropout"]


# Trials as runs


@pytest.mark.slow
@pytest.mark.process
def test_a_study_goes_to_its_end_without_anybody_looking(studies: Studies) -> None:
    study = studies.start(studies.create(config()).id)
    study = wait_for(studies, study, "finished", "failed", looking=False)
    assert study.status.state == "finished", study.status.message
    assert [t.state for t in study.trials] == ["finished"] * 5
    for trial in study.trials:
        assert trial.run is not None
        run = studies.runs.get(trial.run)
        assert run.config.learning_rate == trial.settings["learning_rate"]
        assert (run.config.epochs, run.status.state) == (2, "finished")
        expected = [score(run.config.learning_rate, epoch) for epoch in (1, 2)]
        assert trial.scores == pytest.approx(expected)
    assert study.best is not None
    assert study.best.score == max(trial.score or 0 for trial in study.trials)
    made = studies.make_run(study.id)
    assert made.config.learning_rate == study.best.settings["learning_rate"]
    assert (made.config.epochs, made.config.name, made.status.state) == (9, "try", "ready")
    with pytest.raises(RunError, match="made all its trials"):
        studies.start(study.id)
    studies.delete(study.id)
    assert [run.id for run in studies.runs.all()] == [made.id]
    assert studies.all() == []


@pytest.mark.slow
@pytest.mark.process
def test_kills_and_torn_files_lose_no_trial_and_run_none_twice(studies: Studies) -> None:
    settings = config("slow", trials=3)
    whole = wait_for(studies, studies.start(studies.create(settings).id), "finished")
    study = studies.start(studies.create(settings).id)
    draw = random.Random(8)
    for _ in range(4):
        time.sleep(draw.uniform(0.0, 1.0))
        for run in studies.runs.all():
            if run.live and run.status.pid:
                os.kill(run.status.pid, signal.SIGKILL)
        with open(study.folder / "trials.jsonl", "ab") as file:
            file.write(b'{"trial": 1, "sta')
        studies.reconcile()
    study = wait_for(studies, study, "finished", "failed")
    assert tried(study) == tried(whole)
    runs = [run for run in studies.runs.all() if run.origin["study"] == study.id]
    assert sorted(run.origin["trial"] for run in runs) == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["proposed", "made", "begun"])
@pytest.mark.process
def test_a_step_that_a_kill_cut_short_is_taken_up_where_it_was(
    studies: Studies, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    def killed_with_run(*arguments: object, run: object = None, **facts: object) -> None:
        kill() if run else write_trial(*arguments, **facts)

    write_trial = Study.write_trial
    study = studies.create(config(trials=2))
    with monkeypatch.context() as patch:
        if moment == "proposed":
            patch.setattr(studies.runs, "create", kill)
        elif moment == "made":
            patch.setattr(Study, "write_trial", killed_with_run)
        else:
            patch.setattr(studies.runs, "start", kill)
        with pytest.raises(Killed):
            studies.start(study.id)
    again = Studies(studies.data)
    study = wait_for(again, study, "finished")
    assert [t.number for t in study.trials] == [1, 2]
    assert len(again.runs.all()) == 2


@pytest.mark.slow
@pytest.mark.process
def test_stop_and_go_on(studies: Studies) -> None:
    study = studies.start(studies.create(config("slow", trials=2)).id)
    until(lambda: any(run.status.state == "running" for run in studies.runs.all()))
    stopped = studies.stop(study.id)
    assert stopped.status.state == "stopped"
    until(lambda: all(run.status.state == "stopped" for run in studies.runs.all()))
    studies.reconcile()
    assert len(studies.runs.all()) == 1
    with pytest.raises(RunError, match="cannot be stopped"):
        studies.stop(study.id)
    studies.start(study.id)
    assert wait_for(studies, study, "finished").done == 2


@pytest.mark.process
def test_somebody_who_stops_a_trial_s_run_stops_the_study(studies: Studies) -> None:
    study = studies.start(studies.create(config("slow")).id)
    until(lambda: any(run.status.state == "running" for run in studies.runs.all()))
    with pytest.raises(RunError, match="under way"):
        studies.delete(study.id)
    studies.runs.stop(studies.runs.all()[0].id)
    study = wait_for(studies, study, "stopped")
    assert "Somebody stopped the run of trial 1" in study.status.message


@pytest.mark.slow
@pytest.mark.process
def test_a_trial_below_the_median_is_given_up_and_says_why(studies: Studies) -> None:
    settings = config(trials=8, epochs=3, prune=True, fields=("learning_rate=1e-6:1e-3:log",))
    study = wait_for(studies, studies.start(studies.create(settings).id), "finished")
    given_up = [trial for trial in study.trials if trial.state == "given up"]
    assert given_up
    for trial in given_up:
        assert len(trial.scores) < 3
        assert "is below" in trial.message
        run = studies.runs.get(str(trial.run))
        assert (run.status.state, run.status.message) == ("stopped", trial.message)
        assert read_curves(run).given_up == trial.message
    assert study.best is not None
    assert study.best.number == 1  # the base has the upper end of the range, which is the best


@pytest.mark.slow
@pytest.mark.process
def test_trials_that_fail_end_a_study_with_their_reason(studies: Studies) -> None:
    study = studies.start(studies.create(config("fails")).id)
    study = wait_for(studies, study, "failed")
    assert "The loss became nan" in study.status.message
    assert [t.state for t in study.trials] == ["failed"] * 3
    with pytest.raises(RunError, match="No trial"):
        studies.make_run(study.id)


@pytest.mark.slow
@pytest.mark.process
def test_a_trial_that_kills_itself_is_not_tried_for_ever(studies: Studies) -> None:
    study = studies.start(studies.create(config("hurries", trials=2)).id)
    study = wait_for(studies, study, "finished", "failed")
    assert [t.state for t in study.trials] == ["failed", "failed"]
    assert study.trials[0].restarts == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.process
def test_a_deleted_run_costs_its_trial_alone(studies: Studies) -> None:
    study = studies.start(studies.create(config("slow", trials=2)).id)
    until(lambda: any(run.status.state == "running" for run in studies.runs.all()))
    studies.stop(study.id)
    (run,) = studies.runs.all()
    until(lambda: studies.runs.get(run.id).status.state == "stopped")
    studies.runs.delete(run.id)
    study = studies.start(study.id)
    study = wait_for(studies, study, "finished")
    assert study.trials[0].message == "Its run was deleted."
    assert study.trials[1].state == "finished"


def test_names_that_are_no_studies(studies: Studies) -> None:
    for name in ("../escape", "", ".lock", "gone"):
        with pytest.raises(RunError):
            studies.get(name)


def test_each_field_is_named_once_however_many_there_are() -> None:
    started = time.process_time()
    with pytest.raises(ConfigError, match="varies at most"):
        config(fields=("dropout=0:0.5",) * 50_000)
    assert time.process_time() - started < 5


def test_errors_quote_a_long_field_in_part() -> None:
    for text in (
        "a" * 10_000,
        "a" * 10_000 + "=1:2",
        "epochs=" + "1" * 10_000,
        f"kind={'a' * 9999}",
    ):
        with pytest.raises(ConfigError) as caught:
            parse_field(text)
        assert len(str(caught.value)) < 2000


def test_a_trial_that_is_restarted_often_is_read_quickly(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [{"trial": 1, "settings": {}}, {"trial": 501, "settings": {}}]
    lines += [{"trial": 1, "restarted_at": number} for number in range(100_000)]
    monkeypatch.setattr("captioning.tuning.record.read_json_lines", lambda *_, **__: lines)
    started = time.process_time()
    study = studies.create(config())
    assert time.process_time() - started < 5
    assert [trial.number for trial in study.trials] == [1]
    assert study.trials[0].restarts == tuple(range(100_000))


def test_a_study_with_too_large_a_file_is_named_and_the_others_are_there(
    studies: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (studies.create(config(name)) for name in ("one", "two", "three"))
    monkeypatch.setattr("captioning.tuning.record._MOST_BYTES", 100)
    (one.folder / "trials.jsonl").write_text("\n" * 101)
    (two.folder / "config.json").write_text(" " * 2_000_001)
    assert [study.id for study in studies.all()] == [three.id]
    damaged = studies.damaged()
    assert "trials.jsonl cannot be read: it has more than" in damaged[one.id]
    assert "it has more than 2 MB" in damaged[two.id]
