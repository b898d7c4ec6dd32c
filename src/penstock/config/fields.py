"""Values as people write them (durations, sizes, names, polygons), checked and turned into what the program uses."""

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

from penstock.base.units import parse_duration_ns, parse_size_bytes

Point = tuple[float, float]


def duration_ns(value: Any) -> int:
    """Nanoseconds of a text such as `500ms`, or of a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a duration such as 500ms, 5s or 1m30s, or a number of seconds")
    try:
        seconds = float(value)
    except ValueError:
        result = parse_duration_ns(str(value))
    else:
        if not math.isfinite(seconds) or seconds > 10**9:
            raise ValueError("expected a duration such as 500ms, 5s or 1m30s, or a number of seconds")
        result = round(seconds * 10**9)
    if result < 0:
        raise ValueError("a duration cannot be below zero")
    return result


def size_bytes(value: Any) -> int:
    """Bytes of a text such as `32MiB`, or of a whole number of bytes."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a size such as 512kB, 32MiB or 2GB, or a number of bytes")
    result = int(value) if isinstance(value, int) or value.strip().isdigit() else parse_size_bytes(value)
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


def _numbers(texts: list[Any], shape: str) -> list[float]:
    try:
        numbers = [float(text) for text in texts]
    except (TypeError, ValueError):
        raise ValueError(shape) from None
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(shape)
    return numbers


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


_DURATION_SCHEMA = WithJsonSchema({"type": ["string", "number"], "description": "duration: 500ms, 5s, 1m30s"})
Duration = Annotated[
    int, BeforeValidator(duration_ns), PlainSerializer(written_duration, return_type=str), _DURATION_SCHEMA
]
"""Nanoseconds; may be zero"""
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Size = Annotated[
    int,
    BeforeValidator(size_bytes),
    AfterValidator(_positive),
    PlainSerializer(written_size, return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "description": "size: 512kB, 32MiB"}),
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$")]
"""Of a camera, model or rule: it becomes part of file names and metrics"""
ZoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
"""Begins with a letter: it is a word of the rule language"""
Coordinates = Annotated[
    tuple[Point, ...],
    BeforeValidator(coordinates),
    WithJsonSchema({"type": ["string", "array"], "description": "x1,y1,x2,y2,… in fractions of the picture"}),
]
