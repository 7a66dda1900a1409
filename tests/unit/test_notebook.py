"""The notebooks run from the first cell to the last, and the models in them learn."""

import base64
import json
import re
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"
NOTEBOOK = FOLDER / "captioning.ipynb"
TUTORIALS = ("Training_caption_generator.ipynb", "train_caption_generate.ipynb")
PATIENCE = 280  # seconds; it takes about a fifth of that


def execute(path):
    with warnings.catch_warnings():  # of the notebook's own tools, on import and when they end
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []
        place = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", resources=place).execute()
    return notebook


@pytest.fixture(scope="module")
def executed():
    return execute(NOTEBOOK)


def printed(notebook):
    return "".join(found.get("text", "") for found in outputs(notebook))


def outputs(notebook):
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


@pytest.mark.filterwarnings("ignore")
def test_it_runs_and_what_it_shows_is_worth_showing(executed):
    (score,) = re.findall(r"bleu_4 +([0-9.]+)", printed(executed))
    assert float(score) > 20
    shown = [found.get("data", {}) for found in outputs(executed)]
    pictures = [data["image/png"] for data in shown if "image/png" in data]
    assert len(pictures) == 6
    assert all(len(base64.b64decode(picture)) > 3000 for picture in pictures)
    assert not [found for found in outputs(executed) if found.get("name") == "stderr"]


def test_it_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert sum(cell["cell_type"] == "code" for cell in cells) > 8
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.filterwarnings("ignore")
def test_the_merge_tutorial_runs_and_its_model_beats_the_commonest_caption():
    model, commonest = re.findall(r"CIDEr +([0-9.]+)", printed(execute(FOLDER / TUTORIALS[0])))
    assert float(model) > float(commonest)


@pytest.mark.filterwarnings("ignore")
def test_the_sequence_to_sequence_tutorial_runs_and_its_files_caption_a_photo():
    text = printed(execute(FOLDER / TUTORIALS[1]))
    assert "The model is better." in text
    assert "features.p" in text
    caption = text.strip().splitlines()[-1]  # by testing_caption_generator.py
    assert len(caption.split()) > 3


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_tutorials_are_kept_with_outputs(name):
    cells = json.loads((FOLDER / name).read_text(encoding="utf-8"))["cells"]
    assert sum(bool(cell.get("outputs")) for cell in cells) > 5
    assert "image/png" in json.dumps(cells)
