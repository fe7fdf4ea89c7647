"""A running checksum of earlier stages' outputs: one frame missed, doubled or out of order changes everything after it."""

import os
import time
import zlib
from collections.abc import Iterator

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Follower:
    """Gives the checksum of all that was given up to this frame."""

    def prepare(self, context: PrepareContext) -> None:
        """Start from nothing."""
        self.checksum, self.options = 0, context.options

    def process_frame(self, frame: Frame) -> Output:
        """Take in what the stages it needs gave for this frame."""
        if self.options["ms"]:
            time.sleep(self.options["ms"] / 1000)
        if frame.index == self.options["look"]:
            frame.pixels.mean()
        if frame.index == self.options["die"]:
            os._exit(3)
        seen = f"{frame.index} {frame.t_s} {frame.size} {sorted(frame.outputs.items())}"
        self.checksum = zlib.crc32(seen.encode(), self.checksum)
        return Measurements((Measurement("checksum", float(self.checksum), ""),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Give the last checksum, and how many there were."""
        last, count = 0.0, 0
        for given in outputs:
            assert isinstance(given.output, Measurements)
            last, count = given.output.measurements[0].value, count + 1
        return {"checksum": last, "frames": count}
