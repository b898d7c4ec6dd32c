"""A rule's text, checked against what one camera can state, made ready to be bound to its blackboard."""

import hashlib
from dataclasses import dataclass

import msgspec

from penstock.contracts.events import Severity
from penstock.contracts.specs import RuleSpec
from penstock.rules.errors import RuleError, did_you_mean
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
    text_of_value,
    window_ns_of,
)
from penstock.rules.vocabulary import Vocabulary
from penstock.rules.zones import Zone
from penstock.signals.blackboard import Blackboard, Cell
from penstock.signals.statements import CLASSES, DETECTIONS, MOTION, MOTION_LEVEL, PRESENCE

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
    longest_window_ns: int
    """how far back the condition looks"""
    history_ns: int
    """how much past the blackboard must keep for it: 0, for `for` carries what it needs from instant to instant"""
    cooldown_ns: int
    unknown_limit_ns: int
    severity: Severity
    shadow: bool
    condition: Condition
    _vocabulary: Vocabulary

    def bind(self, blackboard: Blackboard) -> Program:
        """The rule's conditions on that blackboard, nothing evaluated yet."""
        return _Binder(self._vocabulary, blackboard).program(self.condition)


def compile_rule(spec: RuleSpec, camera: str, vocabulary: Vocabulary) -> CompiledRule:
    """Parses and checks `spec` for `camera`; raises RuleError that says what, where and what to do."""
    condition = parse(spec.when, spec.name)
    check = _Checker(spec, camera, vocabulary)
    check.condition(condition)
    if not check.lanes:
        advice = "Compare a count or a signal, such as count(person) >= 1."
        raise RuleError(spec.name, spec.when, 0, "the condition reads nothing, so it can never change", advice)
    normal_text = text_of(condition)
    identity = (
        _HASH_VERSION,
        spec.name,
        normal_text,
        sorted((zone.name, zone.points) for zone in vocabulary.zones if zone.name in check.zones),
        spec.cooldown_ns,
        spec.unknown_limit_ns,
    )
    return CompiledRule(
        name=spec.name,
        camera=camera,
        text=spec.when,
        normal_text=normal_text,
        rule_hash=hashlib.sha256(msgspec.json.encode(identity)).hexdigest(),
        lanes=tuple(sorted(check.lanes)),
        longest_window_ns=window_ns_of(condition),
        history_ns=0,
        cooldown_ns=spec.cooldown_ns,
        unknown_limit_ns=spec.unknown_limit_ns,
        severity=spec.severity,
        shadow=spec.shadow,
        condition=condition,
        _vocabulary=vocabulary,
    )


class _Checker:
    """Walks the tree once, collecting what it reads; the first name that nothing states is an error."""

    def __init__(self, spec: RuleSpec, camera: str, vocabulary: Vocabulary) -> None:
        self._spec = spec
        self._camera = camera
        self._vocabulary = vocabulary
        self.lanes: set[str] = set()
        self.zones: set[str] = set()

    def condition(self, condition: Condition) -> None:
        match condition:
            case Comparison(left, _, right):
                self._value(left)
                self._value(right)
            case SignalName():
                self._value(condition)
            case Not(operand) | For(operand, _):
                self.condition(operand)
            case And(operands) | Or(operands):
                for operand in operands:
                    self.condition(operand)

    def _value(self, value: Value) -> None:
        match value:
            case Number():
                pass
            case SignalName(name):
                self._signal(name)
            case Count(classes, zone):
                for name in classes:
                    self._class(name)
                if zone is not None:
                    self._zone(zone)

    def _signal(self, name: Name) -> None:
        lanes = [lane.lane for lane in self._vocabulary.lanes if lane.knows_signal(name.text)]
        if not lanes:
            if name.text in self._vocabulary.class_names():
                advice = f"It is a class: write {text_of_value(Count((name,)))} to count its boxes."
            elif name.text in PRESENCE:
                advice = f"Models with a class {PRESENCE[name.text]!r} state it, and none looks at this camera."
            elif name.text == MOTION_LEVEL:
                advice = f"The model {MOTION!r} states it: let it look at this camera."
            else:
                advice = did_you_mean(name.text, self._vocabulary.signal_names(), "signal on this camera")
            raise self._error(name, f"nothing on camera {self._camera!r} states a signal {name.text!r}", advice)
        self.lanes.update(lanes)

    def _class(self, name: Name) -> None:
        lanes = [lane.lane for lane in self._vocabulary.lanes if lane.knows_class(name.text)]
        if not lanes:
            advice = did_you_mean(name.text, self._vocabulary.class_names(), "model with classes on this camera")
            raise self._error(name, f"no model on camera {self._camera!r} knows a class {name.text!r}", advice)
        self.lanes.update(lanes)

    def _zone(self, name: Name) -> None:
        spec = self._vocabulary.zone(name.text)
        if spec is None:
            zones = [zone.name for zone in self._vocabulary.zones]
            advice = (
                did_you_mean(name.text, zones, "zone on this camera")
                if zones
                else f"Draw it under `zones` of this camera, or leave `in {name.text}` out."
                if self._vocabulary.in_file
                else f"Zones are drawn in a configuration file: write one, or leave `in {name.text}` out."
            )
            raise self._error(name, f"camera {self._camera!r} has no zone {name.text!r}", advice)
        try:
            Zone(spec)
        except ValueError as error:
            raise self._error(name, str(error), "Draw it with three points or more.") from None
        self.zones.add(name.text)

    def _error(self, name: Name, what: str, advice: str) -> RuleError:
        return RuleError(self._spec.name, self._spec.when, name.place, what, advice)


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
        for lane in self._vocabulary.lanes:
            if lane.knows_scalar(name.text):
                cells.append(self._cell(name.text, lane.lane))
            if name.text in lane.picture_classes:
                cells.append(self._cell(CLASSES, lane.lane))
        return SignalReader(name.text, tuple(cells))

    def _class_count(self, class_name: str, zone: Zone | None) -> ClassCountReader:
        lanes = [lane.lane for lane in self._vocabulary.lanes if lane.knows_class(class_name)]
        return ClassCountReader(class_name, zone, tuple(self._cell(DETECTIONS, lane) for lane in lanes))

    def _cell(self, name: str, lane: str) -> Cell:
        return self._cells.setdefault((name, lane), self._blackboard.cell(name, lane))
