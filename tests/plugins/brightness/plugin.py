"""Mean brightness and a checksum of each frame's pixels."""

import time
import zlib
from collections.abc import Iterator

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Brightness:
    """Measures one frame at a time."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options."""
        self.seconds = context.options["ms"] / 1000

    def process_frame(self, frame: Frame) -> Output:
        """Give the mean and the checksum."""
        if self.seconds:
            time.sleep(self.seconds)
        checksum = float(zlib.crc32(frame.pixels.tobytes()))
        return Measurements((Measurement("mean", float(frame.pixels.mean()), ""), Measurement("checksum", checksum, "")))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
