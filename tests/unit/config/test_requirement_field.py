"""What a model requires can be written in three ways, and is read back as it was meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.requirement_field import requirements, written_requirements

READ: dict[str, tuple[Any, dict[str, int]]] = {
    "a name": ("motion", {"motion": 0}),
    "a list": (["motion", "traffic light"], {"motion": 0, "traffic light": 0}),
    "durations": ({"person": "2s", "car": 0.5}, {"person": 2_000_000_000, "car": 500_000_000}),
    "nothing": ([], {}),
}
WRONG: dict[str, tuple[Any, str]] = {
    "a number": (3, "expected names such as"),
    "a list of numbers": ([1], "expected names such as"),
    "a list of lists": ([["motion"]], "expected names such as"),
    "a name twice": (["motion", "motion"], "a name is given twice"),
    "an empty name": ([" "], "expected names such as"),
    "no duration": ({"person": "soon"}, "'soon' is not a duration"),
    "a duration below zero": ({"person": -1}, "a duration cannot be below zero"),
}


@pytest.mark.parametrize("name", READ)
def test_it_is_read(name: str) -> None:
    text, meant = READ[name]
    assert requirements(text) == meant


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused(name: str) -> None:
    value, told = WRONG[name]
    with pytest.raises(ValueError, match=told):
        requirements(value)


@given(st.dictionaries(st.text(min_size=1).filter(str.strip), st.integers(0, 10**15)))
def test_what_is_written_is_read_back(value: dict[str, int]) -> None:
    assert requirements(written_requirements(value)) == value
