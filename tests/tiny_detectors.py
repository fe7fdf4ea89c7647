"""Tiny ONNX detectors in each layout: a cell filled with red or green is a thing as large as the cell."""

from typing import Final

import numpy as np

from tests.tiny_onnx import TinyModel

SIDE: Final = 64  # pixels of the input, both ways
STRIDES: Final = (8, 16, 32)
CELLS: Final = {stride: (SIDE // stride) ** 2 for stride in STRIDES}


def colour_scores(model: TinyModel, stride: int) -> str:
    """Give red and green logits for each cell: high where the cell is filled with that colour, a little more in large ones."""
    mean = 0.025 * np.ones((stride, stride)) / stride**2
    red, green = np.stack([-mean, -mean, mean]), np.stack([-mean, mean, -mean])
    bias = -2.0 if stride == STRIDES[0] else -1.0
    return model.conv("input", np.stack([red, green]), [bias, bias], stride)


def constant_map(model: TinyModel, source: str, values: list[float]) -> str:
    """Give a map with the same numbers in every cell of `source`."""
    return model.conv(source, np.zeros((len(values), 2, 1, 1)), values)


def rows_of(model: TinyModel, grid: str, channels: int, stride: int) -> str:
    """Turn 1 × channels × rows × columns into 1 × cells × channels."""
    return model.add("Transpose", model.reshaped(grid, [1, channels, CELLS[stride]]), perm=[0, 2, 1])


def centres_and_sizes(stride: int) -> np.ndarray:
    """Give each cell as a box, in pixels of the input: (1, cells, 4)."""
    count = SIDE // stride
    rows, columns = np.mgrid[0:count, 0:count]
    boxes = [
        (columns.ravel() + 0.5) * stride,
        (rows.ravel() + 0.5) * stride,
        np.full(count**2, stride),
        np.full(count**2, stride),
    ]
    return np.stack(boxes, axis=1)[None].astype(float)


def tiny_yolox() -> bytes:
    model = TinyModel((3, SIDE, SIDE))
    levels = []
    for stride in STRIDES:
        scores = colour_scores(model, stride)
        boxes, sure = constant_map(model, scores, [0.5, 0.5, 0.0, 0.0]), constant_map(model, scores, [0.98])
        grid = model.add("Concat", boxes, sure, model.add("Sigmoid", scores), axis=1)
        levels.append(rows_of(model, grid, 7, stride))
    model.add("Concat", *levels, axis=1, output="output")
    return model.written({"output": (1, sum(CELLS.values()), 7)})


def tiny_flat(*, objectness: bool, turned: bool) -> bytes:
    """YOLOv5 with objectness, YOLOv8 without it and turned around."""
    model = TinyModel((3, SIDE, SIDE))
    levels = []
    for stride in STRIDES:
        scores = colour_scores(model, stride)
        parts = [model.add("Sigmoid", scores)]
        if objectness:
            parts.insert(0, constant_map(model, scores, [0.98]))
        rows = rows_of(model, model.add("Concat", *parts, axis=1), 3 if objectness else 2, stride)
        zeros = rows_of(model, constant_map(model, scores, [0.0] * 4), 4, stride)
        boxes = model.add("Add", zeros, model.constant(centres_and_sizes(stride)))
        levels.append(model.add("Concat", boxes, rows, axis=2))
    rows, count, channels = model.add("Concat", *levels, axis=1), sum(CELLS.values()), 7 if objectness else 6
    model.add("Transpose", rows, perm=[0, 2, 1] if turned else [0, 1, 2], output="output0")
    return model.written({"output0": (1, channels, count) if turned else (1, count, channels)})


def tiny_ssd() -> bytes:
    """Boxes as corners beside raw scores, the first of which is the background."""
    model = TinyModel((3, SIDE, SIDE))
    boxes, scores = [], []
    for stride in STRIDES:
        colours = colour_scores(model, stride)
        scores.append(rows_of(model, model.add("Concat", constant_map(model, colours, [0.0]), colours, axis=1), 3, stride))
        cells = centres_and_sizes(stride) / SIDE
        corners = np.concatenate([cells[..., :2] - cells[..., 2:] / 2, cells[..., :2] + cells[..., 2:] / 2], axis=2)
        zeros = rows_of(model, constant_map(model, colours, [0.0] * 4), 4, stride)
        boxes.append(model.add("Add", zeros, model.constant(corners)))
    model.add("Concat", *boxes, axis=1, output="boxes")
    model.add("Concat", *scores, axis=1, output="scores")
    return model.written({"boxes": (1, sum(CELLS.values()), 4), "scores": (1, sum(CELLS.values()), 3)})


def tiny_fastestdet(stride: int = 8) -> bytes:
    model = TinyModel((3, SIDE, SIDE))
    scores = colour_scores(model, stride)
    share = stride / SIDE
    geometry = constant_map(model, scores, [np.arctanh(0.5), np.arctanh(0.5), *[float(np.log(share / (1 - share)))] * 2])
    model.add("Concat", constant_map(model, scores, [0.98]), geometry, model.add("Sigmoid", scores), axis=1, output="758")
    return model.written({"758": (1, 7, SIDE // stride, SIDE // stride)})
