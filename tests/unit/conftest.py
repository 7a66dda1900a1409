"""Every test of the library writes into a folder of its own and finds no weights by chance."""

import pytest


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    """`$CAPTIONING_DATA` for one test."""
    home = tmp_path / "data-home"
    monkeypatch.setenv("CAPTIONING_DATA", str(home))
    monkeypatch.delenv("CAPTIONING_WEIGHTS", raising=False)
    return home


@pytest.fixture
def eagerly():
    """Compiling for a handful of steps takes longer than taking them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
