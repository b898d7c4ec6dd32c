"""Rows of `validation.csv`: each claim of a scenario, the number it stands on, and whether it holds. Pure."""

from typing import Any

from penstock.harness.measured import Measured
from penstock.harness.scenario import Scenario


def validation_rows(
    scenario: Scenario, run_id: int, found: Measured, without: Measured | None = None
) -> list[dict[str, Any]]:
    """`without` is the run without the fault, of a scenario that has one."""
    rows = []
    for claim in scenario.claims:
        told, holds = claim.check(found, without)
        rows.append(
            {"run_id": run_id, "scenario": scenario.name, "claim": claim.text, "measured": told, "holds": holds}
        )
    return rows
