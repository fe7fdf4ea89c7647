"""Finds faces and their landmarks with YuNet, decoded from its own outputs, on the best device there is."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, Point, PrepareContext, Shape, ShapeKind, Summary

LABEL: Final = "face"
STRIDES: Final = (8, 16, 32)
LANDMARKS: Final = ("right eye", "left eye", "nose", "right corner of the mouth", "left corner of the mouth")
_KINDS: Final = {"cls": 1, "obj": 1, "bbox": 4, "kps": 2 * len(LANDMARKS)}  # outputs, and how many numbers a cell has in each
_LARGEST_EXPONENT: Final = 20.0  # e to this is beyond any picture
Floats = NDArray[np.float32]


class Faces(NamedTuple):
    """Faces, surest first: (n, 4) as left, top, width, height; (n, 5, 2) landmarks; both in pixels of the input."""

    boxes: Floats
    landmarks: Floats
    confidences: Floats


class FacesYunet:
    """The plugin. It keeps nothing from one frame to the next."""

    def prepare(self, context: PrepareContext) -> None:
        """Read the options and attach the model."""
        options = context.options
        self._size = int(options["width"]), int(options["height"])
        if self._size[0] % STRIDES[-1] or self._size[1] % STRIDES[-1]:
            raise ValueError(f"The input is {self._size[0]} × {self._size[1]}, expected multiples of {STRIDES[-1]}.")
        self._least, self._overlap = float(options["confidence"]), float(options["overlap"])
        self._landmarks = bool(options["landmarks"])
        sample, _ = self._blob(_test_picture())
        self._net = context.attach(Path(options["model"]), sample=sample)
        decode(self._net.forward(sample), self._size, self._least)

    def process_frame(self, frame: Frame) -> Detections:
        """Give the faces in the frame, surest first."""
        blob, scale = self._blob(frame.pixels)
        faces = sifted(decode(self._net.forward(blob), self._size, self._least), self._overlap)
        width, height = frame.size
        found, shapes = [], []
        for box, points, sure in zip(faces.boxes / scale, faces.landmarks / scale[:2], faces.confidences, strict=True):
            left, top, wide, high = (float(value) for value in box)
            place = Box.from_pixels(left, top, wide, high, frame.size)
            if place.w == 0 or place.h == 0:
                continue  # it lies in the letterbox
            found.append(Detection(LABEL, round(float(sure), 4), place))
            shapes += [
                _point(float(x) / width, float(y) / height, name) for (x, y), name in zip(points, LANDMARKS, strict=True)
            ]
        return Detections(tuple(found), shapes=tuple(shapes) if self._landmarks else ())

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: on how many frames there was a face, the most on one, their mean."""
        counts = [len(row.output.detections) for row in outputs if isinstance(row.output, Detections)]
        return {
            "frames": len(counts),
            "frames_with_faces": sum(1 for count in counts if count),
            "faces_max": max(counts, default=0),
            "faces_mean": round(sum(counts) / len(counts), 3) if counts else 0.0,
        }

    def _blob(self, pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Turn BGR pixels into the input, black to the right and below; also the scale, as x, y, x, y."""
        height, width = pixels.shape[:2]
        wide, high = self._size
        scale = min(wide / width, high / height)
        inner = max(1, min(wide, round(width * scale))), max(1, min(high, round(height * scale)))
        canvas = np.zeros((high, wide, 3), np.uint8)
        canvas[: inner[1], : inner[0]] = (
            pixels if inner == (width, height) else cv2.resize(pixels, inner, interpolation=cv2.INTER_LINEAR)
        )
        across, down = inner[0] / width, inner[1] / height
        return cv2.dnn.blobFromImage(canvas), np.array([across, down, across, down], np.float32)


def decode(outputs: Mapping[str, NDArray[Any]], size: tuple[int, int], least: float) -> Faces:
    """Read YuNet's twelve outputs (cls, obj, bbox, kps for each stride) as cv2.FaceDetectorYN does; (n, …) of all candidates.

    A face's confidence is the root of class times objectness; its centre and landmarks lie relative to its cell, its size is an
    exponent, all in strides. Raises ValueError where an output is missing or has another number of cells.
    """
    boxes, landmarks, confidences = [], [], []
    for stride in STRIDES:
        wide, high = size[0] // stride, size[1] // stride
        sure, objectness, box, points = (
            _output(outputs, f"{kind}_{stride}", wide * high, width) for kind, width in _KINDS.items()
        )
        scores = np.sqrt(np.clip(sure, 0, 1) * np.clip(objectness, 0, 1)).reshape(-1)
        kept = np.flatnonzero(scores >= least)
        cells = np.stack([kept % wide, kept // wide], axis=1)
        sizes = np.exp(np.minimum(box[kept, 2:], _LARGEST_EXPONENT)) * stride
        boxes.append(np.concatenate([(cells + box[kept, :2]) * stride - sizes / 2, sizes], axis=1))
        landmarks.append((points[kept].reshape(-1, len(LANDMARKS), 2) + cells[:, None]) * stride)
        confidences.append(scores[kept])
    return Faces(*(np.concatenate(parts).astype(np.float32) for parts in (boxes, landmarks, confidences)))


def sifted(faces: Faces, overlap: float) -> Faces:
    """Of boxes that overlap, keep the surest; those kept come surest first."""
    order = np.argsort(-faces.confidences, kind="stable")
    if order.size:
        kept = cv2.dnn.NMSBoxes(faces.boxes[order].tolist(), faces.confidences[order].tolist(), 0.0, overlap)
        order = order[np.sort(np.asarray(kept, np.intp).reshape(-1))]
    return Faces(faces.boxes[order], faces.landmarks[order], faces.confidences[order])


def _output(outputs: Mapping[str, NDArray[Any]], name: str, cells: int, width: int) -> Floats:
    table = outputs.get(name)
    if table is None:
        raise ValueError(f"A YuNet gives {name}; the model gives {', '.join(sorted(outputs))}.")
    if table.size != cells * width:
        shape = " × ".join(map(str, table.shape))
        raise ValueError(f"{name} should hold {cells} × {width} numbers for this input, but is {shape}.")
    return np.asarray(table, np.float32).reshape(cells, width)


def _point(x: float, y: float, name: str) -> Shape:
    return Shape(ShapeKind.POINT, (Point(round(min(max(x, 0.0), 1.0), 6), round(min(max(y, 0.0), 1.0), 6)),), name)


def _test_picture() -> NDArray[np.uint8]:
    """Draw something to warm up on that is neither empty nor noise: shades, and a round thing with two dark spots."""
    rows, columns = np.mgrid[0:240, 0:240]
    picture = np.stack([columns // 2, rows // 2, (rows + columns) // 3], axis=2).astype(np.uint8)
    cv2.ellipse(picture, (120, 120), (60, 80), 0, 0, 360, (140, 170, 210), -1)
    cv2.circle(picture, (95, 100), 9, (40, 40, 50), -1)
    cv2.circle(picture, (145, 100), 9, (40, 40, 50), -1)
    return picture
