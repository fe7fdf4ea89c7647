"""Writes tiny ONNX models byte by byte, so that plugins that run networks are tested where no real model is."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_OPSET, _IR_VERSION = 13, 8
_FLOAT, _INT64 = 1, 7
_A_FLOAT, _AN_INT, _INTS = 1, 2, 7  # AttributeProto.AttributeType


@dataclass
class TinyModel:
    """A graph in the making: each method adds a node and gives the name of what comes out of it."""

    size: tuple[int, int, int]  # channels, height, width of the one input, "input"
    nodes: list[bytes] = field(default_factory=list)
    weights: list[bytes] = field(default_factory=list)

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node of any kind."""
        name = output or f"t{len(self.nodes)}"
        parts = [_text(1, text) for text in inputs] + [_text(2, name), _text(3, f"n{len(self.nodes)}"), _text(4, op)]
        self.nodes.append(b"".join([*parts, *(_bytes(5, _attribute(*item)) for item in attributes.items())]))
        return name

    def constant(self, values: Any) -> str:
        """Add weights: whole numbers become int64, all others float32."""
        array = np.asarray(values)
        whole = np.issubdtype(array.dtype, np.integer)
        array = array.astype("<i8" if whole else "<f4")
        name = f"w{len(self.weights)}"
        dims = b"".join(_number(1, dim) for dim in array.shape)
        kind = _number(2, _INT64 if whole else _FLOAT)
        self.weights.append(dims + kind + _text(8, name) + _bytes(9, array.tobytes()))
        return name

    def conv(self, source: str, weight: Any, bias: Any, stride: int = 1) -> str:
        """Add a convolution without padding; `weight` is (out, in, high, wide)."""
        high, wide = np.shape(weight)[2:]
        return self.add("Conv", source, self.constant(np.asarray(weight, float)), self.constant(np.asarray(bias, float)),
                        kernel_shape=[high, wide], strides=[stride, stride])  # fmt: skip

    def reshaped(self, source: str, shape: Iterable[int]) -> str:
        """Add a Reshape."""
        return self.add("Reshape", source, self.constant(np.array(list(shape), np.int64)))

    def written(self, outputs: Mapping[str, tuple[int, ...]]) -> bytes:
        """Give the model as an ONNX file, with these outputs and their shapes."""
        graph = b"".join(_bytes(1, node) for node in self.nodes) + _text(2, "tiny")
        graph += b"".join(_bytes(5, weight) for weight in self.weights)
        graph += _bytes(11, _value("input", (1, *self.size)))
        graph += b"".join(_bytes(12, _value(name, shape)) for name, shape in outputs.items())
        return _number(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, _OPSET))


def _attribute(name: str, value: Any) -> bytes:
    head = _text(1, name)
    if isinstance(value, float):
        return head + b"\x15" + struct.pack("<f", value) + _number(20, _A_FLOAT)
    if isinstance(value, int):
        return head + _number(3, value) + _number(20, _AN_INT)
    return head + b"".join(_number(8, number) for number in value) + _number(20, _INTS)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, dim)) for dim in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _FLOAT) + _bytes(2, dims)))


def _text(tag: int, text: str) -> bytes:
    return _bytes(tag, text.encode())


def _bytes(tag: int, body: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(body)) + body


def _number(tag: int, number: int) -> bytes:
    return _varint(tag << 3) + _varint(number & 0xFFFFFFFFFFFFFFFF)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
