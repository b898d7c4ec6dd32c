"""Rows of a timeline on which slices never overlap, and the text of its events.

Events are those of Chrome's trace format (docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU),
which ui.perfetto.dev and chrome://tracing open. Instants are microseconds with three decimals, written as text: a
float would lose the nanoseconds of a host that has been up for long.
"""

from collections.abc import Mapping

import msgspec

ROWS_PER_GROUP = 32
_SORT_STEP = 1000


def quoted(text: str) -> str:
    """`text` as JSON."""
    return msgspec.json.encode(text).decode()


def micros(ns: int) -> str:
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    return f"{sign}{ns // 1000}.{ns % 1000:03d}"


class Tracks:
    """Finds a row for each slice: the first of its group on which nothing lasts beyond the slice's begin."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, str], list[list[int]]] = {}  # tid and end of each row
        self._rows = 0
        self.crowded = 0
        """slices for which their group had no row left"""
        self.events: list[str] = []
        """names of processes and rows that are new since somebody took them"""

    def process(self, pid: int, name: str) -> None:
        for event, args in (("process_name", f'"name":{quoted(name)}'), ("process_sort_index", f'"sort_index":{pid}')):
            self.events.append(f'{{"ph":"M","pid":{pid},"tid":0,"name":"{event}","args":{{{args}}}}}')

    def declare(self, pid: int, name: str) -> int:
        """The first row of a group, in the order of declaration; its tid."""
        rows = self._groups.setdefault((pid, name), [])
        return rows[0][0] if rows else self._row(pid, name, rows)[0]

    def place(self, pid: int, name: str, begin_ns: int, end_ns: int) -> int | None:
        """The tid of a row that is free from `begin_ns` on, taken until `end_ns`; None where all are full."""
        rows = self._groups.setdefault((pid, name), [])
        row = next((row for row in rows if row[1] <= begin_ns), None)
        if row is None:
            if len(rows) >= ROWS_PER_GROUP:
                self.crowded += 1
                return None
            row = self._row(pid, name, rows)
        row[1] = end_ns
        return row[0]

    def _row(self, pid: int, name: str, rows: list[list[int]]) -> list[int]:
        self._rows += 1
        row = [self._rows, -(1 << 63)]
        rows.append(row)
        shown = name if len(rows) == 1 else f"{name} #{len(rows)}"
        order = list(self._groups).index((pid, name)) * _SORT_STEP + len(rows)
        for event, args in (
            ("thread_name", f'"name":{quoted(shown)}'),
            ("thread_sort_index", f'"sort_index":{order}'),
        ):
            self.events.append(f'{{"ph":"M","pid":{pid},"tid":{row[0]},"name":"{event}","args":{{{args}}}}}')
        return row


def slice_event(pid: int, tid: int, name: str, begin_ns: int, end_ns: int, args: Mapping[str, object]) -> str:
    """A complete event."""
    return (
        f'{{"ph":"X","pid":{pid},"tid":{tid},"ts":{micros(begin_ns)},"dur":{micros(end_ns - begin_ns)},'
        f'"name":{quoted(name)},"args":{_arguments(args)}}}'
    )


def instant_event(pid: int, tid: int, name: str, at_ns: int, args: Mapping[str, object], scope: str = "t") -> str:
    """`scope`: `t` on its row, `p` over its process."""
    return (
        f'{{"ph":"i","s":"{scope}","pid":{pid},"tid":{tid},"ts":{micros(at_ns)},'
        f'"name":{quoted(name)},"args":{_arguments(args)}}}'
    )


def flow_event(phase: str, pid: int, tid: int, at_ns: int, number: int) -> str:
    """One end or stop of arrow `number`, in the slice that is there at that instant: `s` start, `t` step, `f` end."""
    enclosing = ',"bp":"e"' if phase == "f" else ""
    return (
        f'{{"ph":"{phase}","pid":{pid},"tid":{tid},"ts":{micros(at_ns)},'
        f'"name":"way","cat":"frame","id":{number}{enclosing}}}'
    )


def _arguments(args: Mapping[str, object]) -> str:
    return msgspec.json.encode(args).decode()
