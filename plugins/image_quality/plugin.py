"""Measures how good each picture is: sharpness, exposure, noise, and whether it is black or frozen."""

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sdk import Frame, FrameOutput, Measurement, Measurements, PrepareContext, Summary

SHARPNESS_WIDTH: Final = 640  # pixels; sharpness is measured at this width, so that it compares between sizes of video
CLIPPED: Final = 5  # levels from black or white within which a pixel holds no more detail
TOLD: Final = 50  # stretches that a summary holds
_IMMERKAER: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)

Gray = NDArray[np.uint8]


class ImageQuality:
    """The plugin. Of the frames before it remembers one, to tell whether the picture still moves."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options; no frame was seen yet."""
        options = context.options
        self._black_level = float(options["black_level"]) * 2.55
        self._black_share = float(options["black_share"])
        self._frozen_change = float(options["frozen_change"])
        self._before: Gray | None = None

    def process_frame(self, frame: Frame) -> Measurements:
        """Measure a frame; the first one has none before it to have changed from."""
        gray = np.asarray(cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        levels = np.bincount(gray.ravel(), minlength=256)
        black = _share(levels[: int(self._black_level) + 1], gray) >= self._black_share
        found = [
            Measurement("sharpness", round(sharpness(gray), 2), ""),
            Measurement("brightness", round(float(levels @ np.arange(256)) / gray.size / 2.55, 2), "%"),
            Measurement("too_dark", _share(levels[: CLIPPED + 1], gray), "%"),
            Measurement("too_bright", _share(levels[255 - CLIPPED :], gray), "%"),
            Measurement("noise", round(noise(gray), 2), "levels"),
            Measurement("black", float(black), ""),
        ]
        if self._before is not None and self._before.shape == gray.shape:
            change = float(cv2.norm(gray, self._before, cv2.NORM_L1)) / gray.size / 2.55
            found.append(Measurement("change", round(change, 3), "%"))
            found.append(Measurement("frozen", float(change <= self._frozen_change), ""))
        self._before = gray
        return Measurements(tuple(found))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: how sharp, bright and noisy the frames were, and the stretches that were black or frozen."""
        measured: dict[str, list[float]] = {"sharpness": [], "brightness": [], "noise": []}
        marked: dict[str, list[int]] = {"black": [], "frozen": []}
        frames = 0
        for row in outputs:
            frames += 1
            for item in row.output.measurements if isinstance(row.output, Measurements) else ():
                if item.name in measured:
                    measured[item.name].append(item.value)
                elif item.name in marked and item.value:
                    marked[item.name].append(row.frame_index)
        return {
            "frames": frames,
            **{name: _spread(values) for name, values in measured.items()},
            **{f"{name}_frames": len(indexes) for name, indexes in marked.items()},
            **{f"{name}_stretches": _stretches(indexes)[:TOLD] for name, indexes in marked.items()},
        }


def sharpness(gray: Gray) -> float:
    """Variance of the Laplacian (Pech-Pacheco and others, 2000), at a width of at most 640 pixels."""
    height, width = gray.shape
    if width > SHARPNESS_WIDTH:
        wanted = SHARPNESS_WIDTH, max(1, round(height * SHARPNESS_WIDTH / width))
        gray = np.asarray(cv2.resize(gray, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_32F))
    return float(deviation[0][0] ** 2)


def noise(gray: Gray) -> float:
    """Standard deviation of the noise in grey levels (Immerkær, 1996); fine texture counts as noise too."""
    height, width = gray.shape
    if height < 3 or width < 3:
        return 0.0
    response = np.asarray(cv2.filter2D(gray, cv2.CV_32F, _IMMERKAER))[1:-1, 1:-1]
    return float(cv2.norm(response, cv2.NORM_L1) * np.sqrt(np.pi / 2) / (6 * (width - 2) * (height - 2)))


def _share(levels: NDArray[np.int64], gray: Gray) -> float:
    return round(100 * float(levels.sum()) / gray.size, 2)


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"least": min(values), "mean": round(sum(values) / len(values), 2), "most": max(values)}


def _stretches(indexes: Sequence[int]) -> list[list[int]]:
    """Give the first and last frame of each run of neighbours, the longest run first."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return sorted(runs, key=lambda run: (run[0] - run[1], run[0]))
