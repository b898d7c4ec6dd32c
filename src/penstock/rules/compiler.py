"""A rule's text, readinged against what one camera can state, made ready to be bound to its blackboard."""

import hashlib
from dataclasses import dataclass

import msgspec

from penstock.contracts.events import Severity
from penstock.contracts.specs import RuleSpec
from penstock.rules.errors import RuleError
from penstock.rules.operators import (
    AllNode,
    AnyNode,
    ClassCountReader,
    ComparisonLeaf,
    ConstantReader,
    ForNode,
    Leaf,
    Node,
    NotNode,
    Reader,
    SignalLeaf,
    SignalReader,
    SumReader,
)
from penstock.rules.parser import parse
from penstock.rules.reading import Reading
from penstock.rules.syntax import (
    And,
    Comparison,
    Condition,
    Count,
    For,
    Name,
    Not,
    Number,
    Or,
    SignalName,
    Value,
    text_of,
    window_ns_of,
)
from penstock.rules.vocabulary import Vocabulary
from penstock.rules.zones import Zone
from penstock.signals.blackboard import Blackboard, Cell
from penstock.signals.statements import CLASSES, DETECTIONS

_HASH_VERSION = 1
"""Raised when the same text comes to mean something else."""


class Program:
    """A rule's nodes on one blackboard, children before parents; it remembers, so each camera has its own."""

    __slots__ = ("_order", "cells", "leaves", "root")

    def __init__(self, order: tuple[Node, ...], cells: tuple[Cell, ...]) -> None:
        self._order = order
        self.root = order[-1]
        self.cells = cells
        """every cell it reads"""
        self.leaves = tuple(node for node in order if isinstance(node, Leaf))
        """its comparisons and signals, in the order of the text, each once"""

    def evaluate(self, at_ns: int) -> None:
        for node in self._order:
            node.evaluate(at_ns)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule for one camera."""

    name: str
    camera: str
    text: str
    """as it was written"""
    normal_text: str
    """as it was understood"""
    rule_hash: str
    """SHA-256, hex, of name, normal text, zones and parameters: equal on all cameras whose zones are equal"""
    lanes: tuple[str, ...]
    """lanes whose results it reads, sorted"""
    slowest_interval_ns: dict[str, int | None]
    """by lane: half of the shortest window over anything that is read from it. Results at most this far apart leave at
    least two in any such window, so nothing is confirmed on a single one. None where no window is over it"""
    longest_window_ns: int
    """how far back the condition looks"""
    history_ns: int
    """how much past the blackboard must keep for it: 0, for `for` carries what it needs from instant to instant"""
    cooldown_ns: int
    unknown_limit_ns: int
    severity: Severity
    shadow: bool
    """its events are kept and delivered to nobody: the rule is on trial, or this is a twin"""
    shadow_lane: str
    """of a twin, the lane on trial that it reads; else empty"""
    condition: Condition
    _vocabulary: Vocabulary

    def bind(self, blackboard: Blackboard) -> Program:
        """The rule's conditions on that blackboard, nothing evaluated yet."""
        return _Binder(self._vocabulary, blackboard).program(self.condition)


def compile_rule(spec: RuleSpec, camera: str, vocabulary: Vocabulary) -> CompiledRule:
    """The rule itself, on the real lanes alone; raises RuleError that says what, where and what to do."""
    return _compiled(spec, camera, vocabulary.real(), parse(spec.when, spec.name), "")


def compile_forms(spec: RuleSpec, camera: str, vocabulary: Vocabulary) -> tuple[CompiledRule, ...]:
    """The rule, and its twin on each shadow lane whose model states something that it names; the rule comes first.

    A rule that only a shadow lane can decide has no real form. Raises RuleError where there is none of either.
    """
    condition = parse(spec.when, spec.name)
    forms: list[CompiledRule] = []
    error: RuleError | None = None
    try:
        forms.append(_compiled(spec, camera, vocabulary.real(), condition, ""))
    except RuleError as found:
        error = found
    for lane in vocabulary.shadow_lanes:
        try:
            twin = _compiled(spec, camera, vocabulary.twin(lane), condition, lane)
        except RuleError:
            continue
        if lane in twin.lanes:
            forms.append(twin)
    if not forms:
        # A name that only a shadow model knows is a known name: what is wrong is said with all of them in view.
        _compiled(spec, camera, vocabulary, condition, "")
        assert error is not None
        raise error
    return tuple(forms)


def _compiled(
    spec: RuleSpec, camera: str, vocabulary: Vocabulary, condition: Condition, shadow_lane: str
) -> CompiledRule:
    reading = Reading(spec, camera, vocabulary)
    reading.condition(condition)
    if not reading.windows:
        advice = "Compare a count or a signal, such as count(person) >= 1."
        raise RuleError(spec.name, spec.when, 0, "the condition reads nothing, so it can never change", advice)
    normal_text = text_of(condition)
    identity: tuple[object, ...] = (
        _HASH_VERSION,
        spec.name,
        normal_text,
        sorted((zone.name, zone.points) for zone in vocabulary.zones if zone.name in reading.zones),
        spec.cooldown_ns,
        spec.unknown_limit_ns,
    )
    if shadow_lane:
        # A twin's events are other events than the rule's, and its cooldown is its own.
        identity = (*identity, "shadow", shadow_lane.removeprefix(f"{camera}/"))
    return CompiledRule(
        name=spec.name,
        camera=camera,
        text=spec.when,
        normal_text=normal_text,
        rule_hash=hashlib.sha256(msgspec.json.encode(identity)).hexdigest(),
        lanes=tuple(sorted(reading.windows)),
        slowest_interval_ns={
            lane: None if window_ns is None else max(1, window_ns // 2)
            for lane, window_ns in sorted(reading.windows.items())
        },
        longest_window_ns=window_ns_of(condition),
        history_ns=0,
        cooldown_ns=spec.cooldown_ns,
        unknown_limit_ns=spec.unknown_limit_ns,
        severity=spec.severity,
        shadow=spec.shadow or bool(shadow_lane),
        shadow_lane=shadow_lane,
        condition=condition,
        _vocabulary=vocabulary,
    )


class _Binder:
    """Makes nodes that read a blackboard's cells; the same comparison twice in a rule is one leaf."""

    def __init__(self, vocabulary: Vocabulary, blackboard: Blackboard) -> None:
        self._vocabulary = vocabulary
        self._blackboard = blackboard
        self._order: list[Node] = []
        self._leaves: dict[str, Leaf] = {}
        self._cells: dict[tuple[str, str], Cell] = {}

    def program(self, condition: Condition) -> Program:
        self._node(condition)
        return Program(tuple(self._order), tuple(self._cells.values()))

    def _node(self, condition: Condition) -> Node:
        match condition:
            case Comparison() | SignalName():
                return self._leaf(condition)
            case Not(operand):
                node: Node = NotNode(self._node(operand))
            case And(operands):
                node = AllNode(tuple(self._node(operand) for operand in operands))
            case Or(operands):
                node = AnyNode(tuple(self._node(operand) for operand in operands))
            case For(operand, duration_ns):
                node = ForNode(self._node(operand), duration_ns)
        self._order.append(node)
        return node

    def _leaf(self, condition: Comparison | SignalName) -> Leaf:
        text = text_of(condition)
        leaf = self._leaves.get(text)
        if leaf is None:
            match condition:
                case Comparison(left, sign, right):
                    leaf = ComparisonLeaf(text, self._reader(left), sign, self._reader(right))
                case SignalName(name):
                    leaf = SignalLeaf(text, self._signal(name))
            self._leaves[text] = leaf
            self._order.append(leaf)
        return leaf

    def _reader(self, value: Value) -> Reader:
        match value:
            case Number(number):
                return ConstantReader(number)
            case SignalName(name):
                return self._signal(name)
            case Count(classes, zone_name):
                spec = None if zone_name is None else self._vocabulary.zone(zone_name.text)
                zone = None if spec is None else Zone(spec)
                # A class named twice is still counted once.
                parts = [self._class_count(name, zone) for name in dict.fromkeys(name.text for name in classes)]
                return parts[0] if len(parts) == 1 else SumReader(tuple(parts))

    def _signal(self, name: Name) -> SignalReader:
        cells = []
        for lane in self._vocabulary.lanes_with_signal(name.text):
            if lane.knows_scalar(name.text):
                cells.append(self._cell(name.text, lane.lane))
            if name.text in lane.picture_classes:
                cells.append(self._cell(CLASSES, lane.lane))
        return SignalReader(name.text, tuple(cells))

    def _class_count(self, class_name: str, zone: Zone | None) -> ClassCountReader:
        lanes = self._vocabulary.lanes_with_class(class_name)
        return ClassCountReader(class_name, zone, tuple(self._cell(DETECTIONS, lane.lane) for lane in lanes))

    def _cell(self, name: str, lane: str) -> Cell:
        return self._cells.setdefault((name, lane), self._blackboard.cell(name, lane))
