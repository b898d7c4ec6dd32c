"""Makes a model from its specification: reads the file, recognises its head, compiles it for the streams."""

import hashlib
from pathlib import Path

from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Backend
from penstock.models.class_names import class_ids, names_for
from penstock.models.detector import Detector, Selection
from penstock.models.errors import ModelError, load_error
from penstock.models.heads.catalogue import choose_head
from penstock.models.model import Model
from penstock.models.motion import MotionModel

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
    # Here and not above: a process that runs no network does without the runtime's 30 MB and 0.1 s.
    from penstock.models.backends.openvino import OpenVinoBackend  # noqa: PLC0415

    backend: Backend = OpenVinoBackend()
    if spec.device not in backend.devices:
        raise load_error(f"device {spec.device!r} is not available", f"Known devices: {', '.join(backend.devices)}")
    if not spec.path:
        raise load_error("no path is given", "Set `path` to an .onnx file")
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


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
