"""Finds things with any ONNX detector whose outputs have one of the known layouts, on the best device there is."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, PrepareContext, Summary

from .labels import read_labels
from .layouts import Candidates, Reading
from .picture import InputForm, Placement, read_numbers

MOST_COMPARED: Final = 1000  # boxes compared with each other; the surest, where there are more


class OnnxDetector:
    """The plugin. It keeps nothing from one frame to the next."""

    def prepare(self, context: PrepareContext) -> None:
        """Read the options, attach the model, and make sure that what it gives has the layout and the labels."""
        options = context.options
        size = int(options["width"]), int(options["height"])
        self._form = InputForm(
            size, options["letterbox"], int(options["pad"]), options["channels"] == "rgb",
            read_numbers("mean", options["mean"]), read_numbers("std", options["std"]),
        )  # fmt: skip
        if 0 in self._form.std:
            raise ValueError("std holds a 0, which nothing can be divided by")
        self._labels = read_labels(options["labels"])
        self._wanted = self._chosen(options["classes"])
        self._overlap = float(options["overlap"])
        self._most = int(options["most"])
        self._reading = Reading(
            options["layout"], size, float(options["confidence"]), options["scores"], bool(options["background"])
        )
        sample, _ = self._form.blob(_test_picture())
        self._net = context.attach(Path(options["model"]), sample=sample)
        told = self._reading.candidates(self._net.forward(sample)).classes
        if told is not None and told != len(self._labels):
            raise ValueError(f"The model tells {told} classes apart, but labels names {len(self._labels)}.")

    def process_frame(self, frame: Frame) -> Detections:
        """Give what is found in the frame, surest first."""
        blob, placement = self._form.blob(frame.pixels)
        found = self._reading.candidates(self._net.forward(blob))
        return Detections(tuple(self._told(self._sifted(found), placement, frame)))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: the frames with anything on them, and for each label on how many frames it was and its most on one."""
        frames = busy = 0
        seen: Counter[str] = Counter()
        most: Counter[str] = Counter()
        for row in outputs:
            if not isinstance(row.output, Detections):
                continue
            counts = Counter(detection.label for detection in row.output.detections)
            frames, busy = frames + 1, busy + bool(counts)
            seen.update(counts.keys())
            most |= counts
        return {
            "frames": frames,
            "frames_with_detections": busy,
            "labels": {label: {"frames": seen[label], "most": most[label]} for label in sorted(seen)},
        }

    def _chosen(self, classes: tuple[str, ...]) -> NDArray[np.bool_]:
        """Say for each label whether it is asked for; all are where none is named."""
        strange = [name for name in classes if name not in self._labels]
        if strange:
            raise ValueError(f"classes names {', '.join(strange)}, which labels does not hold")
        return np.array([not classes or label in classes for label in self._labels])

    def _sifted(self, found: Candidates) -> Candidates:
        """Leave out what is not asked for, then of boxes of one class that overlap all but the surest."""
        boxes, ids, sure, classes = found
        known = (ids >= 0) & (ids < len(self._labels)) & np.isfinite(boxes).all(axis=1)
        known[known] = self._wanted[ids[known]]
        order = np.flatnonzero(known)
        order = order[np.argsort(-sure[order], kind="stable")][:MOST_COMPARED]
        if order.size:
            kept = cv2.dnn.NMSBoxesBatched(boxes[order].tolist(), sure[order].tolist(), ids[order].tolist(), 0.0, self._overlap)
            order = order[np.sort(np.asarray(kept, np.intp).reshape(-1))][: self._most]
        return Candidates(boxes[order], ids[order], sure[order], classes)

    def _told(self, found: Candidates, placement: Placement, frame: Frame) -> Iterator[Detection]:
        """Turn boxes on the input into boxes on the frame; those that lie wholly in the letterbox are none."""
        for (left, top, wide, high), number, sure in zip(found.boxes, found.class_ids, found.confidences, strict=True):
            x, y = (left - placement.left) / placement.scale_x, (top - placement.top) / placement.scale_y
            box = Box.from_pixels(
                float(x), float(y), float(wide / placement.scale_x), float(high / placement.scale_y), frame.size
            )
            if box.w > 0 and box.h > 0:
                yield Detection(self._labels[number], round(float(sure), 4), box)


def _test_picture() -> NDArray[np.uint8]:
    """Draw something to warm up on that is neither empty nor noise: shades, with three blocks on them."""
    rows, columns = np.mgrid[0:240, 0:320]
    picture = np.stack([columns * 255 // 320, rows * 255 // 240, (rows + columns) * 255 // 560], axis=2).astype(np.uint8)
    picture[60:180, 40:90] = (30, 40, 60)
    picture[100:200, 140:240] = (200, 180, 40)
    picture[20:80, 250:300] = (60, 60, 220)
    return picture
