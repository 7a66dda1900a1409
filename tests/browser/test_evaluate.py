"""An evaluation in a real browser: stopped, gone on with, and taken along."""

import csv
import json
import re
from pathlib import Path

import pytest

from captioning.datasets import generate_shapes


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder of its own: the many shapes would be what other tests' pages open with."""
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture(scope="module")
def many_shapes(home):
    """Enough test photos that there is time to press Stop."""
    return generate_shapes(home / "shapes", count=1500, seed=3)


def test_an_evaluation_is_stopped_resumed_and_downloaded(many_shapes, server, tab, tmp_path):
    total = len(many_shapes.split("train"))
    link = "evaluate.model=shapes&evaluate.split=train&evaluate.beam_width=10"
    tab.goto(f"{server}/evaluate?{link}")
    tab.get_by_role("button", name=f"Evaluate shapes on {total:,} train photos").click()
    tab.get_by_text(re.compile("Captioning: [1-9]")).wait_for()
    tab.get_by_test_id("stButton").get_by_role("button", name="Stop").click()
    resume = tab.get_by_role("button", name="Resume:")
    resume.wait_for()
    left = int(resume.inner_text().split("Resume: ")[1].split(" of")[0].replace(",", ""))
    assert 0 < left < total
    resume.click()
    tab.get_by_text("95% bootstrap confidence interval").wait_for()
    tab.get_by_text("Export", exact=True).click()
    for label, check in (("JSON", _has_scores), ("CSV", _has_rows)):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=label).click()
        check(Path(download.value.path()), total)


def _has_scores(path, total):
    report = json.loads(path.read_text())
    assert report["images"] == total
    low, high = report["intervals"]["bleu_1"]
    assert low <= report["bleu_1"] <= high


def _has_rows(path, total):
    assert len(list(csv.DictReader(path.read_text().splitlines()))) == total
