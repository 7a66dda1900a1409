"""A lesson: start a small run in the browser, watch it, stop it, resume it; train on own photos."""

import re
import shutil
import signal
from pathlib import Path

import pytest
from PIL import Image

from captioning.runs import Runs


@pytest.fixture
def lesson(home, tab, server):
    yield tab, server
    runs = Runs(home)
    for run in runs.all():
        if run.live and run.status.pid:
            import os

            os.kill(run.status.pid, signal.SIGKILL)
        elif run.live:  # its process has just been started
            runs.stop(run.id)


def fill(tab, label, value):
    field = tab.get_by_role("spinbutton", name=label)
    field.fill(str(value))
    field.press("Enter")


def test_a_run_is_started_watched_and_stopped(lesson, home: Path, follow) -> None:
    tab, server = lesson
    tab.set_viewport_size({"width": 1366, "height": 768})
    tab.goto(server)
    follow(tab, "Train")
    fill(tab, "Epochs", 200)
    assert tab.get_by_role("button", name="Start training").bounding_box()["y"] < 768
    tab.get_by_text("All other settings").click()
    fill(tab, "Drawn pictures", 60)
    tab.get_by_role("tab", name="Encoder").click()
    fill(tab, "Side of the photo in pixels", 32)
    fill(tab, "Channels of the first stage", 4)
    tab.get_by_test_id("stMetricValue").get_by_text("48", exact=True).wait_for()
    tab.get_by_role("button", name="Start training").click()
    tab.wait_for_url("**/watch**")
    tab.get_by_text("The same photos, epoch by epoch").wait_for(timeout=180_000)
    chart = tab.get_by_test_id("stVegaLiteChart").locator("svg, canvas").first
    chart.wait_for()
    assert chart.bounding_box()["height"] > 50
    (run,) = Runs(home).all()
    assert run.config.epochs == 200
    assert run.live

    tab.reload()
    tab.get_by_role("button", name="Stop").click()
    tab.get_by_text(re.compile("Stopped in epoch")).wait_for(timeout=20_000)
    assert Runs(home).get(run.id).status.state == "stopped"
    assert Runs(home).get(run.id).has_model
    tab.get_by_role("button", name="Resume").wait_for()

    # What came of it stands on the same page: its captions, a photo to try, and the ways on.
    tab.get_by_role("heading", name="What it learned").wait_for()
    tab.get_by_role("button", name="Caption photo 1").click()
    tab.get_by_text(f"Written by {run.id}").wait_for()
    tab.get_by_text("Word for word right").wait_for()
    tab.get_by_role("button", name="Compare").click()
    tab.get_by_role("heading", name="Compare").wait_for()
    follow(tab, "Watch")
    tab.get_by_role("button", name="Use it in Caption").click()
    tab.wait_for_url(f"**caption.model={run.id}**")
    tab.get_by_text("Drop a photo, paste one, or take one").wait_for()
    shutil.rmtree(home / "models" / run.id)  # other tests' pages would offer it


def test_own_photos_lead_from_their_folder_to_a_run(lesson, home: Path, tmp_path) -> None:
    tab, server = lesson
    mine = tmp_path / "holiday"
    mine.mkdir()
    for number in range(10):
        Image.new("RGB", (64, 48), "red").save(mine / f"{number}.jpg")
    rows = [f"{number}.jpg,a red square" for number in range(10)]
    (mine / "captions.csv").write_text("\n".join(["image,caption", *rows]))

    tab.goto(f"{server}/new")
    tab.get_by_role("link", name="Train on your own photos").click()
    folder = tab.get_by_label("A folder on this server with photos and their captions")
    for path in (tmp_path / "nowhere", mine):
        folder.fill(str(path))
        tab.get_by_role("button", name="Check and use it").click()
        tab.get_by_text(re.compile("does not exist|is ready")).wait_for()
    tab.get_by_text("10 photos with 10 captions").first.wait_for()
    assert tab.get_by_text("does not exist").count() == 0
    tab.get_by_role("link", name="Train a model on it").click()
    tab.get_by_text("training photos are very few").wait_for()
    tab.get_by_role("button", name="Start training").click()
    tab.wait_for_url("**/watch**")
    (run,) = [run for run in Runs(home).all() if run.config.data == "holiday"]
    assert run.config.decoder.units  # settings were chosen by the data
