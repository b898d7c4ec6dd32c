"""What models found, in supervision's terms.

Arrays travel as packed little-endian bytes, so that a result costs one copy and readers that need no NumPy do
not load it: `detections()` walks them as plain records.
"""

from collections.abc import Iterator

import msgspec

from penstock.contracts.frames import FrameRef


class Detection(msgspec.Struct, frozen=True, gc=False):
    """One box: `xyxy` in pixels of the source frame (left, top, right, bottom), `confidence` in 0–1."""

    xyxy: tuple[float, float, float, float]
    confidence: float
    class_id: int
    class_name: str
    tracker_id: int | None = None


class Detections(msgspec.Struct, frozen=True):
    """N boxes of one frame, packed.

    `xyxy` is float32 N×4 in pixels of the source frame; `confidence` float32 N; `class_id` int32 N;
    `tracker_id` int64 N where tracking ran. The optional rest follows supervision: `masks` uint8 N×H×W,
    `keypoints` float32 N×K×3 (x, y, confidence), `embeddings` float32 N×D.
    """

    xyxy: bytes = b""
    confidence: bytes = b""
    class_id: bytes = b""
    class_names: tuple[str, ...] = ()
    """names by class id; an id beyond its end is named by its number"""
    tracker_id: bytes | None = None
    masks: bytes | None = None
    mask_shape: tuple[int, int] | None = None
    keypoints: bytes | None = None
    keypoint_count: int = 0
    embeddings: bytes | None = None
    embedding_size: int = 0

    def __len__(self) -> int:
        return len(self.confidence) // 4

    def name_of(self, class_id: int) -> str:
        return self.class_names[class_id] if 0 <= class_id < len(self.class_names) else str(class_id)

    def detections(self) -> Iterator[Detection]:
        """The boxes as records, most confident first where the head sorted them."""
        boxes = memoryview(self.xyxy).cast("f")
        ids = memoryview(self.class_id).cast("i")
        trackers = None if self.tracker_id is None else memoryview(self.tracker_id).cast("q")
        for i, confidence in enumerate(memoryview(self.confidence).cast("f")):
            yield Detection(
                xyxy=(boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]),
                confidence=confidence,
                class_id=ids[i],
                class_name=self.name_of(ids[i]),
                tracker_id=None if trackers is None else trackers[i],
            )


class Classification(msgspec.Struct, frozen=True, gc=False):
    """One class of a whole picture, with its probability."""

    class_id: int
    class_name: str
    confidence: float


class ScoreMap(msgspec.Struct, frozen=True):
    """A value per place in the picture (anomaly maps): float32 height×width, row by row."""

    width: int
    height: int
    values: bytes


class Result(msgspec.Struct, frozen=True):
    """What one model says of one frame."""

    model: str
    weight_hash: str
    """sha256 of the weights, hex; of the source text for models without weights"""
    frame: FrameRef
    detections: Detections | None = None
    classifications: tuple[Classification, ...] = ()
    scalars: dict[str, float] = {}
    """signals that the model states itself, by name"""
    score_map: ScoreMap | None = None
    late: bool = False
    """finished after its deadline: kept for the books and evidence, not used to decide"""
