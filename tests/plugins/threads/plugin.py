"""How many threads the plugin was promised when it was prepared, and how many OpenCV has on each frame."""

import os
import time
from collections.abc import Iterator

import cv2

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Threads:
    """Looks at the process it is in."""

    def prepare(self, context: PrepareContext) -> None:
        """Note what was promised."""
        self.promised, self.seconds = context.threads, context.options["ms"] / 1000

    def process_frame(self, frame: Frame) -> Output:
        """Tell the threads, and the process."""
        time.sleep(self.seconds)
        numbers = {"promised": self.promised, "opencv": cv2.getNumThreads(), "process": os.getpid()}
        return Measurements(tuple(Measurement(name, float(number), "") for name, number in numbers.items()))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
