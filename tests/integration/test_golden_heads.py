"""Faces and classes on real video are what a decoder that shares no code with the heads makes of the same outputs.

The golden set has none of these two networks. The references below read the networks' own outputs, from ONNX Runtime
called here, place by place in plain arithmetic, with the conventions of OpenCV's face detector and of ImageNet's
classifiers.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray

from penstock.contracts.frames import View, ViewSpec
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.ingest.views import ViewMaker
from penstock.models.loading import load_model
from penstock.testkit.views import ArrayViews, frame_ref

BACKENDS = ["onnxruntime", "openvino"]
FACES_FLOOR, FACES_IOU = 0.6, 0.3


class Face(NamedTuple):
    xyxy: list[float]
    score: float
    landmarks: list[list[float]]


def frames(path: Path, wanted: set[int]) -> Iterator[av.VideoFrame]:
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i in wanted:
                yield frame
            if i >= max(wanted):
                return


def product_view(frame: av.VideoFrame, spec: ViewSpec) -> tuple[View, NDArray[np.uint8]]:
    """The view that ingest makes of a frame."""
    slot = bytearray(spec.nbytes)
    _, to_source, _, _ = ViewMaker().make(frame, spec, memoryview(slot))
    pixels = np.frombuffer(slot, np.uint8).reshape(spec.height_px, spec.width_px, spec.channels)
    return ArrayViews().make(frame_ref(width_px=frame.width, height_px=frame.height), pixels, spec, to_source), pixels


def session_of(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def iou(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def faces_by_hand(session: Any, pixels: NDArray[np.uint8], view: View) -> list[Face]:
    """One place after another; suppressed among all, mapped to the frame, cut at its edges."""
    tensor = pixels.astype(np.float32).transpose(2, 0, 1)[None]
    names = [output.name for output in session.get_outputs()]
    outputs = dict(zip(names, session.run(names, {session.get_inputs()[0].name: tensor}), strict=True))
    found: list[Face] = []
    for stride in (8, 16, 32):
        columns = 320 // stride
        for i in range(columns * columns):
            score = math.sqrt(
                math.prod(min(max(float(outputs[f"{part}_{stride}"][0, i, 0]), 0.0), 1.0) for part in ("cls", "obj"))
            )
            if score <= FACES_FLOOR:
                continue
            column, row = i % columns, i // columns
            dx, dy, dw, dh = (float(value) for value in outputs[f"bbox_{stride}"][0, i])
            x, y, w, h = (column + dx) * stride, (row + dy) * stride, math.exp(dw) * stride, math.exp(dh) * stride
            points = outputs[f"kps_{stride}"][0, i].reshape(5, 2).tolist()
            landmarks = [[(column + px) * stride, (row + py) * stride] for px, py in points]
            found.append(Face([x - w / 2, y - h / 2, x + w / 2, y + h / 2], score, landmarks))
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.score):
        if all(iou(face.xyxy, other.xyxy) <= FACES_IOU for other in kept):
            kept.append(face)
    a, frame = view.to_source, view.frame
    sizes = (frame.width_px, frame.height_px)
    return [
        Face(
            [
                min(max(value * s + t, 0.0), size)
                for value, s, t, size in zip(face.xyxy, (a.sx, a.sy) * 2, (a.tx, a.ty) * 2, sizes * 2, strict=True)
            ],
            face.score,
            [[x * a.sx + a.tx, y * a.sy + a.ty] for x, y in face.landmarks],
        )
        for face in kept
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_faces_and_their_landmarks(backend: str, shared_data: Path) -> None:
    path = shared_data / "models" / "yunet_n_320_320.onnx"
    spec = ModelSpec("faces", path=str(path), backend=backend, confidence=FACES_FLOOR, iou=FACES_IOU)
    model, session = load_model(spec, 1), session_of(path)
    count = 0
    off = {"box": 0.0, "score": 0.0, "landmark": 0.0}
    for frame in frames(shared_data / "videos" / "TUD-Campus.mp4", set(range(0, 71, 5))):
        view, pixels = product_view(frame, model.description.view)
        found = model.run(0, view, pixels).detections
        assert found is not None
        assert found.keypoints is not None
        landmarks = np.frombuffer(found.keypoints, np.float32).reshape(-1, 5, 3)
        expected = faces_by_hand(session, pixels, view)
        boxes = list(found.detections())
        assert len(boxes) == len(expected)
        count += len(boxes)
        for i, face in enumerate(expected):
            assert boxes[i].class_name == "face"
            off["box"] = max(off["box"], *(abs(a - b) for a, b in zip(boxes[i].xyxy, face.xyxy, strict=True)))
            off["score"] = max(off["score"], abs(boxes[i].confidence - face.score))
            off["landmark"] = max(off["landmark"], float(np.abs(landmarks[i, :, :2] - face.landmarks).max()))
            # Landmarks lie in their face, and eyes above mouths: the order of the outputs is right.
            assert (landmarks[i, :2, 1] < landmarks[i, 3:, 1]).all()
    model.close()
    print(f"yunet on {backend}: {count} faces, largest differences {off}")
    assert count > 30
    assert off["box"] <= 0.05
    assert off["landmark"] <= 0.05
    assert off["score"] <= 0.001


def classes_by_hand(session: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    tensor = ((pixels / 255 - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None]
    [[logits]] = session.run(None, {session.get_inputs()[0].name: tensor})
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum())


def classified(result: Result) -> list[tuple[str, float]]:
    return [(c.class_name, c.confidence) for c in result.classifications]


@pytest.mark.parametrize(
    ("backend", "tolerance"),
    [
        ("onnxruntime", 0.0001),
        # Quantised weights and activations: the runtimes round in other places.
        ("openvino", 0.06),
    ],
)
def test_classes_of_the_picture(backend: str, tolerance: float, shared_data: Path) -> None:
    path = shared_data / "models" / "mobilenetv2_int8.onnx"
    model, session = load_model(ModelSpec("shop", path=str(path), backend=backend, top_k=1000), 1), session_of(path)
    largest = 0.0
    best = []
    for video, wanted in (("bottle-detection.mp4", {100, 400}), ("car-detection.mp4", {225}), ("TUD-Campus.mp4", {0})):
        for frame in frames(shared_data / "videos" / video, wanted):
            view, pixels = product_view(frame, model.description.view)
            result = model.run(0, view, pixels)
            expected = classes_by_hand(session, pixels)
            stated = {c.class_id: c.confidence for c in result.classifications}
            assert len(stated) == 1000
            largest = max(largest, *(abs(stated[i] - expected[i]) for i in range(1000)))
            assert sum(stated.values()) == pytest.approx(1, abs=1e-4)
            best.append((video, *classified(result)[0]))
    model.close()
    print(f"mobilenetv2 on {backend}: largest difference {largest:.4f}; {best}")
    assert largest <= tolerance
    # What is on these pictures.
    assert [name for video, name, _ in best if video.startswith("bottle")] == ["water bottle"] * 2


def test_the_middle_of_the_picture_is_prepared_as_for_imagenet(shared_data: Path) -> None:
    """Against a crop made here from the decoded picture: scaled to 256, the middle 224 cut out, RGB."""
    path = shared_data / "models" / "mobilenetv2_int8.onnx"
    model = load_model(ModelSpec("shop", path=str(path), backend="onnxruntime"), 1)
    [frame] = frames(shared_data / "videos" / "bottle-detection.mp4", {100})
    view, pixels = product_view(frame, model.description.view)
    width_px = int(256 * frame.width / frame.height)
    whole = frame.reformat(width=width_px, height=256, format="rgb24", interpolation="AREA").to_ndarray()
    left, top = round((width_px - 224) / 2), 16
    crop = np.asarray(whole[top : top + 224, left : left + 224], np.float64)
    difference = np.abs(crop - pixels)
    assert difference.mean() < 1.5
    reference = classes_by_hand(session_of(path), crop.astype(np.uint8))
    name, confidence = classified(model.run(0, view, pixels))[0]
    assert name == model.description.picture_classes[int(reference.argmax())] == "water bottle"
    assert confidence == pytest.approx(reference.max(), abs=0.1)
    model.close()
