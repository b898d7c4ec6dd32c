"""What a rule may speak of on one camera: its zones, and what each lane's model can state."""

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

    def zone(self, name: str) -> ZoneSpec | None:
        return next((zone for zone in self.zones if zone.name == name), None)

    def class_names(self) -> set[str]:
        return {name for lane in self.lanes for name in lane.class_names}

    def signal_names(self) -> set[str]:
        return {name for lane in self.lanes for name in (*lane.scalars, *lane.picture_classes)}
