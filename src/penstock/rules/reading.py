"""What a condition reads on one camera: which lanes, under which windows, and which zones."""

from penstock.contracts.specs import RuleSpec
from penstock.rules.errors import RuleError, did_you_mean
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
    text_of_value,
)
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary
from penstock.rules.zones import Zone
from penstock.signals.statements import MOTION, MOTION_LEVEL, PRESENCE


class Reading:
    """Walks a tree, collecting what it reads; the first name that nothing states raises RuleError."""

    def __init__(self, spec: RuleSpec, camera: str, vocabulary: Vocabulary) -> None:
        self._spec = spec
        self._camera = camera
        self._vocabulary = vocabulary
        self.windows: dict[str, int | None] = {}
        """lanes that it reads, each with the shortest window over what is read from it"""
        self.zones: set[str] = set()
        self._window_ns: int | None = None
        """the shortest window around the place in the tree"""

    def condition(self, condition: Condition) -> None:
        match condition:
            case Comparison(left, _, right):
                self._value(left)
                self._value(right)
            case SignalName():
                self._value(condition)
            case Not(operand):
                self.condition(operand)
            case For(operand, duration_ns):
                around_ns = self._window_ns
                self._window_ns = duration_ns if around_ns is None else min(around_ns, duration_ns)
                self.condition(operand)
                self._window_ns = around_ns
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
        lanes = self._vocabulary.lanes_with_signal(name.text)
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
        self._reads(lanes)

    def _class(self, name: Name) -> None:
        lanes = self._vocabulary.lanes_with_class(name.text)
        if not lanes:
            advice = did_you_mean(name.text, self._vocabulary.class_names(), "model with classes on this camera")
            raise self._error(name, f"no model on camera {self._camera!r} knows a class {name.text!r}", advice)
        self._reads(lanes)

    def _reads(self, lanes: tuple[LaneVocabulary, ...]) -> None:
        for lane in lanes:
            known_ns = self.windows.get(lane.lane)
            windows_ns = [window_ns for window_ns in (known_ns, self._window_ns) if window_ns is not None]
            self.windows[lane.lane] = min(windows_ns, default=None)

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
