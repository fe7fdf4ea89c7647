"""Reads the names of a network's inputs and outputs from its ONNX file, for OpenCV does not tell them."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

_GRAPH: Final = 7  # field numbers of onnx.proto: ModelProto.graph
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12  # GraphProto
_TENSOR_NAME: Final = 8  # TensorProto.name
_VALUE_NAME: Final = 1  # ValueInfoProto.name
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class GraphNames(NamedTuple):
    """Names of a network's inputs (without its weights) and outputs, in the file's order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_names(model: Path) -> GraphNames:
    """Read the names; raise ValueError where the file is no ONNX model, OSError where it cannot be read."""
    with model.open("rb") as file:
        if not file.seek(0, 2):
            raise ValueError("the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _names(data)
            except (IndexError, UnicodeDecodeError) as error:
                raise ValueError("the file is not a whole ONNX model") from error


def _names(data: Any) -> GraphNames:
    inputs: list[str] = []
    outputs: list[str] = []
    weights: set[str] = set()
    graphs = 0
    for number, start, end in _fields(data, 0, len(data)):
        if number != _GRAPH:
            continue
        graphs += 1
        for part, begin, stop in _fields(data, start, end):
            if part == _INPUT:
                inputs.append(_text(data, begin, stop, _VALUE_NAME))
            elif part == _OUTPUT:
                outputs.append(_text(data, begin, stop, _VALUE_NAME))
            elif part == _INITIALIZER:
                weights.add(_text(data, begin, stop, _TENSOR_NAME))
    if not graphs or not outputs:
        raise ValueError("the file holds no ONNX network")
    return GraphNames(tuple(name for name in inputs if name not in weights), tuple(outputs))


def _text(data: Any, start: int, end: int, wanted: int) -> str:
    return next((bytes(data[a:b]).decode() for number, a, b in _fields(data, start, end) if number == wanted), "")


def _fields(data: Any, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give (number, start, end) of each field of a protobuf message that has a length."""
    while at < end:
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _BYTES:
            length, at = _varint(data, at)
            if at + length > end:
                raise ValueError("the file is cut off, or is no ONNX model")
            yield number, at, at + length
            at += length
        elif kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("the file is no ONNX model")


def _varint(data: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
