"""From films on disk to cameras that can be served: reads each film once, however many cameras show it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.base.clock import NS_PER_S, Clock
from penstock.simulator.cameras import CameraPlan, StreamPlan
from penstock.simulator.faults import Fault, FaultKind
from penstock.simulator.film import Film, film_of_file
from penstock.simulator.fleet import Fleet, FleetError
from penstock.simulator.ready import ReadyCamera
from penstock.simulator.truth import truth_path


@dataclass(frozen=True, slots=True)
class Served:
    """One camera, and what there is to say of it but for its addresses."""

    plan: CameraPlan
    truth: Path | None
    loop_ns: int

    def ready(self, url: Callable[[str], str], clock: Clock) -> ReadyCamera:
        """As others need to know it; `url` gives the address of a mount."""
        paths = [stream.path for stream in self.plan.streams]
        return ReadyCamera(
            name=self.plan.name,
            url=url(paths[0]),
            sub_url=url(paths[1]) if len(paths) > 1 else "",
            truth="" if self.truth is None else str(self.truth),
            epoch_ns=self.plan.epoch_ns,
            epoch_utc_ns=self.plan.epoch_ns + clock.utc_ns() - clock.now_ns(),
            loop_ns=self.loop_ns,
        )


def drawn_cameras(
    fleet: Fleet, clock: Clock, *, faults: Sequence[Fault] = (), cached_gop: bool = False, seed: int = 0
) -> list[Served]:
    """The cameras of `fleet`, whose films have been drawn. Raises FilmError for a film that cannot be read."""
    films: dict[Path, Film] = {}

    def film(path: Path) -> Film:
        if path not in films:
            films[path] = film_of_file(path)
        return films[path]

    served = []
    now_ns = clock.now_ns()
    for number, camera in enumerate(fleet.cameras):
        plan = CameraPlan(
            name=camera.name,
            streams=tuple(
                StreamPlan(stream.path, film(stream.film), {key: film(path) for key, path in stream.instead.items()})
                for stream in camera.streams
            ),
            epoch_ns=now_ns - round(camera.phase_s * NS_PER_S),
            faults=tuple(fault for fault in faults if fault.camera == camera.name),
            cached_gop=cached_gop,
            seed=seed + number,
        )
        served.append(Served(plan, truth_path(camera.streams[0].film), round(camera.scene.seconds * NS_PER_S)))
    return served


def file_cameras(
    files: Sequence[Path], clock: Clock, *, faults: Sequence[Fault] = (), cached_gop: bool = False, seed: int = 0
) -> list[Served]:
    """One camera for each video file, sent as it is encoded and named after it. Raises FilmError or FleetError.

    What cannot stand in an address, or in a fault, becomes `-` in the name.
    """
    served: list[Served] = []
    now_ns = clock.now_ns()
    taken: set[str] = set()
    for number, path in enumerate(files):
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or "video"
        name, copy = stem, 2
        while name in taken:
            name, copy = f"{stem}{copy}", copy + 1
        taken.add(name)
        film = film_of_file(path)
        own = tuple(fault for fault in faults if fault.camera == name)
        if any(fault.kind in (FaultKind.CODEC, FaultKind.SIZE) for fault in own):
            raise FleetError("a file is sent as it is: `codec` and `size` faults need drawn cameras, without --file")
        plan = CameraPlan(name, (StreamPlan(name, film),), now_ns, own, cached_gop, seed=seed + number)
        served.append(Served(plan, None, film.duration_ns))
    strange = sorted({fault.camera for fault in faults} - taken)
    if strange:
        raise FleetError(f"a fault is meant for {strange[0]!r}; the cameras are {', '.join(sorted(taken))}")
    return served
