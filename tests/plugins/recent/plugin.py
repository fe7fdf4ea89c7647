"""The mean of another stage's first number over the last ten frames, and how many frames it has seen since it was made."""

import time
from collections import deque
from collections.abc import Iterator

from app.sdk import Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Recent:
    """Remembers ten frames."""

    def prepare(self, context: PrepareContext) -> None:
        """Remember none."""
        self.last: deque[float] = deque(maxlen=10)
        self.seen, self.seconds = 0, context.options["ms"] / 1000

    def process_frame(self, frame: Frame) -> Output:
        """Take in the first number that the first stage it needs gave."""
        time.sleep(self.seconds)
        (given,) = frame.outputs.values()
        assert isinstance(given, Measurements)
        self.last.append(given.measurements[0].value)
        self.seen += 1
        recent = Measurement("recent", sum(self.last) / len(self.last), "")
        return Measurements((recent, Measurement("seen", float(self.seen), "")))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames."""
        return {"frames": sum(1 for _ in outputs)}
