"""Until when something was so on a camera: for lanes that are only worth running while, or soon after, it is.

A name is so while any lane states it: a signal that is true or above 0 (a classifier's class is a signal too, its
probability), or a class of which at least one box is in the picture. Unlike in rules, no lane's answer outweighs
another's: what starts a second model should rather start it once too often.
"""

from collections.abc import Iterable

import msgspec

from penstock.contracts.signals import Signal
from penstock.signals.blackboard import Cell
from penstock.signals.statements import CLASSES, DETECTIONS


class Holding(msgspec.Struct, frozen=True, gc=False):
    """When a name was last so, on the clock of the camera's captures."""

    last_true_ns: int
    """capture of the newest picture that showed it"""
    valid_until_ns: int
    """last instant at which it is, or was, so: the end of that statement's validity, or the instant before another
    contradicted it or the camera went away"""


class _Spoken:
    """What one lane last said of the name, where it was so."""

    __slots__ = ("cell", "last_true_ns", "so", "until_ns")

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.last_true_ns = 0
        self.until_ns: int | None = None
        """None where the lane never said that it was so"""
        self.so = False
        """its newest statement says that it is; how long, the cell knows"""


class NameWatch:
    """One name on one camera's blackboard. `update` after every statement; `holding` costs as much as there are lanes
    that speak of the name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spoken: list[_Spoken] = []

    def read(self, cells: Iterable[Cell]) -> None:
        """From here on these cells; what the known ones said stays known."""
        known = {id(spoken.cell): spoken for spoken in self._spoken}
        self._spoken = [known.get(id(cell)) or _Spoken(cell) for cell in cells]
        self.update()

    def update(self) -> None:
        """Takes notice of what the cells state now; a statement that came and went in between is missed."""
        for spoken in self._spoken:
            signal = spoken.cell.signal
            if signal is not None and _says_so(signal, self._name):
                spoken.last_true_ns = signal.capture_ns
                spoken.until_ns = spoken.cell.valid_until_ns
                spoken.so = True
            elif spoken.so:
                assert spoken.until_ns is not None
                # Its validity was cut where the camera went; else a picture that does not show it took its place.
                gone_ns = spoken.cell.valid_until_ns if signal is None else signal.capture_ns - 1
                spoken.until_ns = min(spoken.until_ns, gone_ns)
                spoken.so = False

    def holding(self) -> Holding | None:
        """When it was last so, by whichever lane says the latest; None where it never was."""
        last_true_ns: int | None = None
        until_ns = 0
        for spoken in self._spoken:
            if spoken.so:
                # Still pictures extend the statement without making another.
                spoken.until_ns = spoken.cell.valid_until_ns
            if spoken.until_ns is not None and (last_true_ns is None or spoken.until_ns > until_ns):
                last_true_ns, until_ns = spoken.last_true_ns, spoken.until_ns
        return None if last_true_ns is None else Holding(last_true_ns, until_ns)


def _says_so(signal: Signal, name: str) -> bool:
    value = signal.value
    if isinstance(value, tuple):
        if signal.name == DETECTIONS:
            return any(box.class_name == name for box in value)
        if signal.name == CLASSES:
            return any(one.class_name == name and one.confidence > 0 for one in value)
        return False
    return not isinstance(value, str) and value > 0
