"""Judges a demonstration's events by what was drawn."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from penstock.base.clock import NS_PER_S
from penstock.cli.demo_config import COOLDOWN_S, RULES, rule_for
from penstock.simulator.ready import Ready, ReadyCamera
from penstock.simulator.scoring import SeenEvent, TrueEvent, score, summary, true_events, unrolled
from penstock.simulator.situations import holds
from penstock.simulator.truth import read_truth
from penstock.telemetry.log_format import utc_text

MARGIN_NS = NS_PER_S
"""how far off somebody may be who looks five times a second at small pictures"""
BEGINNING_NS = 5 * NS_PER_S
"""what began earlier in the run than this may have been seen from its beginning, or not"""


def events_against_truth(report: Mapping[str, Any], ready: Ready) -> dict[str, Any]:
    """`precision`, `recall` and delays, over all and by rule, with every miss and every false event by name.

    What was under way when the run began, or was due as it ended, is borderline.
    """
    seen = [_seen(event) for event in report["events"]]
    from_ns = _utc_ns(report["started_utc"])
    to_ns = _utc_ns(report["ended_utc"]) - round(report["stop_s"] * NS_PER_S)
    expected = [true for camera in ready.cameras for true in _expected(camera, from_ns, to_ns)]
    result = score(expected, seen, margin_ns=MARGIN_NS)
    return {
        **summary(result),
        "rules": {
            rule.name: summary(
                score(
                    [true for true in expected if true.rule == rule.name],
                    [event for event in seen if event.rule == rule.name],
                    margin_ns=MARGIN_NS,
                )
            )
            for rule in RULES
        },
        "missed_events": [
            {"camera": true.camera, "rule": true.rule, "start_utc": utc_text(true.start_ns / NS_PER_S)}
            for true in result.missed
        ],
        "false_events": [
            {"camera": event.camera, "rule": event.rule, "event_id": event.event_id} for event in result.false
        ],
    }


def _expected(camera: ReadyCamera, from_ns: int, to_ns: int) -> list[TrueEvent]:
    truth = read_truth(Path(camera.truth))
    setting = truth.spec.setting
    rule = rule_for(setting)
    times = unrolled(
        holds(truth, rule.zones[setting], rule.label, rule.at_least),
        epoch_ns=camera.epoch_utc_ns,
        loop_ns=camera.loop_ns,
        from_ns=from_ns,
        to_ns=to_ns,
    )
    found = true_events(
        camera.name,
        rule.name,
        times,
        for_ns=round(rule.for_s * NS_PER_S),
        cooldown_ns=COOLDOWN_S * NS_PER_S,
        margin_ns=MARGIN_NS,
    )
    return [
        replace(true, borderline=True)
        if true.start_ns < from_ns + BEGINNING_NS or true.due_ns > to_ns - MARGIN_NS
        else true
        for true in found
    ]


def _seen(event: Mapping[str, Any]) -> SeenEvent:
    confirmed_ns = _utc_ns(event["confirmed_utc"])
    return SeenEvent(
        event_id=event["event_id"],
        camera=event["camera"],
        rule=event["rule"],
        start_ns=_utc_ns(event["start_utc"]),
        decided_ns=confirmed_ns + round(event["decision_delay_ms"] * 1e6),
    )


def _utc_ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * NS_PER_S)
