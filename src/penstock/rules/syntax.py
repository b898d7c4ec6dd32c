"""The syntax tree of a rule and its text: parsing the text of a tree gives an equal tree.

Operators of past-time metric temporal logic are conditions with a duration (R. Koymans, Specifying real-time
properties with metric temporal logic, 1990): `for` is "always in the last D". Later ones (once within D, since,
before) are further classes here with their text, a row in the grammar, a node in `operators`, and their share of
`window_ns_of`. A count over time would be another `Value`.
"""

import re
from dataclasses import dataclass, field

KEYWORDS = frozenset({"and", "or", "not", "for", "in", "count"})
RESERVED = frozenset({"within", "since", "before", "last", "true", "false", "unknown"})
"""Kept for operators to come, so that they break no rule written today."""

_NAME = re.compile(r"[^\W\d]\w*(-\w+)*")
_UNITS = (("h", 3600 * 10**9), ("m", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


@dataclass(frozen=True, slots=True)
class Name:
    """A class, zone or signal, and where in the text it stands."""

    text: str
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Count:
    """How many boxes of these classes there are, in the zone if one is given."""

    classes: tuple[Name, ...]
    zone: Name | None = None


@dataclass(frozen=True, slots=True)
class SignalName:
    """A named signal: a value in a comparison, a condition where it stands alone."""

    name: Name


Value = Number | Count | SignalName


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Value
    sign: str
    right: Value


@dataclass(frozen=True, slots=True)
class Not:
    operand: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """Two or more conditions, none of them an `And`: build it with `all_of`."""

    operands: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more conditions, none of them an `Or`: build it with `any_of`."""

    operands: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class For:
    """The operand held without a break for `duration_ns`."""

    operand: "Condition"
    duration_ns: int


Condition = Comparison | SignalName | Not | And | Or | For


def all_of(operands: list[Condition]) -> Condition:
    flat = [part for operand in operands for part in (operand.operands if isinstance(operand, And) else (operand,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(operands: list[Condition]) -> Condition:
    flat = [part for operand in operands for part in (operand.operands if isinstance(operand, Or) else (operand,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def text_of(condition: Condition) -> str:
    """The normal text: single spaces, fewest parentheses, durations in the largest unit that divides them."""
    match condition:
        case Comparison(left, sign, right):
            return f"{text_of_value(left)} {sign} {text_of_value(right)}"
        case SignalName(name):
            return _text_of_name(name)
        case Not(operand):
            return f"not {_within(operand, (And, Or, For))}"
        case And(operands):
            return " and ".join(_within(operand, (Or,)) for operand in operands)
        case Or(operands):
            return " or ".join(_within(operand, ()) for operand in operands)
        case For(operand, duration_ns):
            return f"{_within(operand, (And, Or, For))} for {text_of_duration(duration_ns)}"


def text_of_value(value: Value) -> str:
    match value:
        case Number(number):
            return repr(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)
        case SignalName(name):
            return _text_of_name(name)
        case Count(classes, zone):
            names = " or ".join(_text_of_name(name) for name in classes)
            return f"count({names})" if zone is None else f"count({names} in {_text_of_name(zone)})"


def text_of_duration(duration_ns: int) -> str:
    """One number and its unit, exact: `90s`, `1500ms`, `1h`."""
    unit, size_ns = next((unit, size_ns) for unit, size_ns in _UNITS if duration_ns % size_ns == 0)
    return f"{duration_ns // size_ns}{unit}"


def window_ns_of(condition: Condition) -> int:
    """How far back the condition looks: windows inside windows add up."""
    match condition:
        case Comparison() | SignalName():
            return 0
        case Not(operand):
            return window_ns_of(operand)
        case And(operands) | Or(operands):
            return max(window_ns_of(operand) for operand in operands)
        case For(operand, duration_ns):
            return window_ns_of(operand) + duration_ns


def _within(operand: Condition, looser: tuple[type, ...]) -> str:
    text = text_of(operand)
    return f"({text})" if isinstance(operand, looser) else text


def _text_of_name(name: Name) -> str:
    plain = _NAME.fullmatch(name.text) and name.text not in KEYWORDS and name.text not in RESERVED
    if plain:
        return name.text
    return f"'{name.text}'" if '"' in name.text else f'"{name.text}"'
