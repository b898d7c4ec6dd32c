"""Runs ONNX files on the CPU through ONNX Runtime, one session per stream, each on the thread that calls it.

Measured against OpenVINO on the same core: a fifth less processor time for float networks, half for those that are
quantised dynamically (whose results it also reproduces exactly), and half the memory; but 2.4 times as much for
networks with quantised weights and activations (QDQ). `models.loading` chooses by that.

Threads that spin while they wait are switched off: they would take the cores of other streams.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from penstock.models.backends.backend import (
    MAX_BATCH,
    Layout,
    Network,
    NetworkFile,
    Normalisation,
    PictureInput,
    TensorInfo,
    settle_picture,
)
from penstock.models.backends.model_file import NOT_ONNX, NOT_RUNNABLE, check_readable
from penstock.models.errors import load_error

_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """ONNX through ONNX Runtime's CPU provider."""

    name = "onnxruntime"
    devices = ("cpu",)

    def read(self, path: Path) -> NetworkFile:
        check_readable(path)
        return _OnnxRuntimeFile(path, _open_session(path))


class _OnnxRuntimeFile:
    """A model as ONNX Runtime read it; its session is the first stream's."""

    def __init__(self, path: Path, session: "onnxruntime.InferenceSession") -> None:
        self._path = path
        self._session = session
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        inputs = [_info(node) for node in session.get_inputs()]
        self.picture = settle_picture(path, inputs, self.metadata)
        self._max_batch = MAX_BATCH if inputs[0].shape[0] is None else 1
        self.outputs = tuple(_info(node) for node in session.get_outputs())
        if any(None in info.shape for info in self.outputs):
            self.outputs = self._measured_outputs()

    def compile(self, normalisation: Normalisation, streams: int) -> Network:
        sessions = [self._session, *(_open_session(self._path) for _ in range(streams - 1))]
        names = [info.name for info in self.outputs]
        return _OnnxRuntimeNetwork(sessions, self.picture, names, normalisation, self._max_batch)

    def _measured_outputs(self) -> tuple[TensorInfo, ...]:
        """Shapes that the file leaves open follow from the picture's size: one call tells them."""
        blank = np.zeros(_shape_of(self.picture), np.float32)
        try:
            values = self._session.run(None, {self.picture.name: blank})
        except Exception as error:
            raise load_error(
                f"{self._path}: does not accept a picture of {self.picture.width_px}×{self.picture.height_px} "
                f"({_gist(error)})",
                "Export it with a fixed input size",
            ) from error
        return tuple(
            TensorInfo(info.name, tuple(value.shape), info.dtype)
            for info, value in zip(self.outputs, values, strict=True)
        )


class _OnnxRuntimeNetwork:
    """One session and one float input buffer per stream."""

    def __init__(
        self,
        sessions: "list[onnxruntime.InferenceSession]",
        picture: PictureInput,
        names: list[str],
        normalisation: Normalisation,
        max_batch: int,
    ) -> None:
        self.streams = len(sessions)
        self.max_batch = max_batch
        self._sessions = sessions
        self._picture = picture
        self._names = names
        self._mean = _per_channel(normalisation.mean, picture.layout)
        self._divisor = _per_channel(normalisation.divisor, picture.layout)
        self._inputs = [np.zeros((1, *_shape_of(picture)[1:]), np.float32) for _ in sessions]

    def infer(self, stream: int, pixels: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        return self.infer_batch(stream, (pixels,))[0]

    def infer_batch(self, stream: int, pictures: Sequence[NDArray[np.uint8]]) -> list[Mapping[str, NDArray[Any]]]:
        count = len(pictures)
        if count > self.max_batch:
            raise ValueError(f"takes {self.max_batch} pictures a call, not {count}")
        if len(self._inputs[stream]) < count:
            self._inputs[stream] = np.zeros((count, *_shape_of(self._picture)[1:]), np.float32)
        held = self._inputs[stream][:count]
        for place, pixels in zip(held, pictures, strict=True):
            picture = pixels.reshape(self._picture.height_px, self._picture.width_px, self._picture.channels)
            place[...] = picture.transpose(2, 0, 1) if self._picture.layout is Layout.NCHW else picture
        if self._mean.any():
            held -= self._mean
        if (self._divisor != 1.0).any():
            # Divided, as exporters do it: a product with the reciprocal differs in the last bit, which is enough
            # to turn roundings in dynamically quantised networks.
            held /= self._divisor
        values = self._sessions[stream].run(self._names, {self._picture.name: held})
        # A network that gives something else than one row per picture is found out by its head, which knows the shape.
        return [
            {
                name: value[i : i + 1] if len(value) == count else value
                for name, value in zip(self._names, values, strict=True)
            }
            for i in range(count)
        ]

    def close(self) -> None:
        self._sessions.clear()
        self._inputs.clear()


def _per_channel(value: float | tuple[float, ...], layout: Layout) -> NDArray[np.float32]:
    """A number, or numbers along the channels, in the shape that the input buffer takes."""
    if isinstance(value, float):
        return np.array(value, np.float32)
    return np.array(value, np.float32).reshape((-1, 1, 1) if layout is Layout.NCHW else (1, 1, -1))


def _open_session(path: Path) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf as error:
        raise load_error(f"{path}: is no ONNX file, or a damaged one ({_gist(error)})", NOT_ONNX) from error
    except Exception as error:
        raise load_error(f"{path}: ONNX Runtime cannot run it ({_gist(error)})", NOT_RUNNABLE) from error


def _info(node: Any) -> TensorInfo:
    shape = tuple(n if isinstance(n, int) else None for n in node.shape)
    return TensorInfo(node.name, shape, node.type)


def _shape_of(picture: PictureInput) -> tuple[int, int, int, int]:
    if picture.layout is Layout.NCHW:
        return (1, picture.channels, picture.height_px, picture.width_px)
    return (1, picture.height_px, picture.width_px, picture.channels)


def _gist(error: Exception) -> str:
    """The message without the runtime's error code."""
    text = str(error).rpartition(" : ")[2] or str(error)
    return text.strip()[:300] or type(error).__name__
