"""A running checksum of all pixels so far: one frame missed, doubled or out of order changes everything after it."""

import time
import zlib
from collections.abc import Iterator

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Accumulate:
    """Gives the checksum of every frame up to this one."""

    def prepare(self, context: PrepareContext) -> None:
        """Start from nothing."""
        self.checksum, self.seconds = 0, context.options["ms"] / 1000

    def process_frame(self, frame: Frame) -> Output:
        """Take this frame in."""
        if self.seconds:
            time.sleep(self.seconds)
        self.checksum = zlib.crc32(frame.pixels.tobytes(), self.checksum)
        return Measurements((Measurement("checksum", float(self.checksum), ""),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Give the last checksum, and how many there were."""
        last, count = 0.0, 0
        for given in outputs:
            assert isinstance(given.output, Measurements)
            last, count = given.output.measurements[0].value, count + 1
        return {"checksum": last, "frames": count}
