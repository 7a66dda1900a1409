"""The benchmarks run and tell what they promise; how fast anything is, is not asked here."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measuring import Comparison, Result, Work, measure
from benchmarks.run import main

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
KEYS = (
    "cold_command_over_import",
    "caption_over_keras",
    "folder_rate_over_keras",
    "caption_over_encoder",
    "tutorial_loop_over_ours",
    "tutorial_epoch_over_ours",
    "extraction_over_forward",
)


def comparison(**bounds: float) -> Comparison:
    return Comparison("a_over_b", "a over b", over="a", under="b", unit="photo", **bounds)


def test_the_last_line_holds_the_ratios_and_what_they_were_made_of(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "benchmarks" / "run.py", "--quick", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    content = json.loads(done.stdout.splitlines()[-1])
    for key in KEYS:
        assert math.isfinite(content[key])
        assert content[key] > 0
        times = content["details"][key]["seconds"]
        assert set(content["details"][key]["divided"]) <= set(times)
        assert all(0 < t["least"] <= t["median"] for t in times.values())
    assert content["cores"] >= 1
    assert set(content["versions"]) >= {"python", "keras", "tensorflow"}
    # The graphs of models are in the data folder.
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_refused_with_the_known_ones(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "speed"])
    said = capsys.readouterr().err
    assert all(key in said for key in KEYS)


def test_every_work_runs_once_untimed_and_then_in_turn() -> None:
    order: list[str] = []
    works = {name: Work(name, lambda name=name: order.append(name)) for name in "ab"}
    result = measure(comparison(), works, rounds=3)
    assert "".join(order) == "ab" + "ababab"
    assert [len(times) for times in result.seconds.values()] == [3, 3]


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The second round met ten times the load, and in the third something held up `b` alone.
    seconds = {"a": [2.0, 20.0, 2.0], "b": [1.0, 10.0, 4.0]}
    result = Result(comparison(at_least=1.5), {"a": "a", "b": "b"}, seconds)
    assert result.ratio == 2.0
    assert result.met


@pytest.mark.parametrize(("bounds", "met"), [({"at_least": 2.5}, False), ({"at_most": 2}, True)])
def test_bounds_are_judged(bounds: dict[str, float], met: bool) -> None:
    result = Result(comparison(**bounds), {"a": "a", "b": "b"}, {"a": [2.0], "b": [1.0]})
    assert result.met is met
