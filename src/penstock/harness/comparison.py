"""What the lanes without a fault lost, against the same run without the fault. Pure."""

from dataclasses import dataclass
from typing import Any

from penstock.base.clock import NS_PER_MS
from penstock.harness.measured import LaneMeasured, Measured
from penstock.harness.scenario import Scenario


@dataclass(frozen=True, slots=True)
class LaneLoss:
    """One lane in both runs."""

    camera: str
    model: str
    faulty: bool
    fps_without: float
    fps_with: float
    age_p99_without_ns: int
    age_p99_with_ns: int

    @property
    def lane(self) -> str:
        return f"{self.camera}/{self.model}"

    @property
    def lost_share(self) -> float:
        """Part of its rate that it lost; below 0 where it gained."""
        return 1 - self.fps_with / self.fps_without if self.fps_without > 0 else 0.0


def losses(scenario: Scenario, found: Measured, without: Measured) -> list[LaneLoss]:
    """Every lane that is in both runs."""
    before = {(lane.camera, lane.model): lane for lane in without.lanes}
    return [
        _loss(scenario, before[lane.camera, lane.model], lane)
        for lane in found.lanes
        if (lane.camera, lane.model) in before
    ]


def loss_rows(scenario: Scenario, run_id: int, found: Measured, without: Measured) -> list[dict[str, Any]]:
    """Rows of `others.csv`: one for each lane."""
    return [
        {
            "run_id": run_id,
            "scenario": scenario.name,
            "camera": loss.camera,
            "model": loss.model,
            "faulty": loss.faulty,
            "fps_without": round(loss.fps_without, 3),
            "fps_with": round(loss.fps_with, 3),
            "lost_percent": round(100 * loss.lost_share, 2),
            "age_p99_without_ms": round(loss.age_p99_without_ns / NS_PER_MS, 2),
            "age_p99_with_ms": round(loss.age_p99_with_ns / NS_PER_MS, 2),
        }
        for loss in losses(scenario, found, without)
    ]


def _loss(scenario: Scenario, before: LaneMeasured, now: LaneMeasured) -> LaneLoss:
    return LaneLoss(
        camera=now.camera,
        model=now.model,
        faulty=scenario.is_faulty(now.camera, now.model),
        fps_without=before.analysed_fps,
        fps_with=now.analysed_fps,
        age_p99_without_ns=before.age.percentile_ns(99),
        age_p99_with_ns=now.age.percentile_ns(99),
    )
