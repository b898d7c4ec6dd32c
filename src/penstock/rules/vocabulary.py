"""What a rule may speak of on one camera: its zones, and what each lane's model can state.

A shadow lane is on trial: rules do not know of it, but a rule that names what its model states gets a twin, which reads
that from the shadow lane and everything else from the real ones.
"""

from collections.abc import Callable

import msgspec

from penstock.contracts.specs import ZoneSpec
from penstock.signals.statements import ready_made

NS_PER_MS = 1_000_000


class LaneVocabulary(msgspec.Struct, frozen=True):
    """One lane: the classes its model knows, the scalars it states, and how late its results may come.

    A class of whole pictures is a signal, named as the class: its probability.
    """

    lane: str
    class_names: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    budget_ns: int = 500 * NS_PER_MS
    """results older than this are not used: ticks decide nothing that is younger"""
    complete: bool = True
    """False while the model has not said what it knows: any class or signal may then be one of its"""

    picture_classes: tuple[str, ...] = ()
    """classes of whole pictures"""
    shadow: bool = False
    """on trial: only twins read it"""

    @property
    def scalars(self) -> tuple[str, ...]:
        """The scalars its model states itself, and the ready-made signals that follow from what it sees."""
        return (*self.signals, *ready_made(self.class_names, self.signals))

    def knows_class(self, name: str) -> bool:
        return name in self.class_names or not self.complete

    def knows_signal(self, name: str) -> bool:
        return self.knows_scalar(name) or name in self.picture_classes

    def knows_scalar(self, name: str) -> bool:
        return name in self.scalars or not self.complete


class Vocabulary(msgspec.Struct, frozen=True):
    """All of one camera. The order of lanes decides between equally new statements of one signal."""

    zones: tuple[ZoneSpec, ...] = ()
    lanes: tuple[LaneVocabulary, ...] = ()
    in_file: bool = True
    """False for what was said on the command line, which has no place for zones"""

    @property
    def shadow_lanes(self) -> tuple[str, ...]:
        return tuple(lane.lane for lane in self.lanes if lane.shadow)

    def real(self) -> "Vocabulary":
        """Without shadow lanes: what rules speak of."""
        return msgspec.structs.replace(self, lanes=tuple(lane for lane in self.lanes if not lane.shadow))

    def twin(self, shadow_lane: str) -> "Vocabulary":
        """With that shadow lane alone beside the real ones: what twins speak of."""
        lanes = tuple(lane for lane in self.lanes if not lane.shadow or lane.lane == shadow_lane)
        return msgspec.structs.replace(self, lanes=lanes)

    def lanes_with_class(self, name: str) -> tuple[LaneVocabulary, ...]:
        """The lanes that boxes of a class are read from; none where nobody knows it."""
        return self._speakers(lambda lane: lane.knows_class(name))

    def lanes_with_signal(self, name: str) -> tuple[LaneVocabulary, ...]:
        """The lanes that a signal, or a class of whole pictures, is read from."""
        return self._speakers(lambda lane: lane.knows_signal(name))

    def _speakers(self, knows: Callable[[LaneVocabulary], bool]) -> tuple[LaneVocabulary, ...]:
        """A shadow lane takes the place of the real ones; one whose model has not said what it knows, only where no
        real lane would speak."""
        known = tuple(lane for lane in self.lanes if knows(lane))
        sure = tuple(lane for lane in known if lane.shadow and lane.complete)
        return sure or tuple(lane for lane in known if not lane.shadow) or known

    def zone(self, name: str) -> ZoneSpec | None:
        return next((zone for zone in self.zones if zone.name == name), None)

    def class_names(self) -> set[str]:
        return {name for lane in self.lanes for name in lane.class_names}

    def signal_names(self) -> set[str]:
        return {name for lane in self.lanes for name in (*lane.scalars, *lane.picture_classes)}
