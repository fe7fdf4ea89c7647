"""What detectors give, read into boxes: YOLOX, YOLOv5, YOLOv8, SSD and FastestDet, each as its authors lay it out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Outputs = Mapping[str, NDArray[Any]]
_STRIDES: Final = (8, 16, 32)
_LARGEST_EXPONENT: Final = 20.0  # e to this is beyond any picture


class Candidates(NamedTuple):
    """Boxes that may be something: (n, 4) as left, top, width, height in pixels of the input; class and confidence of each.

    `classes` is how many classes the network tells apart, None where its output does not show it.
    """

    boxes: Floats
    class_ids: NDArray[np.intp]
    confidences: Floats
    classes: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How outputs are read: the input's `size` (width, height), the least confidence, and what was left to the reader.

    `activation` (`none`, `sigmoid`, `softmax`) is applied to scores that the network gives raw; with `background`, class 0
    of an SSD is nothing.
    """

    layout: str
    size: tuple[int, int]
    least: float
    activation: str
    background: bool

    def candidates(self, outputs: Outputs) -> Candidates:
        """Read the network's outputs by name; raise ValueError where they do not have the layout."""
        return LAYOUTS[self.layout](self, outputs)

    def activated(self, scores: Floats) -> Floats:
        """Turn raw scores into confidences, along the last axis."""
        if self.activation == "sigmoid":
            return _sigmoid(scores)
        if self.activation == "softmax":
            raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
            return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)
        return scores


def _yolox(reading: Reading, outputs: Outputs) -> Candidates:
    """1 × cells × (4 + 1 + classes), boxes still relative to their cell: centre + offset and e^size, times the stride."""
    rows, kept, confidences, ids = _with_objectness(reading, outputs, "yolox")
    cells = _cells(reading.size)
    if len(cells) != len(_only(outputs, "yolox")[0]):
        raise _wrong("yolox", f"1 × {len(cells)} × (5 + classes) for an input of {_by(reading.size)}", outputs)
    own = cells[kept]
    centres = (rows[:, :2] + own[:, :2]) * own[:, 2:]
    sizes = np.exp(np.minimum(rows[:, 2:4], _LARGEST_EXPONENT)) * own[:, 2:]
    return Candidates(_from_centres(centres, sizes), ids, confidences, _only(outputs, "yolox").shape[2] - 5)


def _yolov5(reading: Reading, outputs: Outputs) -> Candidates:
    """1 × cells × (4 + 1 + classes), boxes as centre and size in pixels of the input."""
    rows, _, confidences, ids = _with_objectness(reading, outputs, "yolov5")
    return Candidates(_from_centres(rows[:, :2], rows[:, 2:4]), ids, confidences, _only(outputs, "yolov5").shape[2] - 5)


def _yolov8(reading: Reading, outputs: Outputs) -> Candidates:
    """1 × (4 + classes) × cells, or turned around; boxes as centre and size in pixels of the input; no objectness."""
    table = _only(outputs, "yolov8")[0]
    rows = table.T if table.shape[0] < table.shape[1] else table
    if rows.shape[1] < 5:
        raise _wrong("yolov8", "1 × (4 + classes) × cells", outputs)
    confidences, ids = _best(reading.activated(rows[:, 4:]))
    kept = np.flatnonzero(confidences >= reading.least)
    boxes = _from_centres(rows[kept, :2], rows[kept, 2:4])
    return Candidates(boxes, ids[kept], confidences[kept], rows.shape[1] - 4)


def _fastestdet(reading: Reading, outputs: Outputs) -> Candidates:
    """1 × (1 + 4 + classes) × rows × columns: objectness, tanh of the offset, sigmoid of the size as fractions of the input.

    The network applies sigmoid and softmax to its scores itself, as FastestDet's own `handle_preds` expects.
    """
    (table,) = outputs.values() if len(outputs) == 1 else (np.empty(0),)
    if table.ndim != 4 or table.shape[1] < 6:
        raise _wrong("fastestdet", "one output of 1 × (5 + classes) × rows × columns", outputs)
    _, channels, high, wide = table.shape
    rows = np.asarray(table[0].reshape(channels, -1).T, np.float32)
    scores, ids = _best(rows[:, 5:])
    confidences = rows[:, 0] * scores
    kept = np.flatnonzero(confidences >= reading.least)
    cell = np.stack([kept % wide, kept // wide], axis=1)
    size = np.array(reading.size, np.float32)
    centres = (cell + np.tanh(rows[kept, 1:3])) / np.array([wide, high]) * size
    boxes = _from_centres(np.asarray(centres, np.float32), _sigmoid(rows[kept, 3:5]) * size)
    return Candidates(boxes, ids[kept], np.asarray(confidences[kept], np.float32), channels - 5)


def _ssd(reading: Reading, outputs: Outputs) -> Candidates:
    """Rows of 7 (image, class, confidence, corners), or boxes 1 × n × 4 beside scores 1 × n × classes.

    Corners are fractions of the input.
    """
    shift = 1 if reading.background else 0
    tables = [np.asarray(table, np.float32).reshape(-1, table.shape[-1]) for table in outputs.values() if table.ndim >= 2]
    if len(tables) == 1 and tables[0].shape[1] == 7:
        rows = tables[0][tables[0][:, 2] >= max(reading.least, 1e-6)]
        ids = rows[:, 1].astype(np.intp) - shift
        return Candidates(_from_corners(rows[:, 3:], reading.size), ids, rows[:, 2], None)
    boxes = [table for table in tables if table.shape[1] == 4]
    scores = [table for table in tables if table.shape[1] != 4]
    if len(boxes) != 1 or len(scores) != 1 or len(boxes[0]) != len(scores[0]) or scores[0].shape[1] <= shift:
        raise _wrong("ssd", "rows of 7, or boxes 1 × n × 4 beside scores 1 × n × classes", outputs)
    confidences, ids = _best(reading.activated(scores[0])[:, shift:])
    kept = np.flatnonzero(confidences >= reading.least)
    return Candidates(_from_corners(boxes[0][kept], reading.size), ids[kept], confidences[kept], scores[0].shape[1] - shift)


LAYOUTS: Final[Mapping[str, Callable[[Reading, Outputs], Candidates]]] = {
    "yolox": _yolox,
    "yolov5": _yolov5,
    "yolov8": _yolov8,
    "ssd": _ssd,
    "fastestdet": _fastestdet,
}


def _with_objectness(
    reading: Reading, outputs: Outputs, layout: str
) -> tuple[Floats, NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Give the rows that may reach the least confidence, their numbers, their confidences and their classes."""
    table = _only(outputs, layout)[0]
    if table.shape[1] < 6:
        raise _wrong(layout, "1 × cells × (5 + classes)", outputs)
    sure = _sigmoid(table[:, 4]) if reading.activation == "sigmoid" else table[:, 4]
    likely = np.flatnonzero(sure >= reading.least)  # the class can only take away from it
    scores, ids = _best(reading.activated(table[likely, 5:]))
    confidences = sure[likely] * scores
    enough = np.flatnonzero(confidences >= reading.least)
    kept = likely[enough]
    return table[kept], kept, np.asarray(confidences[enough], np.float32), ids[enough]


def _only(outputs: Outputs, layout: str) -> Floats:
    """Give the one output of three axes; networks that also give their inner tables have them in more axes."""
    tables = [table for table in outputs.values() if table.ndim == 3 and table.shape[0] == 1]
    if len(tables) != 1:
        raise _wrong(layout, "one output of three axes", outputs)
    return np.asarray(tables[0], np.float32)


@lru_cache(maxsize=8)
def _cells(size: tuple[int, int]) -> Floats:
    """Give column, row and stride of every cell of an input, stride after stride, row by row."""
    parts = []
    for stride in _STRIDES:
        wide, high = size[0] // stride, size[1] // stride
        rows, columns = np.mgrid[0:high, 0:wide]
        parts.append(np.stack([columns.ravel(), rows.ravel(), np.full(wide * high, stride)], axis=1))
    return np.concatenate(parts).astype(np.float32)


def _best(scores: Floats) -> tuple[Floats, NDArray[np.intp]]:
    ids = scores.argmax(axis=1) if scores.size else np.zeros(len(scores), np.intp)
    return scores[np.arange(len(scores)), ids], ids


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)  # the logistic function, without its overflow


def _from_centres(centres: Floats, sizes: Floats) -> Floats:
    return np.concatenate([centres - sizes / 2, sizes], axis=1)


def _from_corners(corners: Floats, size: tuple[int, int]) -> Floats:
    scaled = corners * np.array([*size, *size], np.float32)
    return np.concatenate([scaled[:, :2], scaled[:, 2:] - scaled[:, :2]], axis=1)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _wrong(layout: str, wanted: str, outputs: Outputs) -> ValueError:
    given = ", ".join(f"{name} {' × '.join(map(str, table.shape))}" for name, table in sorted(outputs.items()))
    return ValueError(f"The layout {layout} wants {wanted}; the model gives {given}.")
