"""Makes the detector in the box anew: draws scenes, trains, exports, measures, writes the model card.

    python tools/train_demo_detector.py --out src/penstock/models/data/demo_detector.onnx

Needs an environment in which `pip install -e ".[onnxruntime]" torch==2.13.0 onnx` has been run (the CPU build of
PyTorch is enough); none of it is needed to run Penstock. Takes about half an hour on one core. The same seeds,
versions and number of threads give the same weights on the same processor; another processor rounds otherwise, and the
numbers on the card then differ in the third place.

`--footage FILE` keeps the drawn pictures for a second run; `--judge-only` measures a file that is already there and
writes its card anew, without PyTorch.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np

from demo_detector.card import table_of, write_card
from demo_detector.evaluation import Verdict, judge
from demo_detector.footage import (
    FULL_PX,
    LEAST_VISIBLE,
    SUB_PX,
    Boxes,
    Footage,
    Take,
    training_takes,
    unseen_takes,
    wait_drawn,
)
from penstock.base.clock import NS_PER_S, SystemClock
from penstock.simulator.scene_spec import LABELS, RECIPE_VERSION

VERSION = 1
DESCRIPTION = "People and vehicles in Penstock's drawn scenes: for its demonstration, of no use on real pictures"

# Seeds below 10,000 are left to demonstrations and tests: whatever they draw, training never saw it.
TRAINING_SEEDS = range(10_000, 10_100)
UNSEEN_SEEDS = range(90_000, 90_012)
PICTURES_EACH = 20


def main() -> None:
    arguments = _arguments()
    if not arguments.judge_only:
        _make(arguments)
    path: Path = arguments.out
    verdicts = _verdicts(path, range(arguments.unseen_seed, arguments.unseen_seed + len(UNSEEN_SEEDS)))
    for size, verdict in verdicts.items():
        _show(size, verdict)
    if arguments.unseen_seed == UNSEEN_SEEDS.start:
        measured = {"cpu": _cpu(), "unseen_seeds": _span(UNSEEN_SEEDS), "least_visible": LEAST_VISIBLE}
        write_card(path, measured, verdicts)


def _make(arguments: argparse.Namespace) -> None:
    """Draws, trains and exports; what the card says of it goes into the file."""
    from demo_detector.export import write_onnx  # noqa: PLC0415  needs PyTorch, measuring does not
    from demo_detector.training import HEIGHT_PX, WIDTH_PX, Recipe, torch, trained  # noqa: PLC0415

    path: Path = arguments.out
    clock = SystemClock()
    seeds = range(TRAINING_SEEDS.start, TRAINING_SEEDS.start + arguments.seeds)
    takes = training_takes(seeds, PICTURES_EACH)
    footage, drawing_s = _footage(takes, arguments.footage, arguments.threads)
    print(f"{len(footage.images)} pictures of {len(takes)} takes, drawn in {drawing_s:.0f} s", flush=True)
    recipe = Recipe(arguments.seed, arguments.steps, threads=arguments.threads, bfloat16=arguments.bfloat16)
    began_ns = clock.now_ns()
    network = trained(footage, recipe, clock)
    names = dict(enumerate(LABELS))
    options = f" --seeds {len(seeds)} --steps {recipe.steps} --seed {recipe.seed} --threads {recipe.threads}"
    made = {
        "command": f"python tools/train_demo_detector.py --out FILE{options}{' --bfloat16' * recipe.bfloat16}",
        "script": VERSION,
        "scenes": RECIPE_VERSION,
        "seeds": _span(seeds),
        "takes": len(takes),
        "pictures": len(footage.images),
        "steps": recipe.steps,
        "batch": recipe.batch,
        "drawing_s": round(drawing_s),
        "training_s": round((clock.now_ns() - began_ns) / NS_PER_S),
        "torch": torch.__version__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    metadata = {
        "names": str(names),
        "author": "The Penstock authors",
        "description": DESCRIPTION,
        "license": "Apache-2.0",
        "version": str(VERSION),
        "made": json.dumps(made),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_onnx(network, path, WIDTH_PX, HEIGHT_PX, metadata)
    print(f"{path}: {path.stat().st_size} bytes", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file; its card is written beside it")
    parser.add_argument("--seed", type=int, default=1, help="of the weights and of the order of pictures")
    parser.add_argument("--seeds", type=int, default=len(TRAINING_SEEDS), help="scenes per setting to train on")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="a third less time on processors that compute in it")
    parser.add_argument("--footage", type=Path, help="keep the drawn pictures in this .npz, or take them from it")
    parser.add_argument(
        "--unseen-seed", type=int, default=UNSEEN_SEEDS.start, help="measure on other seeds, and write no card"
    )
    parser.add_argument("--judge-only", action="store_true", help="only measure the file and write its card anew")
    return parser.parse_args()


def _verdicts(path: Path, seeds: range) -> dict[str, Verdict]:
    return {
        f"{size[0]}×{size[1]}": judge(str(path), unseen_takes(seeds, size), SystemClock()) for size in (SUB_PX, FULL_PX)
    }


def _footage(takes: list[Take], kept: Path | None, jobs: int) -> tuple[Footage, float]:
    """Draws, or reads what an earlier run drew for the same takes; also the seconds that it took."""
    recipe = f"{RECIPE_VERSION} {takes!r}"
    names = ("xyxy", "class_id", "wanted")
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            if str(file["recipe"]) == recipe:
                ends = np.cumsum(file["counts"])[:-1]
                parts = [np.split(file[name], ends) for name in names]
                boxes = [Boxes(*each) for each in zip(*parts, strict=True)]
                return Footage(file["images"], boxes), float(file["drawing_s"])
    clock = SystemClock()
    began_ns = clock.now_ns()
    footage = wait_drawn(takes, jobs)
    drawing_s = (clock.now_ns() - began_ns) / NS_PER_S
    if kept is not None:
        columns = {name: np.concatenate([getattr(each, name) for each in footage.boxes]) for name in names}
        counts = [len(each.class_id) for each in footage.boxes]
        np.savez(kept, images=footage.images, counts=counts, recipe=recipe, drawing_s=drawing_s, **columns)
    return footage, drawing_s


def _show(size: str, verdict: Verdict) -> None:
    print(f"{size}: {verdict.pictures} pictures, {verdict.cost_ms:.2f} ms each")
    for label, setting, wanted, ap, precision, recall in table_of(verdict):
        print(
            f"  {label:8} {setting or 'all':10} {wanted:5}  AP {ap:.3f}  precision {precision:.3f}  recall {recall:.3f}"
        )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _span(seeds: range) -> str:
    return f"{seeds.start:,}–{seeds.stop - 1:,}"


if __name__ == "__main__":
    sys.exit(main())
