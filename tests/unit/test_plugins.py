"""Entry points that register what is not in the package, and the example in the documentation."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from captioning import plugins
from captioning.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A function that lets a module stand for an installed package's entry point."""
    plugins.load_plugins.cache_clear()
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        entry = EntryPoint(name, name, plugins.GROUP)
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: [entry] if group == plugins.GROUP else []
        )

    yield install
    plugins.load_plugins.cache_clear()


def test_a_plugin_is_imported_once(installed, tmp_path):
    code = (
        "import pathlib\nwith open(pathlib.Path(__file__).with_name('log'), 'a') as f: f.write('x')"
    )
    installed("plugin_for_a_test", code)
    plugins.load_plugins()
    plugins.load_plugins()
    assert (tmp_path / "log").read_text() == "x"


def test_a_plugin_that_fails_is_named(installed):
    installed("broken_plugin_for_a_test", "1 / 0")
    with pytest.raises(ConfigError, match="broken_plugin_for_a_test.*division by zero"):
        plugins.load_plugins()


def test_the_documented_example_registers_all_three():
    from captioning.config import DECODER_KINDS, EncoderConfig
    from captioning.decoders import DECODERS
    from captioning.encoders import ENCODERS, feature_shape
    from captioning.metrics import METRICS, score_captions

    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    try:
        exec(compile(code, "extending.md", "exec"), {})
        assert feature_shape(EncoderConfig(name="colours")) == (49, 3)
        assert DECODER_KINDS[-1] == "doubled"
        assert score_captions(["a red kite"], [["a kite"]]).words == 3
    finally:
        ENCODERS.pop("colours", None)
        METRICS.pop("words", None)
        if DECODERS.pop("doubled", None):
            DECODER_KINDS.remove("doubled")
