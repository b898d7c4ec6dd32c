"""Events and records as the engine makes them."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.contracts.events import Event, EventState, Reason, ReasonTerm, Severity

MakeEvent = Callable[..., Event]


@pytest.fixture(scope="session")
def make_event() -> MakeEvent:
    def make(number: int = 1, revision: int = 1, **changes: Any) -> Event:
        fields: dict[str, Any] = {
            "event_id": f"{number:032x}",
            "revision": revision,
            "rule": "two people",
            "rule_hash": "r1",
            "camera": "gate",
            "session": 2**62 + number,
            "state": EventState.OPEN,
            "severity": Severity.WARNING,
            "start_utc_ns": 1_800_000_000_000_000_000 + number,
            "confirmed_utc_ns": 1_800_000_001_000_000_000 + number,
            "end_utc_ns": None,
            "start_error_ns": 40_000_000,
            "reason": Reason(
                "count(person) >= 2 for 1s", (ReasonTerm("count(person)", "2", 1_800_000_000_000_000_000),)
            ),
            "run_id": "run-1",
            "host_id": "host",
            "boot_id": "boot",
            "lease_epoch": 3,
            "frame_seq": 77,
        }
        return Event(**{**fields, **changes})

    return make
