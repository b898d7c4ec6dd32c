"""Conditions bound to one camera's blackboard, evaluated at one instant after another.

Each node remembers its truth at the last evaluated instant; nodes are evaluated children first, all of them every
time, for a window that was skipped would miss a break. Besides `truth` every node has `inner`: the truth of the
same condition with every `for` taken away, that is, what is so at this instant apart from how long.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from penstock.rules.zones import Zone
from penstock.signals.blackboard import Cell
from penstock.signals.logic import COMPARISONS, Truth, not_, number_of, truth_of
from penstock.signals.statements import PRESENCE

_LONG_AGO_NS = -(2**63)


class Reader(Protocol):
    """A number at an instant, None where it is unknown."""

    def value(self, at_ns: int) -> float | None: ...


class ConstantReader:
    """A number written in the rule."""

    __slots__ = ("_number",)

    def __init__(self, number: float) -> None:
        self._number = number

    def value(self, at_ns: int) -> float | None:  # noqa: ARG002 (the shape of every reader)
        return self._number


class SignalReader:
    """A named signal: the newest valid statement among the lanes that make it, the first lane's where equal.

    A statement of classes says the probability of the one of that name; 0 where it is not among those stated. Of
    presence (`PersonDetected`) the largest is taken instead of the newest, as of counts, and for the same reason.
    """

    __slots__ = ("_cells", "_largest", "_name")

    def __init__(self, name: str, cells: tuple[Cell, ...]) -> None:
        self._name = name
        self._cells = cells
        self._largest = name in PRESENCE

    def value(self, at_ns: int) -> float | None:
        if self._largest:
            stated = [number_of(signal.value) for cell in self._cells if (signal := cell.at(at_ns)) is not None]
            return max((value for value in stated if value is not None), default=None)
        best = None
        for cell in self._cells:
            signal = cell.at(at_ns)
            if signal is not None and (best is None or signal.capture_ns > best.capture_ns):
                best = signal
        if best is None:
            return None
        if isinstance(best.value, tuple):
            return next((one.confidence for one in best.value if one.class_name == self._name), 0.0)
        return number_of(best.value)


class ClassCountReader:
    """Boxes of one class: the largest count among the lanes whose model knows it; unknown if all of those are.

    The largest, because detectors miss more than they invent, and so that a lane which lags or was paused does not
    hide what another sees.
    """

    __slots__ = ("_cells", "_class_name", "_zone")

    def __init__(self, class_name: str, zone: Zone | None, cells: tuple[Cell, ...]) -> None:
        self._class_name = class_name
        self._zone = zone
        self._cells = cells

    def value(self, at_ns: int) -> float | None:
        most: int | None = None
        name, zone = self._class_name, self._zone
        for cell in self._cells:
            signal = cell.at(at_ns)
            if signal is None or not isinstance(signal.value, tuple):
                continue
            count = 0
            for box in signal.value:
                if box.class_name == name and (
                    zone is None or zone.holds_box(box.xyxy, signal.frame_width_px, signal.frame_height_px)
                ):
                    count += 1
            if most is None or count > most:
                most = count
        return most


class SumReader:
    """`count(a or b)`: the sum over its classes; unknown if any of them is."""

    __slots__ = ("_parts",)

    def __init__(self, parts: tuple[Reader, ...]) -> None:
        self._parts = parts

    def value(self, at_ns: int) -> float | None:
        total = 0.0
        for part in self._parts:
            value = part.value(at_ns)
            if value is None:
                return None
            total += value
        return total


class Node(ABC):
    """One condition; after `evaluate(at_ns)`, `truth` and `inner` are what is so at that instant."""

    __slots__ = ("inner", "truth")

    def __init__(self) -> None:
        self.truth = Truth.UNKNOWN
        self.inner = Truth.UNKNOWN

    @abstractmethod
    def evaluate(self, at_ns: int) -> None:
        """Takes the truths of the operands, which were evaluated at the same instant; instants never go back."""


class Leaf(Node):
    """A comparison or a signal standing alone: the smallest part that has a value and a truth to tell of."""

    __slots__ = ("_constant", "left", "right", "since_ns", "text")

    def __init__(self, text: str, left: Reader, right: Reader) -> None:
        super().__init__()
        self.text = text
        self.left = left
        self.right = right
        self.since_ns: int | None = None
        """since when the truth is what it is; None before the first evaluation"""

    def _settle(self, truth: Truth, at_ns: int) -> None:
        if truth is not self.truth or self.since_ns is None:
            self.truth = self.inner = truth
            self.since_ns = at_ns

    def values(self, at_ns: int) -> str:
        """What was compared, for people: `3`, `0.021`, `unknown`; two values where both sides are read."""
        readers = [reader for reader in (self.left, self.right) if not isinstance(reader, ConstantReader)]
        values = [reader.value(at_ns) for reader in readers or [self.left]]
        return ", ".join("unknown" if value is None else f"{value:g}" for value in values)


class ComparisonLeaf(Leaf):
    """`left sign right`."""

    __slots__ = ("_holds",)

    def __init__(self, text: str, left: Reader, sign: str, right: Reader) -> None:
        super().__init__(text, left, right)
        self._holds: Callable[[float, float], bool] = COMPARISONS[sign]

    def evaluate(self, at_ns: int) -> None:
        left, right = self.left.value(at_ns), self.right.value(at_ns)
        if left is None or right is None:
            truth = Truth.UNKNOWN
        else:
            truth = Truth.TRUE if self._holds(left, right) else Truth.FALSE
        self._settle(truth, at_ns)


class SignalLeaf(Leaf):
    """A signal alone: true where its value is true or a number other than 0."""

    __slots__ = ()

    def __init__(self, text: str, signal: SignalReader) -> None:
        super().__init__(text, signal, signal)

    def evaluate(self, at_ns: int) -> None:
        self._settle(truth_of(self.left.value(at_ns)), at_ns)

    def values(self, at_ns: int) -> str:
        value = self.left.value(at_ns)
        return "unknown" if value is None else f"{value:g}"


class NotNode(Node):
    __slots__ = ("_operand",)

    def __init__(self, operand: Node) -> None:
        super().__init__()
        self._operand = operand

    def evaluate(self, at_ns: int) -> None:  # noqa: ARG002
        self.truth = not_(self._operand.truth)
        self.inner = not_(self._operand.inner)


class AllNode(Node):
    """`and`: the least of its operands."""

    __slots__ = ("_operands",)

    def __init__(self, operands: tuple[Node, ...]) -> None:
        super().__init__()
        self._operands = operands

    def evaluate(self, at_ns: int) -> None:  # noqa: ARG002
        truth = inner = Truth.TRUE
        for operand in self._operands:
            truth = min(truth, operand.truth)
            inner = min(inner, operand.inner)
        self.truth, self.inner = truth, inner


class AnyNode(Node):
    """`or`: the greatest of its operands."""

    __slots__ = ("_operands",)

    def __init__(self, operands: tuple[Node, ...]) -> None:
        super().__init__()
        self._operands = operands

    def evaluate(self, at_ns: int) -> None:  # noqa: ARG002
        truth = inner = Truth.FALSE
        for operand in self._operands:
            truth = max(truth, operand.truth)
            inner = max(inner, operand.inner)
        self.truth, self.inner = truth, inner


class ForNode(Node):
    """`operand for D`: the least truth of the operand over the closed window of the last D.

    Between evaluated instants the operand is what it was at the last of them, so the window starts with what was so
    at its left edge. True if the operand was true throughout; false if it was false at any instant in the window;
    otherwise unknown: it was unknown at some, or the window reaches back before the first evaluation. Needs no
    history: when the operand last stopped being false, and since when it is what it is, decide it.
    """

    __slots__ = ("_duration_ns", "_false_until_ns", "_operand", "_since_ns", "_was")

    def __init__(self, operand: Node, duration_ns: int) -> None:
        super().__init__()
        self._operand = operand
        self._duration_ns = duration_ns
        self._was = Truth.UNKNOWN
        self._since_ns = _LONG_AGO_NS
        self._false_until_ns = _LONG_AGO_NS

    def evaluate(self, at_ns: int) -> None:
        now = self._operand.truth
        if now is not self._was:
            if self._was is Truth.FALSE:
                self._false_until_ns = at_ns
            self._since_ns = at_ns
            self._was = now
        edge_ns = at_ns - self._duration_ns
        if now is Truth.FALSE or self._false_until_ns > edge_ns:
            self.truth = Truth.FALSE
        elif now is Truth.TRUE and self._since_ns <= edge_ns:
            self.truth = Truth.TRUE
        else:
            self.truth = Truth.UNKNOWN
        self.inner = self._operand.inner
