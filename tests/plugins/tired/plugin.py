"""Slow at first, quick afterwards."""

import time
from collections.abc import Iterator

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Tired:
    """Measures nothing much, slowly at first."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options."""
        self.until, self.seconds = context.options["until"], context.options["ms"] / 1000

    def process_frame(self, frame: Frame) -> Output:
        """Sleep over the first frames."""
        if frame.index < self.until:
            time.sleep(self.seconds)
        return Measurements((Measurement("index", float(frame.index), ""),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
