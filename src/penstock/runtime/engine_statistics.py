"""The engine's own numbers: lanes with their ages, decisions, control work. They outlive an engine that crashes."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from penstock.contracts.capacity import LaneGrant
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import Failure, Outcome
from penstock.runtime.calls import Call
from penstock.runtime.decisions import DecisionPath
from penstock.runtime.lane_ages import LaneAges
from penstock.scheduling.books import LaneSnapshot
from penstock.scheduling.suspension import TOLERATED_FAILURES
from penstock.telemetry.analysis_statistics import EngineStatistics, LaneStatistics, ModelStatistics
from penstock.telemetry.histogram import Histogram
from penstock.telemetry.statistics import ProcessStatistics


class Grants(Protocol):
    """What the capacity plan gives each lane."""

    def grant(self, lane: str) -> LaneGrant: ...

    def floor_fps(self, lane: str) -> float: ...


class EngineCounts:
    """Everything that the engine counts beside the ledger."""

    def __init__(self, lanes: Iterable[LaneSpec]) -> None:
        self._ages = {lane.name: LaneAges() for lane in lanes}
        self._compute: dict[str, Histogram] = {}
        self._calls: dict[str, int] = {}
        self._failures: dict[str, dict[str, int]] = {}
        self._failing: dict[str, tuple[int, str]] = {}
        """failures in a row, and what the newest said"""
        self._plans = 0
        self.plan = Histogram()
        self.control = Histogram()
        self.views_refused = 0
        self._inputs_before = 0
        self._late_before = 0

    def go_on_from(self, earlier: ProcessStatistics) -> None:
        """Continues what an earlier life of the engine last published."""
        for lane in earlier.lanes:
            ages = self._ages.get(f"{lane.camera}/{lane.model}")
            if ages is not None:
                ages.go_on_from(lane)
        for model in earlier.models:
            self._compute.setdefault(model.model, Histogram()).merge(model.compute)
            self._calls[model.model] = model.calls
            self._failures[model.model] = dict(model.failures)
        if earlier.engine is not None:
            self._plans = earlier.engine.plans
            self._inputs_before = earlier.engine.inputs
            self._late_before = earlier.engine.late_results
            self.plan.merge(earlier.engine.plan)
            self.control.merge(earlier.engine.control)

    def planned(self, took_ns: int) -> None:
        self._plans += 1
        self.plan.record(took_ns)

    def heard(self, lane: str, now_ns: int) -> None:
        """The lane heard of a frame."""
        self._ages[lane].last_heard_ns = now_ns

    def called(self, outcome: Outcome) -> None:
        """A call had a result, of one frame or of several."""
        self._calls[outcome.model] = self._calls.get(outcome.model, 0) + 1
        self._failing.pop(outcome.model, None)
        self._compute.setdefault(outcome.model, Histogram()).record(outcome.compute_ns)

    def analysed(self, lane: str, call: Call, outcome: Outcome, now_ns: int, *, timed: bool, late: bool) -> None:
        """A frame was analysed; `timed` is False where its capture is media time, which has no age."""
        ages = self._ages[lane]
        ages.first_taken_ns = ages.first_taken_ns or now_ns
        view = call.views[0]
        if timed:
            ages.record(view, call.asked_ns, outcome, now_ns)
        else:
            ages.last_result_ns = view.frame.capture.mono_ns
        if late:
            ages.late += 1

    def failed(self, model: str, failure: Failure) -> None:
        """A call had no result."""
        self._calls[model] = self._calls.get(model, 0) + 1
        causes = self._failures.setdefault(model, {})
        causes[failure.cause.value] = causes.get(failure.cause.value, 0) + 1
        in_a_row, _ = self._failing.get(model, (0, ""))
        self._failing[model] = (in_a_row + 1, failure.message)

    def lanes(
        self, books: Iterable[LaneSnapshot], specs: Mapping[str, LaneSpec], grants: Grants
    ) -> tuple[LaneStatistics, ...]:
        return tuple(
            LaneStatistics(
                camera=book.camera,
                model=book.model,
                offered=book.offered,
                fates=book.fates,
                in_flight=book.in_flight,
                late=self._ages[book.name].late,
                granted_fps=(grant := grants.grant(book.name)).fps,
                max_fps=specs[book.name].max_fps,
                budget_ns=specs[book.name].budget_ns,
                level=grant.step.value,
                limited_by=grant.limited_by,
                floor_fps=grants.floor_fps(book.name),
                last_result_ns=self._ages[book.name].last_result_ns,
                first_taken_ns=self._ages[book.name].first_taken_ns,
                last_heard_ns=self._ages[book.name].last_heard_ns,
                stages=self._ages[book.name].records(),
            )
            for book in books
        )

    def models(self, books: Iterable[LaneSnapshot], executor_of: Mapping[str, str]) -> tuple[ModelStatistics, ...]:
        predicted = {book.model: book.predicted_ns for book in books}
        return tuple(
            ModelStatistics(
                model=model,
                executor=executor_of[model],
                state="suspended" if self._failing.get(model, (0, ""))[0] > TOLERATED_FAILURES else "",
                fault=self._failing.get(model, (0, ""))[1],
                calls=self._calls.get(model, 0),
                failures=dict(self._failures.get(model, {})),
                predicted_cost_ns=predicted_ns,
                compute=self._compute[model].to_record() if model in self._compute else Histogram().to_record(),
            )
            for model, predicted_ns in predicted.items()
        )

    def engine(self, lease_epoch: int, decisions: DecisionPath) -> EngineStatistics:
        return EngineStatistics(
            plans=self._plans,
            inputs=self._inputs_before + decisions.inputs,
            late_results=self._late_before + decisions.late_results,
            lease_epoch=lease_epoch,
            plan=self.plan.to_record(),
            control=self.control.to_record(),
            event_delay=decisions.event_delay.to_record(),
        )
