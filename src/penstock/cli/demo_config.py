"""The demonstration's configuration, written as a person would write it."""

from collections.abc import Sequence
from pathlib import Path

from penstock.simulator.ready import Ready, ReadyCamera
from penstock.simulator.truth import Polygon, read_truth

DETECT_FPS = 5
COOLDOWN_S = 1


class DemoRule:
    """One rule, the settings it is for, and what of their scenes it watches."""

    def __init__(self, name: str, label: str, zone: str, at_least: int, for_s: float, zones: dict[str, str]) -> None:
        self.name = name
        self.label = label
        self.zone = zone
        self.at_least = at_least
        self.for_s = for_s
        self.zones = zones
        """the scene's own name of the zone, by setting"""

    @property
    def when(self) -> str:
        return f"count({self.label} in {self.zone}) >= {self.at_least} for {self.for_s:g}s"


RULES = (
    DemoRule("waiting_at_gate", "person", "gate", 1, 3.0, {"yard": "gate"}),
    DemoRule("queue", "person", "door", 2, 3.0, {"corridor": "door"}),
    DemoRule("vehicle_stopped", "vehicle", "parking", 1, 3.0, {"street": "kerb", "car_park": "bays"}),
)


def rule_for(setting: str) -> DemoRule:
    """The one rule that watches cameras of this setting."""
    return next(rule for rule in RULES if setting in rule.zones)


def demo_yaml(ready: Ready, data_dir: Path, detector: Path) -> str:
    """A whole configuration, with comments."""
    scenes = {camera.name: read_truth(Path(camera.truth)) for camera in ready.cameras}
    lines = [
        "# Written by `penstock demo`: cameras that `penstock simulate` serves, and what to watch for.",
        "# Run it yourself while the demonstration runs on another port, or take it as a pattern.",
        f"data_dir: {data_dir}",
        "",
        "cameras:",
    ]
    for camera in ready.cameras:
        scene = scenes[camera.name]
        rule = rule_for(scene.spec.setting)
        lines += _camera(camera, rule.zone, scene.zones[rule.zones[scene.spec.setting]])
    lines += [
        "",
        "models:",
        "  detector:          # people and vehicles in drawn scenes, and nothing else",
        f"    path: {detector}",
        "    confidence: 0.4",
        "  motion: {kind: motion}",
        "",
        "rules:",
    ]
    for rule in RULES:
        watching = [name for name, scene in scenes.items() if scene.spec.setting in rule.zones]
        if watching:
            lines += _rule(rule, watching)
    return "\n".join(lines) + "\n"


def _camera(camera: ReadyCamera, zone: str, polygon: Polygon) -> list[str]:
    points = ", ".join(f"{x:.3f},{y:.3f}" for x, y in polygon)
    return [
        f"  {camera.name}:",
        "    inputs:            # small pictures for the models, large ones for the clips",
        f"      - {{path: {camera.sub_url}, roles: [detect]}}",
        f"      - {{path: {camera.url}, roles: [record]}}",
        f"    detect: {{fps: {DETECT_FPS}, budget: 500ms}}",
        "    models: [detector, motion]",
        "    zones:",
        f'      {zone}: {{coordinates: "{points}"}}',
        "    record: {pre_capture: 2s, post_capture: 2s}",
    ]


def _rule(rule: DemoRule, watching: Sequence[str]) -> list[str]:
    return [
        f"  {rule.name}:",
        f"    when: {rule.when}",
        f"    cameras: [{', '.join(watching)}]",
        f"    cooldown: {COOLDOWN_S}s",
    ]
