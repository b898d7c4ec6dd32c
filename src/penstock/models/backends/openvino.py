"""Runs ONNX files, and OpenVINO's own (.xml with its .bin), on the CPU: one request per stream, each on the thread
that calls it.

Settings, each for a measured reason:

- `INFERENCE_PRECISION_HINT` f32: left alone, the plugin takes bf16 on processors that have it: a quarter faster,
  but YOLOX-nano's confidences drift by up to 0.05 and its boxes by 2.5 px.
- `ENABLE_CPU_PINNING` off: each process would pin its threads to the same cores as every other (24 analyses a
  second instead of 40 with two processes on two cores).
- one thread per stream: two streams side by side take the same processor time per picture as one alone, while one
  picture shared by two threads takes 29 % more.

Pixels enter as 8-bit rows×columns×channels: transposition, conversion to float and normalisation are compiled into
the network. Swapping red and blue there is not offered: it adds 8 % to a small network's time, while
whoever makes the view writes either order for nothing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino  # type: ignore[import-untyped]
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager  # type: ignore[import-untyped]
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped]

from penstock.models.backends.backend import (
    Layout,
    Network,
    NetworkFile,
    Normalisation,
    PictureInput,
    TensorInfo,
    settle_picture,
)
from penstock.models.backends.model_file import IR_SUFFIX, NOT_ONNX, NOT_RUNNABLE, check_readable, parts_of
from penstock.models.errors import load_error

_DEVICE = "CPU"


class OpenVinoBackend:
    """ONNX and OpenVINO IR through OpenVINO's CPU plugin."""

    name = "openvino"
    devices = ("cpu",)

    def read(self, path: Path) -> NetworkFile:
        for part in parts_of(path):
            check_readable(part)
        return _OpenVinoFile(path, _read_model(path))


class _OpenVinoFile:
    """A model as OpenVINO read it, with every dimension settled."""

    def __init__(self, path: Path, model: openvino.Model) -> None:
        self._path = path
        self._model = model
        self.metadata = _metadata_of(model)
        self.picture = settle_picture(path, [_info(port, "input") for port in model.inputs], self.metadata)
        self._settle()
        self.outputs = tuple(_info(port, f"output {i}") for i, port in enumerate(model.outputs))

    def compile(self, normalisation: Normalisation, streams: int) -> Network:
        try:
            self._fold(normalisation)
            compiled = openvino.Core().compile_model(
                self._model,
                _DEVICE,
                {
                    "INFERENCE_PRECISION_HINT": "f32",
                    "ENABLE_CPU_PINNING": False,
                    "INFERENCE_NUM_THREADS": streams,
                    "NUM_STREAMS": streams,
                },
            )
            return _OpenVinoNetwork(compiled, self.picture, [info.name for info in self.outputs], streams)
        except Exception as error:
            raise load_error(f"{self._path}: OpenVINO cannot compile it ({_gist(error)})", NOT_RUNNABLE) from error

    def _settle(self) -> None:
        picture = self.picture
        sides = [picture.height_px, picture.width_px]
        nchw = picture.layout is Layout.NCHW
        shape = [1, picture.channels, *sides] if nchw else [1, *sides, picture.channels]
        if self._model.inputs[0].partial_shape.is_dynamic:
            try:
                self._model.reshape(shape)
            except Exception as error:
                raise load_error(
                    f"{self._path}: does not accept a picture of {picture.width_px}×{picture.height_px} "
                    f"({_gist(error)})",
                    "Export it with a fixed input size",
                ) from error

    def _fold(self, normalisation: Normalisation) -> None:
        folded = PrePostProcessor(self._model)
        picture = folded.input(0)
        picture.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        picture.model().set_layout(openvino.Layout(self.picture.layout.name))
        picture.preprocess().convert_element_type(openvino.Type.f32)
        if normalisation.mean != 0.0:
            picture.preprocess().mean(_folded(normalisation.mean))
        if normalisation.divisor != 1.0:
            picture.preprocess().scale(_folded(normalisation.divisor))
        for index in range(len(self._model.outputs)):
            folded.output(index).tensor().set_element_type(openvino.Type.f32)
        self._model = folded.build()


class _OpenVinoNetwork:
    """One compiled model with a request, and an input buffer of its own, per stream.

    Compiled for one picture a call: on a processor, two pictures in one call take as long as two calls (measured).
    """

    max_batch = 1

    def __init__(self, compiled: openvino.CompiledModel, picture: PictureInput, names: list[str], streams: int) -> None:
        self.streams = streams
        self._compiled: openvino.CompiledModel | None = compiled
        self._names = names
        self._requests = [compiled.create_infer_request() for _ in range(streams)]
        shape = (1, picture.height_px, picture.width_px, picture.channels)
        self._inputs = [np.zeros(shape, np.uint8) for _ in range(streams)]

    def infer(self, stream: int, pixels: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        held = self._inputs[stream]
        np.copyto(held[0], pixels.reshape(held.shape[1:]))
        outputs = self._requests[stream].infer(held, share_inputs=True, share_outputs=True)
        return {name: outputs[index] for index, name in enumerate(self._names)}

    def infer_batch(self, stream: int, pictures: Sequence[NDArray[np.uint8]]) -> list[Mapping[str, NDArray[Any]]]:
        if len(pictures) != 1:
            raise ValueError(f"compiled for one picture a call, not {len(pictures)}")
        return [self.infer(stream, pictures[0])]

    def close(self) -> None:
        self._requests.clear()
        self._inputs.clear()
        self._compiled = None


def _read_model(path: Path) -> openvino.Model:
    # Only one reader is asked: the general one tries every format it knows, and some write to stderr.
    framework, form = ("ir", "OpenVINO") if path.suffix == IR_SUFFIX else ("onnx", "ONNX")
    frontend = FrontEndManager().load_by_framework(framework)
    try:
        loaded = frontend.load(str(path))
    except Exception as error:
        raise load_error(f"{path}: is no {form} file, or a damaged one ({_gist(error)})", NOT_ONNX) from error
    try:
        return frontend.convert(loaded)
    except Exception as error:
        raise load_error(f"{path}: OpenVINO cannot run it ({_gist(error)})", NOT_RUNNABLE) from error


def _metadata_of(model: openvino.Model) -> dict[str, str]:
    info = model.get_rt_info()
    if "framework" not in info:
        return {}
    # The ONNX reader files the model's metadata_props under this name.
    return {str(key): value.astype(str) for key, value in info["framework"].items()}


def _folded(value: float | tuple[float, ...]) -> float | list[float]:
    return value if isinstance(value, float) else list(value)


def _info(port: Any, fallback: str) -> TensorInfo:
    names = sorted(port.names)
    shape = tuple(n.get_length() if n.is_static else None for n in port.partial_shape)
    return TensorInfo(names[0] if names else fallback, shape, port.element_type.get_type_name())


def _gist(error: Exception) -> str:
    """The lines of a runtime's message that say something to whoever gave the file."""
    noise = ("Exception from", "Check '", "FrontEnd API failed", "Summary:", "Model wasn't fully converted")
    lines = [line.strip(" -") for line in str(error).splitlines()]
    kept = [line for line in lines if line and not line.startswith(noise)]
    return "; ".join(kept)[:300] or type(error).__name__
