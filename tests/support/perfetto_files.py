"""Reads a trace file as a viewer would, and says what is wrong with it: rows, nesting, arrows, order."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

Row = tuple[int, int]


class Slice(NamedTuple):
    row: Row
    name: str
    begin: Decimal
    end: Decimal
    args: dict[str, Any]


class Timeline:
    """The events of one file. Numbers must have been parsed with `parse_float=Decimal`."""

    def __init__(self, events: Iterable[dict[str, Any]]) -> None:
        self.processes: dict[int, str] = {}
        self.rows: dict[Row, str] = {}
        self.slices: list[Slice] = []
        self.instants: list[dict[str, Any]] = []
        self.arrows: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for event in events:
            row = event["pid"], event["tid"]
            match event["ph"]:
                case "M" if event["name"] == "process_name":
                    self.processes[event["pid"]] = event["args"]["name"]
                case "M" if event["name"] == "thread_name":
                    assert row not in self.rows, f"row {row} is named twice"
                    self.rows[row] = event["args"]["name"]
                case "M":
                    assert event["name"] in ("process_sort_index", "thread_sort_index"), event
                case "X":
                    begin = Decimal(event["ts"])
                    self.slices.append(Slice(row, event["name"], begin, begin + Decimal(event["dur"]), event["args"]))
                case "i":
                    assert event["s"] in ("t", "p")
                    self.instants.append(event)
                case "s" | "t" | "f":
                    self.arrows[event["id"]].append(event)
                case other:
                    raise AssertionError(f"an event of phase {other}")

    def where(self, process: str, row: str = "") -> list[Slice]:
        """The slices on a row, or on all rows of a process; a row's second line counts as the row."""
        return [
            one
            for one in self.slices
            if self.processes[one.row[0]] == process
            and (not row or self.rows[one.row] == row or self.rows[one.row].startswith(f"{row} #"))
        ]

    def problems(self) -> Iterator[str]:
        """Everything that a viewer would draw wrongly or leave out."""
        for event in [*self.instants, *(stop for stops in self.arrows.values() for stop in stops)]:
            if (event["pid"], event["tid"]) not in self.rows:
                yield f"{event['name']} is on a row without a name"
        by_row: dict[Row, list[Slice]] = defaultdict(list)
        for one in self.slices:
            if one.row not in self.rows or one.row[0] not in self.processes:
                yield f"{one.name} is on a row or in a process without a name"
            if one.begin < 0 or one.end < one.begin:
                yield f"{one.name} at {one.begin} lasts {one.end - one.begin}"
            by_row[one.row].append(one)
        for row, slices in by_row.items():
            yield from self._badly_nested(row, slices)
        for number, stops in self.arrows.items():
            yield from self._broken_arrow(number, stops, by_row)

    def _badly_nested(self, row: Row, slices: list[Slice]) -> Iterator[str]:
        around: list[Slice] = []
        for one in sorted(slices, key=lambda one: (one.begin, -one.end)):
            while around and around[-1].end <= one.begin and around[-1].end < one.end:
                around.pop()
            if around and one.end > around[-1].end:
                yield f"on {self.rows[row]}, {one.name} at {one.begin} outlasts {around[-1].name} around it"
            around.append(one)

    def _broken_arrow(self, number: int, stops: list[dict[str, Any]], by_row: dict[Row, list[Slice]]) -> Iterator[str]:
        phases = "".join(stop["ph"] for stop in stops)
        if phases != "s" + "t" * (len(stops) - 2) + "f" or len({(stop["name"], stop["cat"]) for stop in stops}) > 1:
            yield f"arrow {number} goes {phases}"
        times = [Decimal(stop["ts"]) for stop in stops]
        if times != sorted(times):
            yield f"arrow {number} goes back in time: {times}"
        for stop, at in zip(stops, times, strict=True):
            if not any(one.begin <= at < one.end for one in by_row[stop["pid"], stop["tid"]]):
                yield f"arrow {number} has a {stop['ph']} outside of any slice"
