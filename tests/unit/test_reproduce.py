"""The stages of a model: their order, and which are left out since they were made before."""

import json
import shutil
import subprocess

import pytest

from captioning.__main__ import main
from captioning.cli.reproduce import stages_of
from captioning.errors import ConfigError


@pytest.fixture(autouse=True)
def nothing_is_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr("captioning.bundle.reading.shipped_models", lambda: tmp_path / "shipped")


@pytest.fixture
def configurations(monkeypatch, tmp_path):
    """A function that writes configurations by name, which are then all there are."""
    folder = tmp_path / "configs"
    folder.mkdir()
    monkeypatch.setattr("captioning.cli.reproduce.shipped_configs", lambda: folder)

    def write(**settings):
        for name, needs in settings.items():
            (folder / f"{name}.json").write_text(json.dumps({"name": name, "data": "d", **needs}))

    return write


def test_each_stage_comes_after_those_it_needs():
    names = [stage.makes for stage in stages_of("flickr8k-compact")]
    assert names[-1] == "flickr8k-compact"
    assert names.index("data/distilled/compact") < names.index("flickr8k-compact-cross-entropy")
    assert names.index("flickr8k-efficientnet-taught") < names.index("flickr8k-compact-taught")
    assert len(names) == len(set(names)) == 7


def test_a_file_of_configs_may_be_named():
    assert [stage.makes for stage in stages_of("shapes-two-minutes")] == ["shapes"]


def test_a_model_that_nothing_makes_is_refused(configurations):
    configurations(one={"start_from": "two"})
    for name in ("one", "two"):
        with pytest.raises(ConfigError, match="No configuration makes two"):
            stages_of(name)


def test_a_circle_is_refused(configurations):
    configurations(one={"start_from": "two"}, two={"start_from": "one"})
    with pytest.raises(ConfigError, match="one needs two needs one"):
        stages_of("one")


def test_only_missing_stages_are_run(configurations, tiny_bundle, data_home, monkeypatch, capsys):
    configurations(
        one={"sentences": "s.txt"}, two={"start_from": "one"}, three={"start_from": "two"}
    )
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "two")
    started = []

    def start(words):
        started.append(words[3:])
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr("subprocess.run", start)
    line = ["reproduce", "three", "--data", "photos", "--sentences", "my.txt", "--set", "epochs=1"]
    assert main([*line, "--dry-run"]) == 0
    assert started == []
    assert capsys.readouterr().out.count("\n") == 3
    assert main(line) == 0
    first, last = started
    assert "sentences=my.txt" in first
    assert "sentences=my.txt" not in last
    for words in started:
        assert words[words.index("--data") + 1] == "photos"
        assert "epochs=1" in words
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "one")
    shutil.copytree(tiny_bundle.folder, data_home / "models" / "three")
    started.clear()
    assert main(line) == 0
    assert started == []


def test_a_stage_that_fails_ends_the_command(configurations, monkeypatch):
    configurations(one={}, two={"start_from": "one"})
    started = []

    def fail(words):
        started.append(words)
        return subprocess.CompletedProcess(words, 3)

    monkeypatch.setattr("subprocess.run", fail)
    assert main(["reproduce", "two"]) == 3
    assert len(started) == 1


def test_train_says_how_to_make_what_it_starts_from(configurations, tmp_path, capsys):
    configurations(one={}, two={"start_from": "one"})
    assert main(["train", "--config", str(tmp_path / "configs" / "two.json")]) == 1
    assert "captioning reproduce two" in capsys.readouterr().err
