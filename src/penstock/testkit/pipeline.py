"""Cameras, models and rules in a few lines, on the simulated host: for tests that say what happens, and exactly when.

    run = Pipeline().camera("door", fps=10).model(ScriptedModel("m", script)).rule("seen", "count(person) >= 1").run(9)

Everything random is left out: frames are captured evenly, from 1 s on; decoding, views, messages and calls take what is
said here and nothing else. So counts and instants are whole numbers that a test can state.
"""

from collections.abc import Mapping, Sequence

import msgspec

from penstock.base.clock import SimulatedClock
from penstock.contracts.fates import Fate
from penstock.contracts.specs import CropSpec, LaneSpec, Requirement, RuleSpec
from penstock.models.model import Model
from penstock.rules.decisions import Ended, Opened
from penstock.testkit.host_model import NS_PER_MS, NS_PER_S, CameraModel, ExecutorModel, HostModel
from penstock.testkit.movement import Span
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import RealModel, SimulatedModel

FIRST_CAPTURE_S = 1.0


class EventSeen(msgspec.Struct, frozen=True):
    """One event of a run; instants are captures, in seconds."""

    rule: str
    camera: str
    start_s: float
    confirmed_s: float
    end_s: float | None
    """None where it lasted to the end of the run"""


class PipelineRun:
    """What came of a run. The host is there for whoever wants to know more."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host

    @property
    def events(self) -> list[EventSeen]:
        """In the order in which they were confirmed."""
        ends = {
            (one.decision.rule, one.decision.camera, one.decision.start_ns): one.decision.end_ns / NS_PER_S
            for one in self.host.rules.decided
            if isinstance(one.decision, Ended)
        }
        return [
            EventSeen(
                opened.rule,
                opened.camera,
                opened.start_ns / NS_PER_S,
                opened.confirmed_ns / NS_PER_S,
                ends.get((opened.rule, opened.camera, opened.start_ns)),
            )
            for opened in (one.decision for one in self.host.rules.decided)
            if isinstance(opened, Opened)
        ]

    def opened(self) -> list[Opened]:
        """The decisions behind `events`."""
        return [one.decision for one in self.host.rules.decided if isinstance(one.decision, Opened)]

    def fates(self, lane: str) -> dict[str, int]:
        """The fates that occurred, by name."""
        number = next(one.number for one in self.host.lanes if one.name == lane)
        return {name: count for name, count in self.host.fates(number).items() if count}

    def in_flight(self, lane: str) -> int:
        return next(one.in_flight for one in self.host.lanes if one.name == lane)

    def offered(self, lane: str) -> int:
        return next(one.ledger.offered for one in self.host.lanes if one.name == lane)

    def balanced(self) -> bool:
        """Whether every frame offered has one fate or is in flight."""
        return all(
            one.ledger.offered == sum(one.ledger.count(fate) for fate in Fate) + one.in_flight
            for one in self.host.lanes
        )


class Pipeline:
    """A builder: each call adds one thing and returns it."""

    def __init__(self, seed: int = 0, *, planned: bool = False) -> None:
        self._seed = seed
        self._planned = planned
        self._cameras: list[CameraModel] = []
        self._models: dict[str, list[SimulatedModel]] = {}
        self._streams: dict[str, int] = {}
        self._wishes: list[tuple[str, Sequence[str] | None, Mapping[str, object]]] = []
        self._rules: list[RuleSpec] = []

    def camera(
        self,
        name: str,
        fps: float = 10.0,
        *,
        moving: Sequence[Span] | None = None,
        outages: Sequence[Span] = (),
        decode_ms: float = 1.0,
    ) -> "Pipeline":
        """Spans are nanoseconds; without `moving` something always moves."""
        self._cameras.append(
            CameraModel(
                name,
                fps=fps,
                jitter_ns=0,
                phase_ns=round(FIRST_CAPTURE_S * NS_PER_S),
                latency_ns=round(decode_ms * NS_PER_MS),
                latency_sigma=0.0,
                unit_ns=0,
                script=tuple(moving) if moving is not None else None,
                outages=tuple(outages),
            )
        )
        return self

    def model(
        self,
        model: Model | SimulatedModel,
        *,
        clock: SimulatedClock | None = None,
        cameras: Sequence[str] | None = None,
        executor: str = "cpu",
        streams: int = 1,
        max_fps: float = 1000.0,
        min_fps: float = 0.0,
        budget_ms: float = 500.0,
        priority: int = 0,
        gated: bool = False,
        requires: Sequence[Requirement] = (),
        crops: CropSpec | None = None,
    ) -> "Pipeline":
        """A lane on each camera, or on those named. `clock` is the one that a model of the test kit waits on."""
        known: SimulatedModel = model if hasattr(model, "begin") else RealModel(model, clock or SimulatedClock())  # type: ignore[assignment]
        self._models.setdefault(executor, []).append(known)
        self._streams[executor] = streams
        wishes = {
            "max_fps": max_fps,
            "min_fps": min_fps,
            "budget_ns": round(budget_ms * NS_PER_MS),
            "priority": priority,
            "gated": gated,
            "requires": tuple(requires),
            "crops": crops,
        }
        self._wishes.append((known.name, cameras, wishes))
        return self

    def rule(self, name: str, when: str, *, cooldown_s: float = 0.0, cameras: Sequence[str] = ()) -> "Pipeline":
        self._rules.append(RuleSpec(name, when, tuple(cameras), cooldown_ns=round(cooldown_s * NS_PER_S)))
        return self

    def host(self) -> HostModel:
        """What was built."""
        lanes = tuple(
            LaneSpec(camera.name, model, **wishes)  # type: ignore[arg-type]
            for model, cameras, wishes in self._wishes
            for camera in self._cameras
            if cameras is None or camera.name in cameras
        )
        executors = tuple(
            ExecutorModel(name, tuple(models), self._streams[name]) for name, models in self._models.items()
        )
        return HostModel(
            tuple(self._cameras),
            lanes,
            executors,
            tuple(self._rules),
            cores=64.0,
            fixed=0.0,
            contention=0.0,
            view_ns=NS_PER_MS,
            view_sigma=0.0,
            hop_ns=0,
            control_ns=0,
            planned=self._planned,
        )

    def run(self, until_s: float) -> PipelineRun:
        """Runs from 0 to that instant."""
        host = SimulatedHost(self.host(), self._seed)
        host.run(round(until_s * NS_PER_S))
        return PipelineRun(host)
