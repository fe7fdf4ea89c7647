"""Finds ArUco and AprilTag markers (Garrido-Jurado and others, 2014) with OpenCV's detector."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, Point, PrepareContext, Shape, ShapeKind, Summary

CERTAIN: Final = 1.0  # a marker's bits are those of the dictionary, or it is none


class ArucoMarkers:
    """The plugin. Each frame stands by itself."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the dictionary and set the detector up; raise ValueError for a number that is none."""
        options = context.options
        strange = [text for text in options["only"] if not text.strip().isdigit()]
        if strange:
            raise ValueError(f"only holds {strange[0]!r}, expected the numbers of markers")
        self._only = frozenset(int(text) for text in options["only"])
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = (
            cv2.aruco.CORNER_REFINE_SUBPIX if options["refine"] else cv2.aruco.CORNER_REFINE_NONE
        )
        code = getattr(cv2.aruco, f"DICT_{options['dictionary'].upper()}")
        self._detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(code), parameters)

    def process_frame(self, frame: Frame) -> Detections:
        """Give each marker as `marker N`, by number; its outline is drawn from its top left corner on, clockwise as printed."""
        size = frame.size
        corners, numbers, _ = self._detector.detectMarkers(frame.pixels)
        if numbers is None:
            return Detections(())
        found, shapes = [], []
        order = sorted(zip(np.ravel(numbers).tolist(), corners, strict=True), key=lambda one: (one[0], one[1].ravel().tolist()))
        for number, outline in order:
            if self._only and number not in self._only:
                continue
            points = tuple(
                Point(round(x / size.width, 5), round(y / size.height, 5)) for x, y in outline.reshape(4, 2).tolist()
            )
            label = f"marker {number}"
            found.append(Detection(label, CERTAIN, _around(points)))
            shapes.append(Shape(ShapeKind.POLYGON, points, label))
        return Detections(tuple(found), tuple(shapes))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Sum up: which markers were seen, and on how many frames each."""
        frames, seen = 0, Counter[str]()
        for row in outputs:
            frames += 1
            seen.update({detection.label for detection in row.output.detections} if isinstance(row.output, Detections) else ())
        by_number = sorted(seen.items(), key=lambda item: int(item[0].rpartition(" ")[2]))
        return {"frames": frames, "markers": len(seen), "frames_by_marker": dict(by_number)}


def _around(points: tuple[Point, ...]) -> Box:
    """Give the box around an outline, cut at the frame's border."""
    left, top = (min(values) for values in zip(*points, strict=True))
    right, bottom = (max(values) for values in zip(*points, strict=True))
    return Box.from_pixels(left, top, right - left, bottom - top, (1, 1))
