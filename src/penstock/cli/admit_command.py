"""`penstock admit`: whether this host can take a configuration, or more cameras and models beside it, with the sums.

Nothing is started, and nothing written but what was measured, into a data folder that is there. 0 says that everything
gets what it asks for, 1 that something would shrink, 3 that it does not fit; 2 is a mistake in the command or the
configuration.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from penstock.base.clock import SystemClock
from penstock.base.units import format_size
from penstock.cli.config_file import configuration_file
from penstock.cli.main import UsageProblem
from penstock.cli.models_commands import named_model_file
from penstock.cli.run_command import specification
from penstock.config.addresses import address_scheme, meant_address
from penstock.config.loader import load_config
from penstock.config.model_questions import check_models
from penstock.config.quick import named
from penstock.config.schema import CameraConfig, Config
from penstock.runtime.admission_costs import CostNote, Measured, cost_lines, cost_notes, wait_measured
from penstock.runtime.admission_picture import picture_of, without_lossless
from penstock.runtime.cost_book import CostBook
from penstock.runtime.lossless import lossless_cameras
from penstock.runtime.memory_plan import MemoryPlan, memory_plan
from penstock.runtime.model_check import check_model
from penstock.runtime.rule_check import check_rule
from penstock.runtime.rule_floors import rule_floors
from penstock.scheduling.admission import Admission, Verdict, lines, what_if

ACCEPTED, REDUCED, REFUSED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class AdmitOptions:
    """The command's arguments as they were typed."""

    config: Path
    cameras: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    fps: float | None = None
    as_json: bool = False
    measure: bool = True


def admit_command(options: AdmitOptions, console: Console | None = None) -> int:
    """Prints the verdict and returns its exit code; raises ConfigError or UsageProblem."""
    console = console or Console(highlight=False)
    errors = Console(stderr=True, highlight=False)
    if options.fps is not None and not options.cameras:
        raise UsageProblem("--fps is for the cameras that are added; add --camera NAME=URL")
    before, after = _configurations(options)
    clock = SystemClock()
    spec_before, spec_after = specification(before, clock), specification(after, clock)
    costs = CostBook.read(after.data_dir)
    measured = Measured()
    if options.measure:
        measured = wait_measured(
            spec_after, costs, clock, lambda text: errors.print(text, style="dim", markup=False, soft_wrap=True)
        )
        if (measured.cameras or measured.models) and Path(after.data_dir).is_dir():
            # Not asked for again, and what a model takes of memory is measured nowhere else.
            costs.write(after.data_dir)
    wanted = without_lossless(picture_of(spec_after, costs, _floors(after)), spec_after)
    if options.cameras or options.models:
        present = without_lossless(picture_of(spec_before, costs, _floors(before)), spec_before)
    else:
        # The configuration itself is the question: beside nothing.
        present = msgspec.structs.replace(wanted, lanes=(), models=(), cameras=())
    admission = what_if(present, wanted)
    memory = memory_plan(spec_after, costs)
    notes = cost_notes(spec_after, wanted, costs, measured)
    lossless = lossless_cameras(spec_after)
    verdict = admission.verdict if memory.fits else Verdict.REFUSE
    if options.as_json:
        console.print_json(json.dumps(_as_json(verdict, admission, memory, notes, lossless)), highlight=False)
    else:
        for line in told(admission, memory, notes, lossless):
            console.print(line, markup=False, soft_wrap=True)
    return {Verdict.ACCEPT: ACCEPTED, Verdict.REDUCE: REDUCED, Verdict.REFUSE: REFUSED}[verdict]


def _configurations(options: AdmitOptions) -> tuple[Config, Config]:
    """As the file has it, and with what is to be added."""
    path = configuration_file(options.config)
    before = _loaded(path, None)
    if not options.cameras and not options.models:
        return before, before
    # A name of the configuration's own stands for itself; everything else is a file or a known model.
    own = {*before.models, "motion"}
    models = {value if value in own else name: value for name, value in named(options.models, "model", stems=True)}
    asked = tuple(models)
    added_models = {name: _model_entry(value) for name, value in models.items() if value not in own}
    cameras: dict[str, dict[str, Any]] = {}
    for name, url in named(options.cameras, "camera", stems=True):
        cameras[name] = {"url": _absolute(url)}
        if options.fps is not None:
            cameras[name]["detect"] = {"fps": options.fps}
        if asked:
            cameras[name]["models"] = [*asked]
    after = _loaded(path, {"cameras": cameras, "models": added_models})
    kept = {}
    for name, camera in after.cameras.items():
        if name not in before.cameras:
            # Without --model, a new camera has the models that the file gives to a camera that names none.
            kept[name] = camera if camera.models is not None else _with(camera, before.models_of(camera))
            continue
        old = before.models_of(before.cameras[name])
        # A model that goes with new cameras looks at those alone; by itself, at all that there are.
        more = () if cameras else tuple(model for model in asked if model not in old)
        kept[name] = _with(camera, (*old, *more))
    return before, after.model_copy(update={"cameras": kept})


def _with(camera: CameraConfig, models: Sequence[str]) -> CameraConfig:
    return camera.model_copy(update={"models": tuple(models)})


def _loaded(path: Path, added: Mapping[str, Mapping[str, Any]] | None) -> Config:
    return load_config(
        path, os.environ, rule_check=check_rule, model_check=check_model, model_file=named_model_file, added=added
    ).config


def _model_entry(value: str) -> dict[str, Any]:
    return {"path": str(Path(value).absolute()) if Path(value).exists() else value}


def _absolute(url: str) -> str:
    """Files are meant from here, not from the folder of the configuration."""
    return url if address_scheme(url) or meant_address(url, Path()) else str(Path(url).expanduser().absolute())


def _floors(config: Config) -> dict[str, float]:
    return rule_floors(config, dict(check_models(config, check_model, files=True)))


def told(
    admission: Admission, memory: MemoryPlan, notes: Sequence[CostNote], lossless: Sequence[str] = ()
) -> list[str]:
    """For people, line by line. What refuses everything comes first: memory that does not fit, with its sum."""
    answer = list(lines(admission))
    if not memory.fits:
        answer = [*f"{Verdict.REFUSE}: {memory.refusal()}".split("\n"), "what the plan would make of it:", *answer]
    elif memory.budget_bytes:
        answer += ["memory:", *(f"  {line}" for line in memory.arithmetic())]
    else:
        answer.append(f"memory: about {format_size(memory.total_bytes)}; capacity.memory_budget is not set")
    answer += [f"note: {text}" for text in _lossless_notes(lossless)]
    return [*answer, "costs:", *(f"  {line}" for line in cost_lines(notes))]


def _lossless_notes(lossless: Sequence[str]) -> list[str]:
    if not lossless:
        return []
    named = ", ".join(lossless[:5]) + (f" and {len(lossless) - 5} more" if len(lossless) > 5 else "")
    how = "is read without loss and goes" if len(lossless) == 1 else "are read without loss and go"
    return [f"{named} {how} as fast as the others leave room: in the sum of memory, and not in that of rates"]


def _as_json(
    verdict: Verdict, admission: Admission, memory: MemoryPlan, notes: Sequence[CostNote], lossless: Sequence[str]
) -> dict[str, Any]:
    found = msgspec.to_builtins(admission)
    return {
        **found,
        "verdict": verdict.value,
        "notes": _lossless_notes(lossless),
        "costs": [
            {"what": note.what, "cost": note.cost, "known_from": note.known_from, "why": note.why} for note in notes
        ],
        "memory": {
            "budget_bytes": memory.budget_bytes,
            "total_bytes": memory.total_bytes,
            "lines": [msgspec.to_builtins(line) for line in memory.lines],
        },
    }
