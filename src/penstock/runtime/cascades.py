"""Lanes that look at what another lane of their camera found: which boxes of which frame are waited for.

Ingest keeps a frame for a moment; what was found in it is kept as long, for the lane's next ask.
"""

from collections.abc import Iterable, Mapping

from penstock.contracts.messages import Box
from penstock.contracts.results import Result
from penstock.contracts.specs import CropSpec, LaneSpec
from penstock.contracts.work import ModelDescription
from penstock.runtime.calls import Call
from penstock.runtime.crops import joined, regions_of
from penstock.runtime.engine_models import ModelBook
from penstock.scheduling.scheduler import Scheduler

FRAMES_KEPT = 4
"""per lane: one that a model works on, one that waits, and their successors on the way"""


def crops_of_nothing(lanes: Iterable[LaneSpec], models: Mapping[str, ModelDescription]) -> str:
    """What to tell where a lane waits for boxes of a loaded model that finds none; empty where none does.

    A file need not say what its network answers, and a class of one's own says so only when it is loaded.
    """
    for lane in lanes:
        found = models.get(lane.crops.of) if lane.crops is not None else None
        if found is not None and not found.class_names:
            told = (
                f"model {lane.model} looks at crops of {found.model}, which finds no boxes ({found.head}), so it would "
                f"never run. Name a model that finds boxes in models.{lane.model}.crops.of, or remove `crops`"
            )
            own = "; if its class finds boxes, name their classes in its `class_names`"
            return told + own if found.head == "python" else told
    return ""


class Cascades:
    """The boxes that second models are to see, by lane and frame."""

    def __init__(self, lanes: Iterable[LaneSpec], scheduler: Scheduler, models: ModelBook) -> None:
        self._scheduler = scheduler
        self._models = models
        self._followers: dict[str, list[tuple[LaneSpec, CropSpec]]] = {}
        self._regions: dict[str, dict[int, tuple[Box, ...]]] = {}
        for lane in lanes:
            if lane.crops is not None:
                self._followers.setdefault(f"{lane.camera}/{lane.crops.of}", []).append((lane, lane.crops))
                self._regions[lane.name] = {}

    def found(self, lane: LaneSpec, result: Result, now_ns: int) -> None:
        """`lane` has a result: whoever looks at what it finds hears of the frame, also where it found nothing."""
        for follower, crops in self._followers.get(lane.name, ()):
            regions = () if result.late else regions_of(result, crops)
            kept = self._regions[follower.name]
            frame = result.frame
            if regions:
                kept[frame.index] = regions
                while len(kept) > FRAMES_KEPT:
                    del kept[next(iter(kept))]
            self._scheduler.offer_crops(follower.name, frame.index, frame.capture.mono_ns, len(regions), now_ns)

    def followed(self, lane: str) -> bool:
        """Whether another lane looks at what `lane` finds."""
        return lane in self._followers

    def regions(self, lane: str, frame_index: int) -> tuple[Box, ...] | None:
        """What `lane` is to see of that frame; nothing for a lane that looks at whole pictures, None where the boxes
        are not kept any more: the whole picture must not pass for one of them."""
        kept = self._regions.get(lane)
        return () if kept is None else kept.get(frame_index)

    def one_result(self, call: Call, results: tuple[Result, ...]) -> Result:
        """What a model said of all the views of one ask."""
        if not call.regions:
            return results[0]
        description = self._models.loaded.get(call.ask.model)
        names = () if description is None else description.picture_classes or description.class_names
        return joined(results, call.regions, names)
