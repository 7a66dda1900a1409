"""Whatever is in a file from outside, its reader returns or raises an error with a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import TARGETS, try_one


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_read_or_refused(name: str, seed: int) -> None:
    _, fault = try_one(name, seed)
    assert not fault, fault
