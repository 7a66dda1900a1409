"""Parts of every page: its prose, its errors, and the code it ran."""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypedDict

import streamlit as st

from captioning.classroom import without_paths
from pages.ui.rights import is_teacher
from pages.ui.theme import look
from pages.ui.wording import plain

_PROSE = Path(__file__).with_name("prose")


def prose(name: str, *, large: bool = False) -> None:
    """Show the text `prose/<name>.md`, in lines of a readable length or large for a projector."""
    text = _read_prose(name)
    if large:
        text = re.sub(r"^(- )?(?=\S)", r"\g<0>#### ", text, flags=re.MULTILINE)
    st.markdown(text, width="stretch" if large else 720)


class Button(TypedDict):
    """The label of a button, and its emphasis."""

    label: str
    type: Literal["primary", "secondary"]


def main_button(label: str) -> Button:
    """Return the label and type of a page's main button, for `st.button` and similar functions.

    The button is filled with the accent colour.  In the dark theme only its label has that colour:
    Streamlit writes white on the accent, which is too light there (docs/adr/0022).
    """
    if look().dark:
        return {"label": f":primary[{label}]", "type": "secondary"}
    return {"label": label, "type": "primary"}


def problem(error: Exception) -> None:
    """Show a typed error; its text is written for the reader.

    A visitor of a class server does not see where its files are.
    """
    text = str(error) if is_teacher() else without_paths(str(error))
    st.error(plain(text), icon=":material/error:")


_CLEARLY = 10.0
"""BLEU-4 looks better than it is if it exceeds the share of exact captions by this, in percent."""


def say_exact_match(exact: float | None, bleu_4: float, cider: float) -> None:
    """Say how many captions of shapes are right, in percent, and why scores are higher if so."""
    share = f"Word for word right: **{exact:.0f}%** of its captions. " if exact is not None else ""
    why = (
        f"BLEU-4 {bleu_4:.1f} and CIDEr {cider:.1f} look far better, because a program wrote all "
        "captions from a few phrases: a model that knows the phrases shares most word sequences "
        "with the references, even with a wrong shape or colour."
    )
    look_better = bleu_4 > (exact or 0) + _CLEARLY
    if share or look_better:
        st.info(share + (why if look_better else ""), icon=":material/rule:")


def show_source(module: str, *names: str) -> None:
    """Offer the code of the functions that ran, without importing their module.

    Call it only after they have run: the page says so.

    Args:
        module: such as "captioning.captioner".
        names: of functions or methods in it, such as "Captioner.rank", in the order of running.
    """
    label = ", ".join(plain(name) for name in names)
    with st.expander(f"The code that just ran: {label}", icon=":material/code:"):
        for name in names:
            st.caption(f"`{module}.{name}`")
            st.code(source_of(module, name), language="python")


@cache
def source_of(module: str, name: str) -> str:
    """Read the source of a function or class from its module's file.

    Raises:
        LookupError: there is no such module or name.
    """
    lines, tree = _parsed(module)
    first, *rest = name.split(".")
    node = _child(tree, first)
    for part in rest:
        node = _child(node, part)
    return "".join(lines[node.lineno - 1 : node.end_lineno])


@cache
def _parsed(module: str) -> tuple[list[str], ast.Module]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"There is no module {module}.")
    text = Path(spec.origin).read_text(encoding="utf-8")
    return text.splitlines(keepends=True), ast.parse(text)


def _child(node: ast.AST, name: str) -> ast.FunctionDef | ast.ClassDef:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == name:
            return child
    raise LookupError(f"There is nothing called {name}.")


@cache
def _read_prose(name: str) -> str:
    return (_PROSE / f"{name}.md").read_text(encoding="utf-8")
