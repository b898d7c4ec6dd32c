"""What stands in an ONNX file, read without an ONNX library: weights are not copied, damage is an error, no crash.

The file is a protocol buffer (https://protobuf.dev/programming-guides/encoding/) with the fields of onnx.proto 3; only
those named here are looked at.
"""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from penstock.models.backends.backend import TensorInfo
from penstock.models.backends.model_file import NOT_ONNX, check_readable
from penstock.models.errors import load_error

_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16", 21: "uint4", 22: "int4",
}  # fmt: skip


class OnnxSummary(msgspec.Struct, frozen=True):
    """One file's graph in numbers and names."""

    ir_version: int
    producer: str
    opsets: dict[str, int]
    """version by domain; the standard one is called `ai.onnx`"""
    inputs: tuple[TensorInfo, ...]
    """without weights that are listed as inputs"""
    outputs: tuple[TensorInfo, ...]
    operators: dict[str, int]
    """how often each kind stands in the graph, the most frequent first"""
    parameters: int
    """numbers in all weights"""
    weight_types: dict[str, int]
    """parameters by type"""
    metadata: dict[str, str]

    @property
    def quantisation(self) -> str:
        """`static`, `dynamic` or `none`."""
        if "DynamicQuantizeLinear" in self.operators:
            return "dynamic"
        fixed = any(name in self.operators for name in ("DequantizeLinear", "QLinearConv", "QLinearMatMul"))
        return "static" if fixed else "none"


class _Damaged(Exception):
    """The bytes are no protocol buffer."""


def read_summary(path: Path) -> OnnxSummary:
    """Raises ModelError where `path` cannot be read or is no ONNX file."""
    check_readable(path)
    with path.open("rb") as file:
        # Not closed by hand: an error's traceback may hold pieces of it, and it goes with the last of them.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        return _model(memoryview(mapped))
    except (_Damaged, UnicodeDecodeError) as error:
        raise load_error(f"{path}: is no ONNX file, or a damaged one", NOT_ONNX) from error


def _model(data: memoryview) -> OnnxSummary:
    ir_version, producer, version = 0, "", ""
    opsets: dict[str, int] = {}
    metadata: dict[str, str] = {}
    graph = _Graph()
    found = False
    for field, value in _fields(data):
        match field, value:
            case 1, int():
                ir_version = value
            case 2, memoryview():
                producer = _text(value)
            case 3, memoryview():
                version = _text(value)
            case 7, memoryview():
                graph.read(value)
                found = True
            case 8, memoryview():
                entry = dict(_fields(value))
                opsets[_text(entry.get(1)) or "ai.onnx"] = _number(entry.get(2))
            case 14, memoryview():
                entry = dict(_fields(value))
                metadata[_text(entry.get(1))] = _text(entry.get(2))
    if not found or not opsets:
        raise _Damaged
    return OnnxSummary(
        ir_version=ir_version,
        producer=f"{producer} {version}".strip(),
        opsets=opsets,
        inputs=tuple(info for info in graph.inputs if info.name not in graph.weights),
        outputs=tuple(graph.outputs),
        operators=dict(graph.operators.most_common()),
        parameters=sum(graph.weight_types.values()),
        weight_types=dict(graph.weight_types.most_common()),
        metadata=metadata,
    )


class _Graph:
    """Collects from the graph and, for operators and weights, from the graphs inside it."""

    def __init__(self) -> None:
        self.inputs: list[TensorInfo] = []
        self.outputs: list[TensorInfo] = []
        self.operators: Counter[str] = Counter()
        self.weights: set[str] = set()
        self.weight_types: Counter[str] = Counter()

    def read(self, data: memoryview, depth: int = 0) -> None:
        if depth > 8:
            raise _Damaged
        for field, value in _fields(data):
            if not isinstance(value, memoryview):
                continue
            match field:
                case 1:
                    self._node(value, depth)
                case 5:
                    self._weight(value)
                case 11 if not depth:
                    self.inputs.append(_value_info(value))
                case 12 if not depth:
                    self.outputs.append(_value_info(value))

    def _node(self, data: memoryview, depth: int) -> None:
        for field, value in _fields(data):
            if field == 4:
                self.operators[_text(value)] += 1
            elif field == 5 and isinstance(value, memoryview):
                for inner, attribute in _fields(value):
                    # A graph or a tensor as an attribute: bodies of If and Loop, and constants.
                    if inner == 6 and isinstance(attribute, memoryview):
                        self.read(attribute, depth + 1)
                    elif inner == 5 and isinstance(attribute, memoryview):
                        self._weight(attribute)

    def _weight(self, data: memoryview) -> None:
        dims: list[int] = []
        kind = 0
        for field, value in _fields(data):
            if field == 1:
                dims += _packed(value) if isinstance(value, memoryview) else [value]
            elif field == 2:
                kind = _number(value)
            elif field == 8:
                self.weights.add(_text(value))
        self.weight_types[_TYPES.get(kind, f"type {kind}")] += math.prod(dims)


def _value_info(data: memoryview) -> TensorInfo:
    name, kind = "", 0
    shape: list[int | None] = []
    for field, value in _fields(data):
        if field == 1:
            name = _text(value)
        elif field == 2 and isinstance(value, memoryview):
            tensor = dict(_fields(value)).get(1)
            for inner, part in _fields(tensor) if isinstance(tensor, memoryview) else ():
                if inner == 1:
                    kind = _number(part)
                elif inner == 2 and isinstance(part, memoryview):
                    shape = [_dimension(dim) for number, dim in _fields(part) if number == 1]
    return TensorInfo(name, tuple(shape), _TYPES.get(kind, f"type {kind}"))


def _dimension(data: "memoryview | int") -> int | None:
    if not isinstance(data, memoryview):
        raise _Damaged
    size = dict(_fields(data)).get(1)
    # Some exporters write 0 or -1 for a dimension left open.
    return size if isinstance(size, int) and 0 < size < 2**63 else None


def _fields(data: memoryview) -> Iterator[tuple[int, "memoryview | int"]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        match key & 7:
            case 0:
                value, place = _varint(data, place)
                yield key >> 3, value
            case 2:
                length, place = _varint(data, place)
                if place + length > len(data):
                    raise _Damaged
                yield key >> 3, data[place : place + length]
                place += length
            case 1:
                place += 8
            case 5:
                place += 4
            case _:
                raise _Damaged


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise _Damaged


def _packed(data: memoryview) -> list[int]:
    numbers, place = [], 0
    while place < len(data):
        number, place = _varint(data, place)
        numbers.append(number)
    return numbers


def _text(value: "memoryview | int | None") -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        raise _Damaged
    return str(value, "utf-8")


def _number(value: "memoryview | int | None") -> int:
    if isinstance(value, memoryview):
        raise _Damaged
    return value or 0
