"""What the engine keeps of its cameras: their state and session, who reads them, and how far they are."""

import logging
from collections.abc import Iterator, Mapping

from penstock.base.clock import NS_PER_MS
from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraState, Notice
from penstock.contracts.specs import LaneSpec, RunSpec, SourceMode
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import Region
from penstock.ingest import books
from penstock.runtime import wiring

log = logging.getLogger(__name__)

OLD_FRAMES_WARNED_OF = 20
"""in a row, that were older than every budget when they arrived"""


class EngineCamera:
    """One camera, as the news of it say."""

    __slots__ = (
        "_longest_budget_ns",
        "_old_in_a_row",
        "handed_index",
        "ingest",
        "lanes",
        "last_capture_ns",
        "last_index",
        "lossless",
        "name",
        "notice",
        "session",
        "size_px",
        "state",
        "units",
    )

    def __init__(
        self, name: str, ingest: str, lanes: tuple[LaneSpec, ...], units: CounterBlock | None, *, lossless: bool
    ) -> None:
        self.name = name
        self.ingest = ingest
        """name of the process that reads it"""
        self.lanes = lanes
        self.units = units
        """counters of its detect stream, where it has one"""
        self.state = CameraState.STARTING
        self.session = 0
        self.lossless = lossless
        self._longest_budget_ns = max((lane.budget_ns for lane in lanes), default=0)
        self._old_in_a_row = 0
        self.last_capture_ns = 0
        self.size_px: tuple[int, int] | None = None
        self.last_index = 0
        """of the newest frame heard of, whose capture `last_capture_ns` is: crops are of older ones"""
        self.notice: Notice | None = None
        """lossless cameras: the frame that ingest holds until every lane has it"""
        self.handed_index = 0
        """lossless cameras: every lane had what it wanted of the frames up to this one"""

    def warn_of_delay(self, age_ns: int) -> None:
        """Says that no lane can analyse this camera in time, where its frames are older than every budget on arrival.

        Encoders with B-frames send a picture only after later ones; a camera or a network may be slow besides. A host
        that is busy for a moment is no reason to doubt the camera.
        """
        self._old_in_a_row = self._old_in_a_row + 1 if age_ns > self._longest_budget_ns else 0
        if self._old_in_a_row >= OLD_FRAMES_WARNED_OF:
            log.warning(
                "frames are %.0f ms old when they arrive, and the budget is %.0f ms: none can be analysed in time. "
                "Turn B-frames off in the camera, or raise detect.budget",
                age_ns / NS_PER_MS,
                self._longest_budget_ns / NS_PER_MS,
                extra={"camera": self.name},
            )

    def frames_so_far(self) -> int:
        """Frames decoded until now, but for the one that a lossless camera holds, heard of or not."""
        if self.lossless:
            return self.handed_index if self.notice is None else self.notice.frame.index - 1
        return self.units[books.Word.FRAMES] if self.units is not None else 0


class CameraBook:
    """All cameras of the run, by name."""

    def __init__(self, spec: RunSpec, regions: Mapping[str, Region]) -> None:
        ingests = {name: wiring.ingest_name(i) for i, group in enumerate(spec.ingest_groups) for name in group}
        self._cameras: dict[str, EngineCamera] = {}
        for camera in spec.cameras:
            number = wiring.stream_number(camera, Role.DETECT)
            stream = camera.stream_with(Role.DETECT)
            region = None if number is None else regions[wiring.units_region(camera.name, number)]
            self._cameras[camera.name] = EngineCamera(
                camera.name,
                ingests[camera.name],
                tuple(lane for lane in spec.lanes if lane.camera == camera.name),
                None if region is None else CounterBlock(region.memory, books.WORDS),
                lossless=stream is not None and stream.mode is SourceMode.LOSSLESS,
            )

    def __getitem__(self, name: str) -> EngineCamera:
        return self._cameras[name]

    def __iter__(self) -> Iterator[EngineCamera]:
        return iter(self._cameras.values())

    def of_ingest(self, process: str) -> list[EngineCamera]:
        """The cameras that `process` reads; none where it is no ingest process."""
        return [camera for camera in self if camera.ingest == process]

    def sizes_px(self) -> dict[str, tuple[int, int]]:
        """Width and height of the pictures of those that have shown one."""
        return {camera.name: camera.size_px for camera in self if camera.size_px is not None}

    def frames_so_far(self) -> dict[str, int]:
        return {camera.name: camera.frames_so_far() for camera in self}
