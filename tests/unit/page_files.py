"""The files of the pages, as the sidebar lists them."""

import re
from pathlib import Path

from pages.learn.lessons import LESSONS, TOOLS

ROOT = Path(__file__).parents[2]


def page_files():
    """Return the pages' files relative to the repository, read from `app.py` without running it."""
    listed = re.findall(r'"(\w+/\w+\.py)"', (ROOT / "app.py").read_text(encoding="utf-8"))
    return [f"pages/{file}" for file in listed] + [page.path for page in (*LESSONS, *TOOLS)]
