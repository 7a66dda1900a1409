"""Whatever is in a file from outside, its reader returns or raises an error with a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import CORPUS, TARGETS, draw, fault_of, file_name


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_read_or_refused(name: str, seed: int) -> None:
    assert not fault_of(name, draw(name, seed))


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_files_that_once_failed_are_read_or_refused(name: str) -> None:
    for path in CORPUS.glob(file_name(name, 0)[:-1] + "*"):
        assert not fault_of(name, path.read_bytes()), path.name
