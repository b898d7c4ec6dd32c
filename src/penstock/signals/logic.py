"""Kleene's strong logic: a condition is true, false, or unknown, and unknown stays unknown until something decides it.

The order FALSE < UNKNOWN < TRUE makes "and" the minimum and "or" the maximum (S. C. Kleene, Introduction to
Metamathematics, §64). A `Truth` refuses to be used as a Python bool, so that no `if` can take unknown for either.
"""

import enum
import operator
from collections.abc import Callable, Iterable
from typing import NoReturn

from penstock.contracts.signals import SignalValue


class Truth(enum.IntEnum):
    """One of three values; compare with `is`."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2

    @property
    def label(self) -> str:
        return self.name.lower()

    def __bool__(self) -> NoReturn:
        raise TypeError("three values do not fit into two: compare with `is Truth.TRUE`")


_NOT = (Truth.TRUE, Truth.UNKNOWN, Truth.FALSE)

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
"""The comparisons of the rule language, by their sign."""


def truth_of(value: float | None) -> Truth:
    """A signal standing alone: false is False or 0; None is unknown."""
    if value is None:
        return Truth.UNKNOWN
    return Truth.TRUE if value else Truth.FALSE


def number_of(value: SignalValue | None) -> float | None:
    """The value as a number to compare; None (unknown) for what is no number: missing, NaN, text, detections."""
    if value is None or isinstance(value, (str, tuple)) or value != value:  # noqa: PLR0124 (NaN)
        return None
    return value


def not_(operand: Truth) -> Truth:
    return _NOT[operand]


def and_(operands: Iterable[Truth]) -> Truth:
    """False where any is false, else unknown where any is unknown, else true; of nothing, true."""
    return min(operands, default=Truth.TRUE)


def or_(operands: Iterable[Truth]) -> Truth:
    """True where any is true, else unknown where any is unknown, else false; of nothing, false."""
    return max(operands, default=Truth.FALSE)


def compare(left: float | None, sign: str, right: float | None) -> Truth:
    """`left sign right`; unknown where either side is. `sign` is a key of `COMPARISONS`."""
    if left is None or right is None:
        return Truth.UNKNOWN
    return Truth.TRUE if COMPARISONS[sign](left, right) else Truth.FALSE
