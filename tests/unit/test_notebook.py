"""The notebook runs from its first cell to its last, and learns."""

import base64
import json
import re
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "captioning.ipynb"
PATIENCE = 280  # seconds; it takes about a fifth of that


@pytest.fixture(scope="module")
def executed():
    with warnings.catch_warnings():  # of the notebook's own tools, on import and when they end
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOK, as_version=4)
        place = {"metadata": {"path": str(NOTEBOOK.parent)}}
        NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", resources=place).execute()
    return notebook


def outputs(notebook):
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


@pytest.mark.filterwarnings("ignore")
def test_it_runs_and_what_it_shows_is_worth_showing(executed):
    text = "".join(found.get("text", "") for found in outputs(executed))
    (score,) = re.findall(r"bleu_4 +([0-9.]+)", text)
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
