"""Values as people write them (durations, sizes, names, polygons), checked and turned into what the program uses."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from penstock.base.units import parse_duration_ns, parse_size_bytes
from penstock.config.substitution import VALUE_NAME

Point = tuple[float, float]

# These stand in the JSON Schema too, so they are written in what Python and ECMA 262 have in common.
_NUMBER = r"[0-9]+(\.[0-9]+)?"
_FRACTION = r"\+?0*(1(\.0*)?|0(\.[0-9]*)?|\.[0-9]+)"
_DURATION_PART = rf"{_NUMBER}\s*([nNuUµmM]?[sS]|[mMhHdD])"
NUMBER_TEXT = r"^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*$"
_DECIMAL_TEXT = r"\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*"
WHOLE_TEXT = r"^\s*[-+]?[0-9]{1,18}\s*$"
_FLAG_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_FLAG_TEXT = f"^({'|'.join(''.join(f'[{c}{c.upper()}]' if c.isalpha() else c for c in w) for w in _FLAG_WORDS)})$"


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """How a value stands in the file: in words, for editors, and how a default is written."""

    words: str
    schema: Mapping[str, Any]
    text: Callable[[int], str] | None = None


def flag(value: Any) -> bool:
    """Of `true` and `false`, and of texts that mean the same: what a variable holds is always a text."""
    found = _FLAG_WORDS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise PydanticCustomError("bool_type", "expected true or false")
    return found


def number(value: Any) -> float:
    """Of a number, or of a text that is one."""
    if isinstance(value, str) and re.fullmatch(NUMBER_TEXT, value, re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PydanticCustomError("float_type", "expected a number")
    return float(value)


def whole(value: Any) -> int:
    """Of a whole number, or of a text that is one."""
    if isinstance(value, str) and re.fullmatch(WHOLE_TEXT, value, re.ASCII):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value != int(value):
        raise PydanticCustomError("int_type", "expected a whole number")
    return int(value)


def option_text(value: Any) -> Any:
    """Numbers as texts: options go to others as they are, and many are numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def value_text(value: Any) -> Any:
    """One of a camera's values as the text that it stands for."""
    if isinstance(value, bool):
        return str(value).lower()
    return option_text(value)


def parameter(value: Any) -> str | float | bool:
    """A text, number or truth value, as it is."""
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("parameter_type", "expected a text, a number, true or false")
    return value


def one_or_more(value: Any) -> Any:
    """A single name as a list of one."""
    return (value,) if isinstance(value, str) else value


def duration_ns(value: Any) -> int:
    """Nanoseconds of a text such as `500ms`, or of a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration such as 500ms, 5s or 1m30s, or a number of seconds")
    if isinstance(value, str) and not re.fullmatch(NUMBER_TEXT, value, re.ASCII):
        result = parse_duration_ns(value)
    else:
        seconds = float(value)
        if not math.isfinite(seconds) or seconds > 10**9:
            raise ValueError("expected a duration such as 500ms, 5s or 1m30s, or a number of seconds")
        result = round(seconds * 10**9)
    if result < 0:
        raise ValueError("a duration cannot be below zero")
    return result


def size_bytes(value: Any) -> int:
    """Bytes of a text such as `32MiB`, or of a whole number of bytes."""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a size such as 512kB, 32MiB or 2GB, or a number of bytes")
    is_number = isinstance(value, int) or re.fullmatch(WHOLE_TEXT, value, re.ASCII)
    result = int(value) if is_number else parse_size_bytes(str(value))
    if result < 0:
        raise ValueError("a size cannot be below zero")
    return result


def _positive(value: int) -> int:
    if value == 0:
        raise ValueError("must be above zero")
    return value


def coordinates(value: Any) -> tuple[Point, ...]:
    """The points of `"x1,y1,x2,y2,…"`, of a list of `"x,y"` texts or of a list of `[x, y]` pairs."""
    shape = 'expected points such as "0.1,0.2,0.5,0.2,0.5,0.9" or [[0.1, 0.2], [0.5, 0.2], [0.5, 0.9]]'
    if isinstance(value, str):
        numbers = _numbers(value.split(","), shape)
    elif isinstance(value, list | tuple):
        numbers = []
        for point in value:
            pair = point.split(",") if isinstance(point, str) else point
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise ValueError(shape)
            numbers += _numbers(list(pair), shape)
    else:
        raise ValueError(shape)
    if len(numbers) % 2:
        raise ValueError(f"has {len(numbers)} numbers, but every point needs an x and a y")
    beyond = next((number for number in numbers if not 0 <= number <= 1), None)
    if beyond is not None:
        advice = "; divide pixels by the width and height of the picture" if beyond > 1 else ""
        raise ValueError(f"coordinates are fractions of the picture between 0 and 1, not {beyond:g}{advice}")
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if len(points) < 3:
        raise ValueError(f"a zone needs at least 3 points, and this one has {len(points)}")
    return points


def _numbers(values: list[Any], shape: str) -> list[float]:
    for value in values:
        decimal = isinstance(value, str) and re.fullmatch(_DECIMAL_TEXT, value, re.ASCII)
        if not decimal and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
            raise ValueError(shape)
    return [float(value) for value in values]


def crosses_itself(points: tuple[Point, ...]) -> bool:
    """Whether two edges of the closed polygon that are not neighbours cross."""
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    for i, (a, b) in enumerate(edges):
        for j, (c, d) in enumerate(edges[i + 2 :], i + 2):
            if (i, j) != (0, len(edges) - 1) and _cross(a, b, c, d):
                return True
    return False


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def written_duration(ns: int) -> str:
    """As one would write it in the file, exactly: `500ms`, `90s`, `5m`."""
    units = (("h", 3600 * 10**9), ("m", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3))
    return next((f"{ns // unit}{name}" for name, unit in units if ns and ns % unit == 0), f"{ns}ns" if ns else "0s")


def written_size(size: int) -> str:
    """As one would write it in the file, exactly: `32MiB`, `1000B`."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
    return next((f"{size // unit}{name}" for name, unit in units if size % unit == 0), f"{size}B")


def _not_zero(pattern: str) -> str:
    return f"^(?=.*[1-9]){pattern.removeprefix('^')}"


_DURATION_TEXTS = (rf"^\s*({_DURATION_PART}\s*)+$", NUMBER_TEXT)
_SIZE_TEXTS = (rf"^\s*({_NUMBER}\s*([kKmMgGtT][iI]?)?[bB]\s*)+$", WHOLE_TEXT)
DURATION_SCHEMA: dict[str, Any] = {
    "type": ["string", "number"],
    "minimum": 0,
    "maximum": 10**9,
    "pattern": "|".join(_DURATION_TEXTS),
}
Duration = Annotated[
    int,
    BeforeValidator(duration_ns),
    PlainSerializer(written_duration, return_type=str),
    Written("duration", DURATION_SCHEMA, written_duration),
]
"""Nanoseconds; may be zero"""
PositiveDuration = Annotated[
    int,
    BeforeValidator(duration_ns),
    AfterValidator(_positive),
    PlainSerializer(written_duration, return_type=str),
    Written(
        "duration",
        {**DURATION_SCHEMA, "exclusiveMinimum": 0, "pattern": "|".join(_not_zero(p) for p in _DURATION_TEXTS)},
        written_duration,
    ),
]
Size = Annotated[
    int,
    BeforeValidator(size_bytes),
    AfterValidator(_positive),
    PlainSerializer(written_size, return_type=str),
    Written(
        "size",
        {
            "type": ["string", "integer"],
            "minimum": 1,
            "pattern": "|".join(_not_zero(p) for p in _SIZE_TEXTS),
        },
        written_size,
    ),
]
Flag = Annotated[
    bool, BeforeValidator(flag), Written("`true`, `false`", {"type": ["boolean", "string"], "pattern": _FLAG_TEXT})
]
Number = Annotated[
    float, BeforeValidator(number), Written("number", {"type": ["number", "string"], "pattern": NUMBER_TEXT})
]
Whole = Annotated[
    int, BeforeValidator(whole), Written("whole number", {"type": ["integer", "string"], "pattern": WHOLE_TEXT})
]
OptionText = Annotated[str, BeforeValidator(option_text), Written("text", {"type": ["string", "number"]})]
_SCALAR = Written("text, number, `true` or `false`", {"type": ["string", "number", "boolean"]})
ValueText = Annotated[str, BeforeValidator(value_text), _SCALAR]
Parameter = Annotated[str | float | bool, PlainValidator(parameter), _SCALAR]
NAME_TEXT = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME_TEXT)]
"""Of a camera, model or rule: it becomes part of file names and metrics"""
ZoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
"""Begins with a letter: it is a word of the rule language"""
ValueName = Annotated[str, StringConstraints(pattern=VALUE_NAME)]
"""Of one of a camera's values: what stands between `{` and `}`"""
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(one_or_more),
    Written(
        "name, or list of names",
        {
            "type": ["string", "array"],
            "pattern": NAME_TEXT,
            "items": {"type": "string", "pattern": NAME_TEXT},
            "minItems": 1,
        },
    ),
]
_FRACTION_TEXT = rf"^\s*{_FRACTION}\s*$"
_PAIR_TEXT = rf"^\s*{_FRACTION}\s*,\s*{_FRACTION}\s*$"
Coordinates = Annotated[
    tuple[Point, ...],
    BeforeValidator(coordinates),
    Written(
        "points",
        {
            "type": ["string", "array"],
            "pattern": rf"^\s*{_FRACTION}\s*(,\s*{_FRACTION}\s*){{5}}((,\s*{_FRACTION}\s*){{2}})*$",
            "minItems": 3,
            "items": {
                "type": ["string", "array"],
                "pattern": _PAIR_TEXT,
                "minItems": 2,
                "maxItems": 2,
                "items": {"type": ["number", "string"], "minimum": 0, "maximum": 1, "pattern": _FRACTION_TEXT},
            },
        },
    ),
]
