"""The end of a run: books are closed over all processes, compared with each other, and put into what they published.

Counters lie in memory that outlives every process, so they are exact even after a crash; what a process last
published may be half a second old. The report takes the counts from the books and the rest from what was published.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from penstock.contracts.fates import Fate
from penstock.contracts.identity import Role
from penstock.contracts.specs import RunSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import Region
from penstock.ingest import books
from penstock.runtime import wiring
from penstock.runtime.lane_books import lane_ledgers
from penstock.runtime.unit_book import unit_book
from penstock.telemetry.analysis_statistics import LaneStatistics
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics


def close_books(spec: RunSpec, regions: Mapping[str, Region]) -> None:
    """Gives a fate to whatever a killed process left without one; only once every child has ended.

    Frames that ingest decoded and the engine never heard of end `cancelled`: the run ended first.
    """
    for camera in spec.cameras:
        for number, _ in wiring.streams_of(camera):
            books.UnitBooks(unit_counters(regions, camera.name, number)).close_after_crash()
    for lane, ledger in zip(spec.lanes, lane_ledgers(spec, regions), strict=True):
        ledger.close_after_crash()
        unheard = detect_frames(spec, regions, lane.camera) - ledger.last_index
        if ledger.begun and unheard > 0:
            ledger.hear(ledger.last_index + unheard)
            ledger.settle(Fate.CANCELLED, unheard)


def disagreements(spec: RunSpec, regions: Mapping[str, Region]) -> Iterator[str]:
    """Where ingest and engine, which count apart, do not agree on how many frames a lane was offered."""
    for lane, ledger in zip(spec.lanes, lane_ledgers(spec, regions), strict=True):
        frames = detect_frames(spec, regions, lane.camera)
        if ledger.begun and ledger.last_index != frames:
            yield f"lane {lane.name} heard of frame {ledger.last_index}, its camera decoded {frames}"


def settled_statistics(
    spec: RunSpec, regions: Mapping[str, Region], processes: Iterable[ProcessStatistics]
) -> list[ProcessStatistics]:
    """What was published, with the counts of the closed books."""
    return [
        msgspec.structs.replace(
            process,
            cameras=tuple(_settled_camera(spec, regions, camera) for camera in process.cameras),
            lanes=tuple(_settled_lane(spec, regions, lane) for lane in process.lanes),
        )
        for process in processes
    ]


def unit_counters(regions: Mapping[str, Region], camera: str, number: int) -> CounterBlock:
    return CounterBlock(regions[wiring.units_region(camera, number)].memory, books.WORDS)


def detect_frames(spec: RunSpec, regions: Mapping[str, Region], name: str) -> int:
    """Frames that the camera's lanes were offered, by ingest's books."""
    camera = next(camera for camera in spec.cameras if camera.name == name)
    number = wiring.stream_number(camera, Role.DETECT)
    return 0 if number is None else unit_counters(regions, name, number)[books.Word.FRAMES]


def _settled_camera(spec: RunSpec, regions: Mapping[str, Region], seen: CameraStatistics) -> CameraStatistics:
    camera = next(camera for camera in spec.cameras if camera.name == seen.camera)
    for number, stream in wiring.streams_of(camera):
        if stream.roles[0].value == seen.role:
            units = books.read_units(unit_counters(regions, camera.name, number))
            return msgspec.structs.replace(seen, units=unit_book(units), frames=units.frames)
    return seen


def _settled_lane(spec: RunSpec, regions: Mapping[str, Region], seen: LaneStatistics) -> LaneStatistics:
    for lane, ledger in zip(spec.lanes, lane_ledgers(spec, regions), strict=True):
        if (lane.camera, lane.model) == (seen.camera, seen.model):
            fates = {fate.label: ledger.count(fate) for fate in Fate}
            return msgspec.structs.replace(seen, offered=ledger.offered, fates=fates, in_flight=0)
    return seen
