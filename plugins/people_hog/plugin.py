"""Finds people with OpenCV's HOG descriptor and its default people SVM (Dalal and Triggs, 2005)."""

from collections.abc import Iterator
from math import exp
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, PrepareContext, Summary

LABEL: Final = "person"
WINDOW: Final = (64, 128)  # pixels the SVM looks at
PERSON_IN_WINDOW: Final = 96  # of the window's 128 rows: the SVM was trained with a margin of 16 above and below
MARGIN: Final = (0.1, 0.07, 0.8, 0.8)  # the person within the window (x, y, w, h), as OpenCV's own sample cuts it
PADDING: Final = (16, 16)  # lets people at the border be found
MAX_SIZES: Final = 64
MOST_ENLARGED: Final = 2.0  # beyond this an enlarged frame shows the SVM nothing new
MOST_SHARED: Final = 0.4  # two boxes sharing more than this of the smaller one are one person


class Hit(NamedTuple):
    """A window the SVM takes for a person: its weight and place, in pixels of the working size."""

    weight: float
    x: float
    y: float
    w: float
    h: float


class PeopleHog:
    """The plugin. It keeps nothing from one frame to the next."""

    def prepare(self, context: PrepareContext) -> None:
        """Set up the descriptor from the options."""
        options = context.options
        self._smallest = float(options["smallest_person"])
        self._max_width = int(options["max_width"])
        self._step = float(options["scale_step"])
        self._stride = max(4, int(options["window_stride"]) // 4 * 4)
        self._threshold = float(options["hit_threshold"])
        self._least = float(options["min_confidence"])
        self._hog = _descriptor()

    def process_frame(self, frame: Frame) -> Detections:
        """Give the people in the frame, surest first."""
        width, height = frame.size
        scale = min(PERSON_IN_WINDOW / (self._smallest * height), self._max_width / width, MOST_ENLARGED)
        working = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = frame.pixels if working == (width, height) else _resized(frame.pixels, working)
        found = []
        for hit in strongest(self._hits(picture)):
            confidence = confidence_of(hit.weight)
            if confidence >= self._least:
                found.append(Detection(LABEL, confidence, Box.from_pixels(hit.x, hit.y, hit.w, hit.h, working)))
        return Detections(tuple(found))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: the most people on a frame, their mean, and on how many frames there was anybody."""
        counts = [len(row.output.detections) for row in outputs if isinstance(row.output, Detections)]
        return {
            "frames": len(counts),
            "frames_with_people": sum(1 for count in counts if count),
            "people_max": max(counts, default=0),
            "people_mean": round(sum(counts) / len(counts), 3) if counts else 0.0,
        }

    def _hits(self, picture: NDArray[np.uint8]) -> list[Hit]:
        """Look for people at every size, smallest first.

        `detectMultiScale` hands its sizes to threads and takes hits in the order the threads deliver them, which its
        grouping depends on; one `detect` after the other gives the same hits whatever the number of threads.
        """
        height, width = picture.shape[:2]
        hits: list[Hit] = []
        scale = 1.0
        for _ in range(MAX_SIZES):
            size = (round(width / scale), round(height / scale))
            if size[0] < WINDOW[0] or size[1] < WINDOW[1]:
                break
            smaller = picture if size == (width, height) else _resized(picture, size)
            places, weights = self._hog.detect(
                smaller, hitThreshold=self._threshold, winStride=(self._stride, self._stride), padding=PADDING
            )
            for (x, y), weight in zip(np.reshape(places, (-1, 2)), np.reshape(weights, -1), strict=True):
                hits.append(_hit(float(weight), float(x), float(y), scale))
            scale *= self._step
        return hits


def confidence_of(weight: float) -> float:
    """Map an SVM weight to 0–1 by the logistic function: rising throughout, 0.5 on the SVM's border, 0.88 at weight 2."""
    return round(1.0 / (1.0 + exp(-weight)), 4)


def strongest(hits: list[Hit]) -> list[Hit]:
    """Keep one hit for each person: from the strongest on, drop those that share much of their area with one kept."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (-hit.weight, *hit[1:])):
        if all(_shared(hit, other) <= MOST_SHARED for other in kept):
            kept.append(hit)
    return kept


def _shared(one: Hit, other: Hit) -> float:
    """Give the common area as a fraction of the smaller box."""
    wide = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    high = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    return max(0.0, wide) * max(0.0, high) / min(one.w * one.h, other.w * other.h)


def _hit(weight: float, x: float, y: float, scale: float) -> Hit:
    left, top, wide, high = MARGIN
    w, h = WINDOW[0] * scale, WINDOW[1] * scale
    return Hit(weight, x * scale + left * w, y * scale + top * h, wide * w, high * h)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR_EXACT)  # type: ignore[no-any-return]  # cv2 has no types


def _descriptor() -> cv2.HOGDescriptor:
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())
    return hog
