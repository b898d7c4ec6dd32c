"""What a rule may speak of on one camera: its zones, and what each lane's model can state."""

import msgspec

from penstock.contracts.specs import ZoneSpec

NS_PER_MS = 1_000_000


class LaneVocabulary(msgspec.Struct, frozen=True):
    """One lane: the classes its model knows, the scalars it states, and how late its results may come."""

    lane: str
    class_names: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    budget_ns: int = 500 * NS_PER_MS
    """results older than this are not used: ticks decide nothing that is younger"""
    complete: bool = True
    """False while the model has not said what it knows: any class or signal may then be one of its"""

    def knows_class(self, name: str) -> bool:
        return name in self.class_names or not self.complete

    def knows_signal(self, name: str) -> bool:
        return name in self.signals or not self.complete


class Vocabulary(msgspec.Struct, frozen=True):
    """All of one camera. The order of lanes decides between equally new statements of one signal."""

    zones: tuple[ZoneSpec, ...] = ()
    lanes: tuple[LaneVocabulary, ...] = ()

    def zone(self, name: str) -> ZoneSpec | None:
        return next((zone for zone in self.zones if zone.name == name), None)

    def class_names(self) -> set[str]:
        return {name for lane in self.lanes for name in lane.class_names}

    def signal_names(self) -> set[str]:
        return {name for lane in self.lanes for name in lane.signals}
