"""All scenarios by name, and what a list of names means."""

import difflib
from collections.abc import Sequence

from penstock.harness.age_against_load import AGE_AGAINST_LOAD
from penstock.harness.fault_scenarios import FAULTS
from penstock.harness.network_load import NETWORK
from penstock.harness.overload_scenarios import LONG, OVERLOAD
from penstock.harness.rvo_scenarios import SPINNING, THIRTEEN
from penstock.harness.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (*THIRTEEN, *SPINNING, *OVERLOAD, *FAULTS, *NETWORK, AGE_AGAINST_LOAD, *LONG)
}
GROUPS: dict[str, str] = {
    "rvo": "RVO's thirteen, by its names",
    "spinning": "each of them beside a Python thread that spins",
    "overload": "fleets that ask for more than there is",
    "faults": "one misbehaves; what did the others lose?",
    "network": "a real network on video",
    "curve": "age against the number of RTSP cameras",
    "long": "with a duration of its own; not part of --all",
}


class UnknownScenario(ValueError):
    """A name that is neither a scenario's nor a group's: which, and what was perhaps meant."""


def chosen(names: Sequence[str], *, everything: bool = False) -> list[Scenario]:
    """Scenarios by name or group, each once, in the order of the catalogue; `everything` leaves out the long ones."""
    wanted: set[str] = set()
    for name in names:
        if name in SCENARIOS:
            wanted.add(name)
        elif name in GROUPS:
            wanted |= {scenario.name for scenario in SCENARIOS.values() if scenario.group == name}
        else:
            raise UnknownScenario(_unknown(name))
    if everything:
        wanted |= {scenario.name for scenario in SCENARIOS.values() if scenario.group != "long"}
    return [scenario for scenario in SCENARIOS.values() if scenario.name in wanted]


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, [*SCENARIOS, *GROUPS], n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"there is no scenario {name!r}. {meant}`penstock bench --list` shows all"
