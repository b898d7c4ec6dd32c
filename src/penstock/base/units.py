"""Durations and sizes as people write them, and back."""

import re

_DURATION_NS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
_SIZE_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
# Sums of two of them still fit into the 64 bits of a record.
_MOST = 1 << 62
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zµ]+)", re.IGNORECASE)


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of `"250ms"`, `"30s"`, `"1m30s"`, `"2h"`; raises ValueError that says what is allowed."""
    return _parse(text, _DURATION_NS, "a duration such as 250ms, 30s, 1m30s or 2h")


def parse_size_bytes(text: str) -> int:
    """Bytes of `"64MiB"`, `"2GB"`, `"512 kB"`; raises ValueError that says what is allowed."""
    return _parse(text, _SIZE_BYTES, "a size such as 512kB, 64MiB or 2GB")


def format_duration(ns: int) -> str:
    """A short text that people read: `1.5 s`, `250 ms`, `2 m 5 s`; `parse_duration_ns` takes it back."""
    if ns < 0:
        return f"-{format_duration(-ns)}"
    if ns < 10**6:
        return f"{ns / 10**3:g} µs"
    if ns < 10**9:
        return f"{round(ns / 10**6, 1):g} ms"
    if ns < 60 * 10**9:
        return f"{round(ns / 10**9, 2):g} s"
    minutes, seconds = divmod(round(ns / 10**9), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (seconds, "s")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def format_size(size_bytes: float) -> str:
    """A short text in binary units: `3.2 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size_bytes) < 1024:
            return f"{round(size_bytes, 1):g} {unit}"
        size_bytes /= 1024
    return f"{round(size_bytes, 1):g} TiB"


def _parse(text: str, units: dict[str, int], expected: str) -> int:
    total = 0.0
    end = 0
    stripped = text.strip()
    for match in _PART.finditer(stripped):
        unit = units.get(match.group(2).lower())
        if unit is None or stripped[end : match.start()].strip():
            raise ValueError(f"{text!r} is not {expected}")
        total += float(match.group(1)) * unit
        end = match.end()
    if end == 0 or stripped[end:].strip():
        raise ValueError(f"{text!r} is not {expected}")
    if total >= _MOST:
        raise ValueError(f"{text[:40]!r} is too large for {expected}")
    return round(total)
