"""What the engine keeps of its cameras: their state and session, who reads them, and how far they are."""

from collections.abc import Iterator, Mapping

from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraState, Notice
from penstock.contracts.specs import LaneSpec, RunSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import Region
from penstock.ingest import books
from penstock.runtime import wiring


class EngineCamera:
    """One camera, as the news of it say."""

    __slots__ = ("ingest", "lanes", "last_capture_ns", "lossless", "name", "notice", "session", "state", "units")

    def __init__(self, name: str, ingest: str, lanes: tuple[LaneSpec, ...], units: CounterBlock | None) -> None:
        self.name = name
        self.ingest = ingest
        """name of the process that reads it"""
        self.lanes = lanes
        self.units = units
        """counters of its detect stream, where it has one"""
        self.state = CameraState.STARTING
        self.session = 0
        self.lossless = False
        self.last_capture_ns = 0
        self.notice: Notice | None = None
        """lossless cameras: the frame that ingest holds until every lane has it"""

    def frames_so_far(self) -> int:
        """Frames decoded until now, without the one that a lossless camera holds."""
        if self.notice is not None:
            return self.notice.frame.index - 1
        return self.units[books.Word.FRAMES] if self.units is not None else 0


class CameraBook:
    """All cameras of the run, by name."""

    def __init__(self, spec: RunSpec, regions: Mapping[str, Region]) -> None:
        ingests = {name: wiring.ingest_name(i) for i, group in enumerate(spec.ingest_groups) for name in group}
        self._cameras: dict[str, EngineCamera] = {}
        for camera in spec.cameras:
            number = wiring.stream_number(camera, Role.DETECT)
            region = None if number is None else regions[wiring.units_region(camera.name, number)]
            self._cameras[camera.name] = EngineCamera(
                camera.name,
                ingests[camera.name],
                tuple(lane for lane in spec.lanes if lane.camera == camera.name),
                None if region is None else CounterBlock(region.memory, books.WORDS),
            )

    def __getitem__(self, name: str) -> EngineCamera:
        return self._cameras[name]

    def __iter__(self) -> Iterator[EngineCamera]:
        return iter(self._cameras.values())

    def of_ingest(self, process: str) -> list[EngineCamera]:
        """The cameras that `process` reads; none where it is no ingest process."""
        return [camera for camera in self if camera.ingest == process]

    def frames_so_far(self) -> dict[str, int]:
        return {camera.name: camera.frames_so_far() for camera in self}
