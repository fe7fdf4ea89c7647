"""Boxes what moves, with OpenCV's MOG2 background subtraction (Zivkovic, 2004)."""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, PrepareContext, Size, Summary

LABEL: Final = "motion"
MOVING: Final = 255  # MOG2 marks shadows 127
SPECK: Final = (3, 3)  # pixels; smaller specks are noise
GAP: Final = 0.01  # of the frame's width; narrower gaps lie within one thing


class MotionMog2:
    """The plugin. Its background model grows with every frame, so it must see them all in order."""

    def prepare(self, context: PrepareContext) -> None:
        """Begin with an empty background."""
        options = context.options
        self._min_area = float(options["min_area"])
        self._max_boxes = int(options["max_boxes"])
        self._rate = 1.0 / int(options["history"])  # MOG2's own rate begins so high that slow things become background
        self._model = cv2.createBackgroundSubtractorMOG2(
            history=int(options["history"]),
            varThreshold=float(options["variance_threshold"]),
            detectShadows=bool(options["shadows"]),
        )
        self._started = False
        self._speck = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, SPECK)

    def process_frame(self, frame: Frame) -> Detections:
        """Give a box for each thing that moves, largest first; confidence is how much of the box moves."""
        mask = self._model.apply(frame.pixels, learningRate=self._rate)
        if not self._started:
            self._started = True
            return Detections(())  # with nothing to compare with, MOG2 takes the whole first frame for moving
        return Detections(self._boxes(mask, frame.size))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: on how many frames something moved, the most boxes on a frame, and their mean."""
        counts = [len(row.output.detections) for row in outputs if isinstance(row.output, Detections)]
        return {
            "frames": len(counts),
            "frames_with_motion": sum(1 for count in counts if count),
            "boxes_max": max(counts, default=0),
            "boxes_mean": round(sum(counts) / len(counts), 3) if counts else 0.0,
        }

    def _boxes(self, mask: NDArray[np.uint8], size: Size) -> tuple[Detection, ...]:
        """Turn a mask into boxes: specks away, gaps closed, one box to each connected region."""
        moving = (mask == MOVING).astype(np.uint8)
        clean = cv2.morphologyEx(moving, cv2.MORPH_OPEN, self._speck)
        gap = max(3, round(GAP * size.width) | 1)  # odd, so that it has a middle
        clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap)))
        _, _, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=8)
        least = self._min_area * size.width * size.height
        regions = [tuple(int(value) for value in row) for row in stats[1:]]  # row 0 is the background
        wanted = sorted((r for r in regions if r[2] * r[3] >= least), key=lambda r: (-r[2] * r[3], r))
        return tuple(
            Detection(LABEL, round(area / (w * h), 4), Box.from_pixels(x, y, w, h, size))
            for x, y, w, h, area in wanted[: self._max_boxes]
        )
