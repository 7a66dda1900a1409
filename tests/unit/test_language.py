"""Text is plain English: words that this project once coined, or used oddly, do not come back."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ["app.py", "pages", "captioning", "benchmarks"]
TEXT = ["*.md", "docs/**/*.md", "pages/**/*.md", "models/*/README.md", "assets/**/*.md"]

# What is banned, and what to write instead.
BANNED = {
    r"at hand": "available, here",
    r"beside": "next to, with, compared with",
    r"anew": "again",
    r"so many": "this many, a number of",
    r"told|tells": "says, reports, shows",
    r"(?<!you )(?<!model )said(?!:)": "written, stated",  # not in a quiz, nor a parameter
    r"to be had": "available",
    r"hangs? on": "depends on",
    r"in vain": "without effect",
    r"a blink": "instantly",
    r"(take|takes|taking) (it|them|a caption) along": "export, download",
    r"look closer": "details",
    r"as it likes": "chooses",
    r"what came of": "the results of",
}
PATTERN = re.compile("|".join(rf"\b(?:{words})\b" for words in BANNED), re.IGNORECASE)


def code_files():
    found = [ROOT / name for name in CODE]
    return sorted(f for path in found for f in ([path] if path.is_file() else path.rglob("*.py")))


def text_files():
    return sorted(file for pattern in TEXT for file in ROOT.glob(pattern))


def offences(text, first_line=1):
    """Return "line: phrase" for each banned phrase; a line break inside a phrase is a space."""
    flat = re.sub(r"\s", " ", text)
    for match in PATTERN.finditer(flat):
        yield f"{first_line + text.count(chr(10), 0, match.start())}: {match.group()}"


def test_a_banned_phrase_is_found_over_a_line_break():
    assert list(offences("One.\nNo model is at\nhand.")) == ["2: at hand"]
    assert not list(offences("A handle, a tale, told_apart, 'unsaid'."))


@pytest.mark.parametrize("file", code_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_strings_and_docstrings_are_plain_english(file):
    strings = (
        node
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    assert [found for node in strings for found in offences(node.value, node.lineno)] == []


@pytest.mark.parametrize("file", text_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_documents_are_plain_english(file):
    assert list(offences(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "file", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda file: file.stem
)
def test_names_of_tests_are_plain_english(file):
    names = re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in names if PATTERN.search(name.replace("_", " "))] == []
