"""Three-valued logic against truth tables written out by hand, and its laws."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.signals.logic import COMPARISONS, Truth, and_, compare, not_, number_of, or_, truth_of

F, U, T = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE
truths = st.sampled_from([F, U, T])

# Kleene's strong tables: left, right, and, or.
TABLE = [
    (T, T, T, T),
    (T, U, U, T),
    (T, F, F, T),
    (U, T, U, T),
    (U, U, U, U),
    (U, F, F, U),
    (F, T, F, T),
    (F, U, F, U),
    (F, F, F, F),
]


@pytest.mark.parametrize(("left", "right", "both", "either"), TABLE)
def test_and_or_follow_the_table(left: Truth, right: Truth, both: Truth, either: Truth) -> None:
    assert and_([left, right]) is both
    assert or_([left, right]) is either


@pytest.mark.parametrize(("operand", "negated"), [(T, F), (U, U), (F, T)])
def test_not_follows_the_table(operand: Truth, negated: Truth) -> None:
    assert not_(operand) is negated


def test_of_nothing() -> None:
    assert and_([]) is T
    assert or_([]) is F


@given(st.lists(truths, max_size=6))
def test_unknown_means_that_either_value_is_possible(operands: list[Truth]) -> None:
    """Brute force: a result is known exactly if every way of settling the unknowns gives the same one.

    That is so for `and` and `or` of distinct conditions, which is what Kleene's tables claim.
    """
    choices = [[F, T] if operand is U else [operand] for operand in operands]
    settled_and = {all(value is T for value in world) for world in itertools.product(*choices)}
    settled_or = {any(value is T for value in world) for world in itertools.product(*choices)}
    assert and_(operands) is (U if len(settled_and) > 1 else T if settled_and.pop() else F)
    assert or_(operands) is (U if len(settled_or) > 1 else T if settled_or.pop() else F)


@given(truths, truths, truths)
def test_laws(a: Truth, b: Truth, c: Truth) -> None:
    assert not_(not_(a)) is a
    assert not_(and_([a, b])) is or_([not_(a), not_(b)])
    assert not_(or_([a, b])) is and_([not_(a), not_(b)])
    assert and_([a, and_([b, c])]) is and_([and_([a, b]), c]) is and_([c, b, a])
    assert or_([a, or_([b, c])]) is or_([or_([a, b]), c]) is or_([c, b, a])
    assert and_([a, or_([b, c])]) is or_([and_([a, b]), and_([a, c])])
    assert or_([a, and_([b, c])]) is and_([or_([a, b]), or_([a, c])])
    assert and_([a, or_([a, b])]) is a
    assert or_([a, and_([a, b])]) is a


@given(st.sampled_from(sorted(COMPARISONS)), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_comparisons_of_known_values(sign: str, left: float, right: float) -> None:
    expected = {
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
        "==": left == right,
        "!=": left != right,
    }[sign]
    assert compare(left, sign, right) is (T if expected else F)


@pytest.mark.parametrize("sign", sorted(COMPARISONS))
def test_comparisons_with_unknown_are_unknown(sign: str) -> None:
    assert compare(None, sign, 1.0) is U
    assert compare(1.0, sign, None) is U
    assert compare(None, sign, None) is U


def test_what_is_no_number_is_unknown() -> None:
    assert [number_of(value) for value in (None, math.nan, "12", ())] == [None] * 4
    assert [number_of(value) for value in (True, False, 0.5, 3)] == [1, 0, 0.5, 3]


def test_a_signal_alone() -> None:
    assert [truth_of(value) for value in (None, 0.0, False, 0.1, True)] == [U, F, F, T, T]


def test_a_truth_is_no_bool() -> None:
    with pytest.raises(TypeError, match="three values do not fit into two"):
        bool(Truth.UNKNOWN)
