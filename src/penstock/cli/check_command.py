"""`penstock check`: everything that can be found wrong without starting anything."""

import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from penstock.base.redaction import redact
from penstock.base.units import format_duration
from penstock.cli.config_file import configuration_file
from penstock.cli.main import UsageProblem
from penstock.cli.models_commands import named_model_file
from penstock.config.effective import effective_camera, rendered
from penstock.config.loader import LoadedConfig, load_config
from penstock.config.problems import closest
from penstock.config.schema import Config
from penstock.runtime.model_check import check_model
from penstock.runtime.rule_check import check_rule


def check_command(path: Path, console: Console | None = None, *, show: bool = False, camera: str = "") -> int:
    """Prints what the file describes; raises ConfigError where it cannot run.

    With `show`, prints every key of its cameras (or of `camera`) with the place where it is written.
    """
    console = console or Console(highlight=False)
    if camera and not show:
        raise UsageProblem("a camera's name goes with --show: penstock check --show CONFIG CAMERA")
    loaded = load_config(
        configuration_file(path),
        os.environ,
        rule_check=check_rule,
        model_check=check_model,
        model_file=named_model_file,
    )
    for warning in loaded.warnings:
        console.print(str(warning), style="yellow", markup=False, soft_wrap=True)
    if show:
        console.print(_shown(loaded, path, camera), markup=False, soft_wrap=True)
        return 0
    console.print(_cameras(loaded.config))
    if loaded.config.rules:
        console.print(_rules(loaded.config))
    odd = f", {len(loaded.warnings)} to look at" if loaded.warnings else ""
    console.print(f"{path}: correct{odd}", markup=False, soft_wrap=True)
    return 0


def _shown(loaded: LoadedConfig, path: Path, camera: str) -> str:
    cameras = loaded.config.cameras
    if camera and camera not in cameras:
        raise UsageProblem(f"there is no camera {camera!r} in {path}; {closest(camera, list(cameras))}".rstrip("; "))
    lines = [
        line
        for name in ([camera] if camera else cameras)
        for line in effective_camera(name, loaded.config, loaded.document)
    ]
    return rendered(lines, path)


def _cameras(config: Config) -> Table:
    table = Table("camera", "stream", "models", "fps", "budget", "zones", box=None, pad_edge=False)
    for name, camera in config.cameras.items():
        streams = "\n".join(
            f"{redact(stream.path)} ({', '.join(role.value for role in stream.roles)})" for stream in camera.streams
        )
        table.add_row(
            name if camera.enabled else f"{name} (off)",
            streams,
            ", ".join(config.models_of(camera)),
            f"{camera.detect.fps:g}",
            format_duration(camera.detect.budget_ns),
            ", ".join(camera.zones),
        )
    return table


def _rules(config: Config) -> Table:
    table = Table("rule", "when", "cameras", box=None, pad_edge=False)
    for name, rule in config.rules.items():
        table.add_row(name, rule.when, ", ".join(rule.cameras) or "all")
    return table
