"""Writes the trained network of shapes_dnn as ONNX, node by node, so that the file's bytes depend on its weights alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from .plugin import COLOURS, INPUT, KINDS, STRIDE

OPSET, IR = 13, 8
BITS: Final = 12  # of each weight's mantissa that are kept


class _Graph:
    """A chain of nodes with their weights; each `add` takes the last value where it is told no other."""

    def __init__(self, value: str) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.value = value

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs) or [self.value], [name], name=name, **attributes))
        self.value = name
        return name

    def conv(self, name: str, weight: NDArray[Any], bias: NDArray[Any], stride: int = 1, dilation: int = 1) -> str:
        """Add a convolution with weight (outputs, inputs, side, side) that keeps the middle of its kernel on the cell."""
        side = weight.shape[-1]
        self.weights.append(numpy_helper.from_array(rounded(weight), f"{name}.weight"))
        self.weights.append(numpy_helper.from_array(rounded(bias), f"{name}.bias"))
        return self.add(
            "Conv", name, self.value, f"{name}.weight", f"{name}.bias", kernel_shape=[side] * 2, strides=[stride] * 2,
            dilations=[dilation] * 2, pads=[side // 2 * dilation] * 4,
        )  # fmt: skip


def write_model(path: Path, colour_net: Any, shape_net: Any, dilations: Sequence[int]) -> None:
    """Write both stages as one ONNX file: `picture` (1, 3, 144, 256) → `heat` (4, 3, 18, 32) and `box` (4, 12, 18, 32)."""
    graph = _Graph("picture")
    _add_colours(graph, colour_net)
    for number, layer in enumerate(shape_net[:3]):
        graph.conv(f"down{number}", *_folded(layer), stride=2)
        graph.add("Relu", f"down{number}.relu")
    for number, (layer, dilation) in enumerate(zip(shape_net[3:-1], dilations, strict=True)):
        before = graph.value
        graph.conv(f"trunk{number}", *_folded(layer), dilation=dilation)
        graph.add("Add", f"trunk{number}.sum", before, graph.add("Relu", f"trunk{number}.relu"))
    trunk, kinds, head = graph.value, len(KINDS), shape_net[-1]
    weight, bias = _array(head.weight), _array(head.bias)
    graph.conv("heat.logit", weight[:kinds], bias[:kinds])
    graph.add("Sigmoid", "heat")
    graph.value = trunk
    graph.conv("box", weight[kinds:], bias[kinds:])
    path.write_bytes(_model(graph).SerializeToString(deterministic=True))


def rounded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Round to BITS bits of mantissa."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(mantissa * 2**BITS) / 2**BITS, exponent), np.float32)


def _add_colours(graph: _Graph, net: Any) -> None:
    """Add the first stage, then each mask beside the sum of all, then one picture to a colour."""
    count = len(COLOURS)
    for name, layer, end in (("colour0", net[0], "Relu"), ("colour1", net[2], "Sigmoid")):
        graph.conv(name, _array(layer.weight)[:, :, None, None], _array(layer.bias))
        graph.add(end, f"{name}.{end.lower()}")
    mix = np.stack([np.eye(count), np.ones((count, count))], 1).reshape(2 * count, count, 1, 1)
    graph.conv("beside", mix, np.zeros(2 * count))
    graph.weights.append(numpy_helper.from_array(np.array([count, 2, INPUT[1], INPUT[0]], np.int64), "apart.shape"))
    graph.add("Reshape", "apart", graph.value, "apart.shape")


def _folded(layer: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fold a layer's batch normalisation into its convolution: weight and bias."""
    conv, norm = layer[0], layer[1]
    scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    return _array(conv.weight) * scale[:, None, None, None], _array(norm.bias) - _array(norm.running_mean) * scale


def _array(tensor: Any) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().numpy(), np.float64)


def _model(graph: _Graph) -> Any:
    grid = [INPUT[1] // STRIDE, INPUT[0] // STRIDE]
    shapes = {"heat": [len(COLOURS), len(KINDS), *grid], "box": [len(COLOURS), 4 * len(KINDS), *grid]}
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, INPUT[1], INPUT[0]])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    whole = helper.make_graph(graph.nodes, "shapes", [picture], outputs, graph.weights)
    model = helper.make_model(
        whole, ir_version=IR, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="sightline shapes_dnn"
    )
    checker.check_model(model)
    return model
