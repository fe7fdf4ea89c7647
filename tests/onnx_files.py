"""Writes tiny ONNX networks byte by byte, so that tests need no library that makes them."""

from pathlib import Path

import numpy as np

_FLOAT, _INTS = 1, 7  # TensorProto.FLOAT, AttributeProto.INTS


def write_network(
    path: Path, *, side: int = 8, outputs: tuple[str, ...] = ("mean", "peak"), operator: str = "GlobalAveragePool"
) -> Path:
    """Write a network that takes (1, 3, side, side): a 1×1 convolution, then one output (1, 3, 1, 1) per name.

    The first output is `operator` of the convolved blob, the second its maximum.
    """
    weights = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [1, -1, 0.5]], np.float32).reshape(3, 3, 1, 1)
    nodes = [_node("Conv", ["blob", "weights"], "mixed"), _node(operator, ["mixed"], outputs[0])]
    if len(outputs) > 1:
        nodes.append(_node("GlobalMaxPool", ["mixed"], outputs[1]))
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"tiny") + _field(5, _tensor("weights", weights))
    graph += _field(11, _value("blob", (1, 3, side, side))) + b"".join(
        _field(12, _value(name, (1, 3, 1, 1))) for name in outputs
    )
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 13)))
    return path


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _node(operator: str, inputs: list[str], output: str) -> bytes:
    named = _field(3, f"{operator}_{output}".encode()) + _field(4, operator.encode())
    kernel = _field(1, b"kernel_shape") + _field(8, b"\x01\x01") + _number(20, _INTS)
    attributes = _field(5, kernel) if operator == "Conv" else b""
    return b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode()) + named + attributes


def _tensor(name: str, values: np.ndarray) -> bytes:
    dimensions = _field(1, b"".join(_varint(size) for size in values.shape))
    return dimensions + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, values.astype("<f4").tobytes())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_field(1, _number(1, size)) for size in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, dimensions)))
