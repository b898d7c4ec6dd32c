"""Makes a model from its specification: reads the file, recognises its head, compiles it for the streams."""

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from msgspec.structs import replace

from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models.anomaly_detector import AnomalyDetector
from penstock.models.anomaly_detector import signals_of as anomaly_signals
from penstock.models.backends.backend import Backend
from penstock.models.backends.model_file import IR_SUFFIX, check_readable, is_statically_quantised, parts_of
from penstock.models.class_names import class_ids, names_for
from penstock.models.classifier import Classifier
from penstock.models.detector import Detector, Selection
from penstock.models.errors import ModelError, load_error
from penstock.models.heads.catalogue import choose_head
from penstock.models.heads.head import AnomalyDecoder, BoxDecoder, ClassDecoder
from penstock.models.model import Model
from penstock.models.motion import MotionModel

BACKENDS = ("auto", "openvino", "onnxruntime")


def load_model(spec: ModelSpec, streams: int) -> Model:
    """Loads `spec` for `streams` calls side by side.

    Raises ModelError (`load_failed`) that names the model, what is wrong and what to do.
    """
    try:
        load = _KINDS.get(spec.kind)
        if load is None:
            raise load_error(f"there is no kind of model {spec.kind!r}", f"Known kinds: {', '.join(_KINDS)}")
        return load(spec, streams)
    except ModelError as error:
        raise ModelError(error.cause, f"model {spec.name}: {error.what}", error.advice) from error


def _load_network(spec: ModelSpec, streams: int) -> Model:
    if not spec.path:
        raise load_error("no path is given", "Set `path` to an .onnx file")
    backend = choose_backend(spec)
    if spec.device not in backend.devices:
        raise load_error(f"device {spec.device!r} is not available", f"Known devices: {', '.join(backend.devices)}")
    path = Path(spec.path)
    file = backend.read(path)
    try:
        head = choose_head(spec.head, file.picture, file.outputs, file.metadata, spec.options)
        class_names = names_for(head.class_count, spec.class_names, head.class_names)
        wanted = class_ids(spec.labels, class_names)
    except ModelError as error:
        raise ModelError(error.cause, f"{path}: {error.what}", error.advice) from error
    description = ModelDescription(
        model=spec.name,
        view=head.view,
        weight_hash=_sha256_of(parts_of(path)),
        head=head.head,
        class_names=(),
        device=spec.device,
    )
    network = file.compile(head.normalisation, streams)
    description = replace(description, max_batch=network.max_batch)
    match head.decoder:
        case BoxDecoder():
            confidence = head.confidence if spec.confidence is None else spec.confidence
            iou = None if head.suppressed else head.iou if spec.iou is None else spec.iou
            selection = Selection(class_names, wanted, confidence, iou, spec.max_detections)
            description = replace(description, class_names=selection.stated)
            return Detector(description, network, head.decoder, selection)
        case ClassDecoder():
            stated = tuple(class_names[i] for i in wanted) or class_names
            description = replace(description, picture_classes=stated)
            return Classifier(description, network, head.decoder, class_names, wanted, spec.top_k)
        case AnomalyDecoder():
            description = replace(description, signals=anomaly_signals(head.decoder))
            return AnomalyDetector(description, network, head.decoder)


def _load_motion(spec: ModelSpec, streams: int) -> Model:
    del streams  # any number, they share what it remembers
    return MotionModel(spec)


def _load_plugin(spec: ModelSpec, streams: int) -> Model:
    # Imported here: what serves people's own classes is of no use to a process that runs networks.
    from penstock.models.plugin import load_plugin  # noqa: PLC0415

    return load_plugin(spec, streams)


_KINDS: dict[str, Callable[[ModelSpec, int], Model]] = {
    "onnx": _load_network,
    "motion": _load_motion,
    "python": _load_plugin,
}


def choose_backend(spec: ModelSpec) -> Backend:
    """The runtime that `spec` names; `auto` takes the one that is measured to be cheaper for the kind of network.

    OpenVINO runs networks with fixed quantisation 2.4 times as fast as ONNX Runtime, which runs all others in less
    time and memory; where ONNX Runtime is not installed, OpenVINO runs them all.
    """
    # Imported here: a process that runs no network does without a runtime's 30 MB and 0.1 s.
    match spec.backend:
        case "openvino":
            return _openvino()
        case "onnxruntime":
            if find_spec("onnxruntime") is None:
                raise load_error("ONNX Runtime is not installed", "Install it with: pip install penstock[onnxruntime]")
            return _onnxruntime()
        case "auto":
            check_readable(Path(spec.path))
            own = Path(spec.path).suffix == IR_SUFFIX
            if own or find_spec("onnxruntime") is None or is_statically_quantised(Path(spec.path)):
                return _openvino()
            return _onnxruntime()
        case other:
            raise load_error(f"there is no backend {other!r}", f"Known backends: {', '.join(BACKENDS)}")


def _openvino() -> Backend:
    from penstock.models.backends.openvino import OpenVinoBackend  # noqa: PLC0415

    return OpenVinoBackend()


def _onnxruntime() -> Backend:
    from penstock.models.backends.onnxruntime import OnnxRuntimeBackend  # noqa: PLC0415

    return OnnxRuntimeBackend()


def _sha256_of(parts: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
