"""Folders whose name is not UTF-8, as from an old disk: no page can show them, and none ends."""

import os
import shutil

import pytest

from captioning.bundle import find_bundles
from captioning.config import TrainingConfig
from captioning.datasets import available_datasets, generate_shapes
from captioning.runs import Runs


def twin(folder):
    """Copy a folder to a name that is not UTF-8."""
    odd = folder.with_name(folder.name + "-" + os.fsdecode(b"\xe9"))
    try:
        shutil.copytree(folder, odd)
    except OSError:
        pytest.skip("this file system has UTF-8 names only")


def test_folders_whose_name_no_page_can_show_are_left_out(data_home, write_tiny_bundle):
    runs = Runs()
    run = runs.create(TrainingConfig(name="try", data="shapes"))
    data = generate_shapes(data_home / "shapes-20-0", count=20, seed=0)
    write_tiny_bundle(data_home / "models" / "mine")
    for folder in (run.folder, data.root, data_home / "models" / "mine"):
        twin(folder)
    assert [found.id for found in runs.all()] == [run.id]
    assert runs.damaged() == {f"{run.id}-\ufffd": "The name of its folder is not UTF-8. Rename it."}
    assert [dataset.folder for dataset in available_datasets()] == [data.root]
    names = [bundle.name for bundle in find_bundles()]
    assert "mine" in names and all(name.isascii() for name in names)
