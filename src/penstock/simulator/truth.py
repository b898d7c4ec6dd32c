"""What is true of a drawn scene: who is where in every picture, and what happens from when to when.

It is written beside a film as compact JSON; reading it back needs neither NumPy nor FFmpeg.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from penstock.simulator.scene_spec import LABELS, SceneSpec

Point = tuple[float, float]
Polygon = tuple[Point, ...]

_FORMAT = "penstock truth 1"


class TruthError(ValueError):
    """A file is no truth of a drawn scene: which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class TrueBox:
    """A figure that is at least partly in the picture."""

    figure: int
    """the same number as long as the figure is the same"""
    label: str
    """one of LABELS"""
    xyxy: tuple[float, float, float, float]
    """pixels of the drawn picture, clipped to it"""
    visible: float
    """share of the figure's whole box that is neither outside the picture nor hidden, 0–1"""
    moving: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """Something that happens, with who takes part; seconds from the loop's beginning."""

    kind: str
    figures: tuple[int, ...]
    start_s: float
    end_s: float
    zone: str = ""
    """the zone it happens in, or empty"""


@dataclass(frozen=True, slots=True)
class SceneTruth:
    """All that is true of one loop of a scene."""

    spec: SceneSpec
    zones: Mapping[str, Polygon]
    """fractions of the picture"""
    situations: tuple[Situation, ...]
    frames: tuple[tuple[TrueBox, ...], ...]
    """by picture as drawn, farthest figure first"""

    def boxes(self, index: int) -> tuple[TrueBox, ...]:
        """Who is in drawn picture `index`; the loop repeats."""
        return self.frames[index % len(self.frames)]

    def film_boxes(self, picture: int, film_fps: int) -> tuple[TrueBox, ...]:
        """Who is in picture `picture` of a film of this scene with `film_fps` pictures a second."""
        return self.boxes(drawn_index(self.spec, film_fps, picture))


def drawn_index(spec: SceneSpec, film_fps: int, picture: int) -> int:
    """Which drawn picture a film shows as its `picture`: the nearest in time, the earlier of two.

    Raises ValueError where the film would have more pictures than are drawn, or its loop no whole number of them.
    """
    pictures = film_frames(spec, film_fps)
    loop, within = divmod(picture, pictures)
    return loop * spec.frames + -((film_fps - 2 * within * spec.fps) // (2 * film_fps))


def film_frames(spec: SceneSpec, film_fps: int) -> int:
    """Pictures in a film's loop. Raises ValueError as `drawn_index` does."""
    if not 1 <= film_fps <= spec.fps:
        raise ValueError(f"a film of this scene has 1 to {spec.fps} pictures a second, not {film_fps}")
    pictures = spec.seconds * film_fps
    if abs(pictures - round(pictures)) > 1e-6:
        raise ValueError(f"{spec.seconds:g} s at {film_fps} pictures a second is no whole number of pictures")
    return round(pictures)


def truth_path(film: Path) -> Path:
    """Where the truth of `film` is written: NAME.truth.json beside it."""
    return film.with_suffix(".truth.json")


def truth_text(
    spec: SceneSpec,
    zones: Mapping[str, Polygon],
    situations: Iterable[Situation],
    frames: Iterable[tuple[TrueBox, ...]],
) -> str:
    """The truth as JSON; boxes to a tenth of a pixel, shares to a hundredth."""
    document = {
        "format": _FORMAT,
        "recipe": spec.recipe,
        "spec": asdict(spec),
        "zones": zones,
        "situations": [[s.kind, s.figures, round(s.start_s, 3), round(s.end_s, 3), s.zone] for s in situations],
        "box": ["figure", "label", "left", "top", "right", "bottom", "visible", "moving"],
        "labels": LABELS,
        "frames": [
            [
                [
                    box.figure,
                    LABELS.index(box.label),
                    *(round(edge, 1) for edge in box.xyxy),
                    round(box.visible, 2),
                    int(box.moving),
                ]
                for box in boxes
            ]
            for boxes in frames
        ],
    }
    return json.dumps(document, separators=(",", ":"))


def read_truth(path: Path) -> SceneTruth:
    """Reads what `truth_text` made. Raises TruthError for anything else, OSError where there is no such file."""
    try:
        return _truth(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise TruthError(
            f"{path} is no truth of a drawn scene ({type(error).__name__}: {error}); delete it and the film beside it "
            "to have both drawn again"
        ) from error


def _truth(document: dict[str, Any]) -> SceneTruth:
    if document["format"] != _FORMAT:
        raise ValueError(f"its format is {document['format']!r}, not {_FORMAT!r}")
    labels = document["labels"]
    return SceneTruth(
        SceneSpec(**document["spec"]),
        {name: tuple((x, y) for x, y in ring) for name, ring in document["zones"].items()},
        tuple(
            Situation(kind, tuple(figures), start_s, end_s, zone)
            for kind, figures, start_s, end_s, zone in document["situations"]
        ),
        tuple(
            tuple(
                TrueBox(figure, labels[label], (left, top, right, bottom), visible, bool(moving))
                for figure, label, left, top, right, bottom, visible, moving in boxes
            )
            for boxes in document["frames"]
        ),
    )
