"""Makes a model from its specification: reads the file, recognises its head, compiles it for the streams."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Backend
from penstock.models.backends.model_file import check_readable, is_statically_quantised
from penstock.models.class_names import class_ids, names_for
from penstock.models.detector import Detector, Selection
from penstock.models.errors import ModelError, load_error
from penstock.models.heads.catalogue import choose_head
from penstock.models.model import Model
from penstock.models.motion import MotionModel

BACKENDS = ("auto", "openvino", "onnxruntime")
_KINDS = ("onnx", "motion")
_OPTIONS = ("logits",)


def load_model(spec: ModelSpec, streams: int) -> Model:
    """Loads `spec` for `streams` calls side by side.

    Raises ModelError (`load_failed`) that names the model, what is wrong and what to do.
    """
    try:
        match spec.kind:
            case "onnx":
                return _load_detector(spec, streams)
            case "motion":
                return MotionModel(spec)
            case kind:
                raise load_error(f"there is no kind of model {kind!r}", f"Known kinds: {', '.join(_KINDS)}")
    except ModelError as error:
        raise ModelError(error.cause, f"model {spec.name}: {error.what}", error.advice) from error


def _load_detector(spec: ModelSpec, streams: int) -> Detector:
    if not spec.path:
        raise load_error("no path is given", "Set `path` to an .onnx file")
    backend = choose_backend(spec)
    if spec.device not in backend.devices:
        raise load_error(f"device {spec.device!r} is not available", f"Known devices: {', '.join(backend.devices)}")
    unknown = sorted(set(spec.options) - set(_OPTIONS))
    if unknown:
        raise load_error(f"there is no option {unknown[0]!r}", f"Known options: {', '.join(_OPTIONS)}")
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
        weight_hash=_sha256_of(path),
        head=head.head,
        class_names=class_names,
        device=spec.device,
    )
    network = file.compile(head.normalisation, streams)
    selection = Selection(class_names, wanted, spec.confidence, spec.iou, spec.max_detections)
    return Detector(description, network, head.decoder, selection)


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
            if find_spec("onnxruntime") is None or is_statically_quantised(Path(spec.path)):
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


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
