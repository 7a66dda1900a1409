"""Every test of the library writes into a folder of its own and finds no weights by chance."""

from itertools import count

import pytest

_NUMBERS = count()


@pytest.fixture(autouse=True)
def data_home(tmp_path_factory, monkeypatch):
    """`$CAPTIONING_DATA` for one test; not made, because most tests write nothing there."""
    home = tmp_path_factory.getbasetemp() / "data-homes" / str(next(_NUMBERS))
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
