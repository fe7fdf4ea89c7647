"""Tells cuts from one shot to the next by how the colours of the picture's parts change (after Nagasaka and Tanaka, 1991)."""

from collections import deque
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Classification, ClassScore, Frame, FrameOutput, PrepareContext, Summary

LABEL: Final = "cut"
PARTS: Final = 4  # the picture is cut into 4 by 4 parts
SIDE: Final = 24  # pixels of each part's side, after scaling
STEPS: Final = 8  # of brightness, for each channel
KEPT: Final = 8  # of the 16 parts, those that changed least count: what moves through the picture fills the others
MEMORY: Final = 8  # frames before, to compare a change with
TOLD: Final = 500  # cuts that a summary holds
_ROWS, _COLUMNS = np.mgrid[0 : PARTS * SIDE, 0 : PARTS * SIDE] // SIDE
_PLACES: Final = ((_ROWS * PARTS + _COLUMNS)[..., None] * 3 + np.arange(3)) * (STEPS + 1)  # where each pixel's counts begin


class SceneChanges:
    """The plugin. It compares each frame with the one before, and how much changes with the frames before that."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options; no frame was seen yet."""
        options = context.options
        self._threshold, self._ratio = float(options["threshold"]), float(options["ratio"])
        self._shortest = int(options["shortest"])
        self._before: NDArray[np.float64] | None = None
        self._changes: deque[float] = deque(maxlen=MEMORY)
        self._began = 0  # the frame the scene began on

    def process_frame(self, frame: Frame) -> Classification:
        """Give `cut` on the first frame of a new shot, its confidence the part of the picture's colours that changed."""
        now = histograms(frame.pixels)
        before, self._before = self._before, now
        if before is None:
            self._began = frame.index
            return Classification(())
        change = difference(before, now)
        usual = sum(self._changes) / len(self._changes) if self._changes else 0.0
        self._changes.append(change)
        if change < self._threshold or change < self._ratio * usual or frame.index - self._began < self._shortest:
            return Classification(())
        self._began = frame.index
        return Classification((ClassScore(LABEL, round(min(1.0, change), 4)),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: the number of scenes, the frames they begin on, and how long they are."""
        begins: list[int] = []
        frames, last = 0, 0
        for row in outputs:
            if not frames or (isinstance(row.output, Classification) and row.output.classes):
                begins.append(row.frame_index)
            frames, last = frames + 1, row.frame_index
        ends = [*begins[1:], last + 1][: len(begins)]  # nothing at all has no end
        lengths = [end - start for start, end in zip(begins, ends, strict=True)]
        return {
            "frames": frames,
            "scenes": len(begins),
            "cuts": begins[1 : TOLD + 1],
            "shortest_scene_frames": min(lengths, default=0),
            "longest_scene_frames": max(lengths, default=0),
        }


def histograms(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give how bright each channel is in each of 16 parts of a picture: shape (16, 3, 9), each row of 9 adding up to 1.

    A pixel counts for the two steps of brightness it lies between, the nearer one more: so that a picture that brightens by a
    little does not jump from one step to the next.
    """
    side = PARTS * SIDE
    small = np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.float64) / (256 / STEPS)
    low = small.astype(np.intp)
    above, place = (small - low).ravel(), (_PLACES + low).ravel()
    length = PARTS**2 * 3 * (STEPS + 1)
    counts = np.bincount(place, 1 - above, length) + np.bincount(place + 1, above, length)
    return counts.reshape(PARTS**2, 3, STEPS + 1) / SIDE**2


def difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give how much the colours differ, 0 to 1: the mean over the half of the parts that differ least."""
    by_part = np.abs(one - other).sum(-1).mean(-1) / 2
    return float(np.sort(by_part)[:KEPT].mean())
