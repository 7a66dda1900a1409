"""Pages hold layout only: rules that a page's syntax tree shows."""

import ast
from functools import cache
from pathlib import Path

import pytest
from page_files import page_files

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT / file for file in page_files() if not file.endswith("/page.py"))
PARTS = sorted(set((ROOT / "pages").rglob("*.py")) - set(PAGES))

LONGEST_PAGE = 120
LONGEST_FUNCTION = 15
MAY_IMPORT = ("streamlit", "pages", "captioning")
HEAVY = ("keras", "tensorflow", "captioning.captioner", "captioning.encoders")
WIDGETS = set(
    "button checkbox toggle radio selectbox multiselect slider select_slider number_input "
    "text_input text_area file_uploader camera_input pills segmented_control pagination "
    "date_input time_input color_picker data_editor chat_input download_button feedback".split()
)


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Names of all modules a tree imports, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def within(module, packages):
    return any(module == name or module.startswith(f"{name}.") for name in packages)


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request):
    return request.param


def test_a_page_is_short(page):
    tree = tree_of(page)
    assert len(page.read_text(encoding="utf-8").splitlines()) <= LONGEST_PAGE
    assert not [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


def test_a_page_says_what_it_is(page):
    assert ast.get_docstring(tree_of(page))


def test_a_page_imports_only_what_it_lays_out(page):
    import sys

    for module in imported(tree_of(page)):
        standard = module.split(".")[0] in sys.stdlib_module_names
        assert standard or within(module, MAY_IMPORT), module
        assert not within(module, HEAVY), module


def test_a_page_computes_nothing_and_touches_no_file(page):
    tree = tree_of(page)
    arithmetic = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, arithmetic)), node.lineno
    for call in calls(tree):
        name = ast.unparse(call.func)
        assert name != "open" and not name.endswith((".read_text", ".read_bytes", ".write_text"))


def test_a_page_leaves_caches_state_and_frame_to_their_places(page):
    text = page.read_text(encoding="utf-8")
    for forbidden in ("cache_data", "cache_resource", "session_state", "set_page_config"):
        assert forbidden not in text
    assert "unsafe_allow_html" not in text and "st.html" not in text


def test_a_page_catches_only_the_errors_meant_for_people(page):
    for node in ast.walk(tree_of(page)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None and ast.unparse(node.type).endswith("Error")
            assert ast.unparse(node.type) != "Exception"


def test_every_control_of_a_page_has_a_key_of_that_page(page):
    for call in calls(tree_of(page)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in WIDGETS:
            keys = [k.value for k in call.keywords if k.arg == "key"]
            assert keys, f"line {call.lineno} has no key"
            key = ast.unparse(keys[0]).removeprefix("f").strip("'\"")
            assert key.startswith(f"{page.stem}."), key


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.name)
def test_parts_inject_nothing_and_import_no_keras_beforehand(path):
    text = path.read_text(encoding="utf-8")
    assert "unsafe_allow_html" not in text and "st.html" not in text
    at_import = [n for n in tree_of(path).body if isinstance(n, ast.Import | ast.ImportFrom)]
    for node in at_import:
        assert not any(within(module, HEAVY) for module in imported(node))


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.name)
def test_every_control_of_a_part_has_a_key(path):
    for call in calls(tree_of(path)):
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in WIDGETS:
            assert any(k.arg == "key" for k in call.keywords), f"line {call.lineno} has no key"


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.name)
def test_every_cache_of_a_part_is_bounded(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith("st.cache_"):
                    assert "max_entries" in text or "ttl" in text, node.name


@pytest.mark.parametrize("path", [*PAGES, *PARTS], ids=lambda path: path.name)
def test_nothing_is_written_in_white_on_an_accent_that_may_be_light(path):
    """docs/adr/0022: `main_button` chooses the type; the tags of a multiselect cannot be chosen."""
    called = calls(tree_of(path))
    assert not [c.lineno for c in called if ast.unparse(c.func).endswith(".multiselect")]
    assert not [c.lineno for c in called if any(is_primary(k) for k in c.keywords)]


def is_primary(keyword):
    return keyword.arg == "type" and "'primary'" in ast.unparse(keyword.value)


@pytest.mark.parametrize("path", [*PAGES, *PARTS], ids=lambda path: path.name)
def test_the_code_that_a_page_shows_exists(path):
    """The library's functions are named in texts, which no checker of types follows."""
    from pages.ui.components import source_of

    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call | ast.Tuple):
            continue
        module, *names = [
            part.value if isinstance(part, ast.Constant) else None
            for part in (node.args if isinstance(node, ast.Call) else node.elts)
        ] or [None]
        if isinstance(module, str) and module.startswith("captioning."):
            assert all(source_of(module, name) for name in names if name is not None)


def test_no_chart_has_a_height_in_steps():
    # Vega warns about it in the browser's console; `pages.ui.theme.in_rows` gives rows a height.
    source = {path: path.read_text(encoding="utf-8") for path in (ROOT / "pages").rglob("*.py")}
    assert not [str(path) for path, text in source.items() if "alt.Step(" in text]
