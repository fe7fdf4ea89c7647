"""Finds nothing on any frame."""

from collections.abc import Iterator

from app.sdk import Detections, Frame, FrameOutput, Output, PrepareContext, Summary

FOUND = Detections(())


class Nothing:
    """Does nothing, as fast as that can be done."""

    def prepare(self, context: PrepareContext) -> None:
        """Nothing to prepare."""

    def process_frame(self, frame: Frame) -> Output:
        """Give the same empty output."""
        return FOUND

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Nothing to sum up."""
        return {}
