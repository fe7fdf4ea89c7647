"""Finds coloured circles, squares and triangles with a small network of this project's own, run through cv2.dnn."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, PrepareContext, Summary

COLOURS: Final = ("red", "green", "blue", "yellow")  # the order of the network's answers
KINDS: Final = ("circle", "square", "triangle")
LABELS: Final = tuple(f"{colour} {kind}" for colour in COLOURS for kind in KINDS)
INPUT: Final = (256, 144)  # width, height of the network's input, in pixels
STRIDE: Final = 8  # pixels of the input a cell of the answer stands for
UNIT: Final = 32.0  # pixels of the input a distance of 1.0 stands for
PAD: Final = 105  # grey beside a frame that is not 16:9: the background's own mean
SAME: Final = 0.7  # two boxes of one colour that overlap by more than this are one shape
MODEL: Final = "shapes.onnx"


class Hit(NamedTuple):
    """A shape found: which, how sure, and its left, top, right and bottom in pixels of the network's input."""

    label: int
    confidence: float
    sides: tuple[float, float, float, float]


class ShapesDnn:
    """The plugin. It keeps nothing from one frame to the next."""

    def prepare(self, context: PrepareContext) -> None:
        """Bind the network to a device, warm on an even grey picture with a red square in it."""
        self._least = float(context.options["min_confidence"])
        self._overlap = float(context.options["max_overlap"])
        self._net = context.attach(context.folder / MODEL, sample=blob_of(_specimen()))

    def process_frame(self, frame: Frame) -> Detections:
        """Give the shapes in the frame, surest first."""
        picture, size = fit(frame.pixels)
        upright = is_upright(frame.pixels)
        found = []
        for hit in one_each(hits_of(self._net.forward(blob_of(picture)), self._least), self._overlap):
            left, top, right, bottom = hit.sides
            box = Box.from_pixels(left, top, right - left, bottom - top, size)
            box = raised(box) if upright else box
            if box.w > 0 and box.h > 0:
                found.append(Detection(LABELS[hit.label], round(hit.confidence, 4), box))
        return Detections(tuple(found))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: on how many frames each label was seen, and the most and the mean of shapes on a frame."""
        frames = [row.output.detections for row in outputs if isinstance(row.output, Detections)]
        seen = Counter(label for found in frames for label in {detection.label for detection in found})
        counts = [len(found) for found in frames]
        return {
            "frames": len(frames),
            "shapes_max": max(counts, default=0),
            "shapes_mean": round(sum(counts) / len(counts), 3) if counts else 0.0,
            "frames_by_label": {label: seen[label] for label in LABELS if seen[label]},
        }


def fit(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Bring a picture (height, width, 3) to the network's input (144, 256, 3): scaled into its top left corner, the rest grey.

    A picture that is higher than wide is laid on its left side first: so it fills a wide input, and a shape is the same
    shape however it is turned. Gives the width and height the picture has there, in pixels.
    """
    height, width = pixels.shape[:2]
    upright = is_upright(pixels)
    wide, high = (height, width) if upright else (width, height)
    scale = min(INPUT[0] / wide, INPUT[1] / high)
    size = min(INPUT[0], max(1, round(wide * scale))), min(INPUT[1], max(1, round(high * scale)))
    wanted = size[::-1] if upright else size
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = pixels if wanted == (width, height) else cv2.resize(pixels, wanted, interpolation=way)
    if upright:
        small = cv2.rotate(small, cv2.ROTATE_90_COUNTERCLOCKWISE)
    if size == INPUT:
        return small, size
    out = np.full((INPUT[1], INPUT[0], 3), PAD, np.uint8)
    out[: size[1], : size[0]] = small
    return out, size


def is_upright(pixels: NDArray[np.uint8]) -> bool:
    """Say whether a picture (height, width, 3) is higher than wide."""
    return bool(pixels.shape[0] > pixels.shape[1])


def raised(box: Box) -> Box:
    """Turn a box in a picture that `fit` laid on its side back to where it is in the upright one."""
    return Box(round(max(0.0, 1 - box.y - box.h), 6), box.x, box.h, box.w)


def blob_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the network's input (1, 3, 144, 256), float32, BGR from 0 to 1."""
    return cv2.dnn.blobFromImage(picture, 1 / 255)  # type: ignore[no-any-return]  # cv2 has no types


def hits_of(answer: Mapping[str, NDArray[np.float32]], least: float) -> list[Hit]:
    """Read the network's answer: heat (4, 3, 18, 32) from 0 to 1 and box (4, 12, 18, 32), surest first."""
    rows, columns = INPUT[1] // STRIDE, INPUT[0] // STRIDE
    heat = np.asarray(answer["heat"]).reshape(len(LABELS), rows, columns)
    box = np.asarray(answer["box"]).reshape(len(LABELS), 4, rows, columns)
    hits = []
    for label, row, column in zip(*np.nonzero(heat >= least), strict=True):
        around = heat[label, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        if heat[label, row, column] < around.max():
            continue  # the cell beside it is surer of the same shape
        left, top, right, bottom = (float(side) * UNIT for side in box[label, :, row, column])
        x, y = (float(column) + 0.5) * STRIDE, (float(row) + 0.5) * STRIDE
        hits.append(Hit(int(label), float(heat[label, row, column]), (x - left, y - top, x + right, y + bottom)))
    return sorted(hits, key=lambda hit: (-hit.confidence, hit.label, hit.sides))


def one_each(hits: list[Hit], most: float) -> list[Hit]:
    """Keep the surest of the hits of one label whose boxes overlap by more than `most` (intersection over union).

    Hits of one colour with nearly the same box are one shape too, of which the network is unsure what kind it is.
    """
    kept = _surest(hits, [hit.label for hit in hits], most)
    return _surest(kept, [hit.label // len(KINDS) for hit in kept], max(most, SAME))


def _surest(hits: list[Hit], groups: list[int], most: float) -> list[Hit]:
    boxes = [
        (left, top, max(0.0, right - left), max(0.0, bottom - top)) for left, top, right, bottom in (h.sides for h in hits)
    ]
    kept = cv2.dnn.NMSBoxesBatched(boxes, [hit.confidence for hit in hits], groups, 0.0, most)
    return [hits[index] for index in sorted(kept)]


def _specimen() -> NDArray[np.uint8]:
    """Draw a picture with something to find in it, so that a device that reckons wrongly shows it."""
    picture = np.full((INPUT[1], INPUT[0], 3), PAD, np.uint8)
    cv2.circle(picture, (60, 60), 18, (40, 40, 220), -1)
    cv2.rectangle(picture, (120, 70), (150, 100), (225, 90, 30), -1)
    return picture
