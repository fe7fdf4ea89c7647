"""Goes wrong on chosen frames, in the way that was asked for."""

import ctypes
import os
import sys
import time
from collections.abc import Iterator

from app.sdk import Classification, Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary


class Faulty:
    """Measures a frame's mean, unless it is a frame to go wrong on."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options."""
        self.what: str = context.options["what"]
        self.where: str = context.options["where"]
        self.every: int = context.options["every"]
        self.frames = {int(frame) for frame in context.options["frames"]}
        self.seconds: float = context.options["ms"] / 1000
        if self.where == "prepare":
            self.go_wrong("prepare")

    def process_frame(self, frame: Frame) -> Output:
        """Give the mean, or go wrong."""
        if self.seconds:
            time.sleep(self.seconds)
        chosen = frame.index in self.frames or (self.every and frame.index % self.every == 0)
        if self.where == "process_frame" and chosen:
            if self.what == "bad_output":
                return Measurements((Measurement("mean", float("nan"), ""),))
            if self.what == "wrong_kind":
                return Classification(())
            self.go_wrong(f"frame {frame.index}")
        return Measurements((Measurement("mean", float(frame.pixels.mean()), ""),))

    def finalize(self, outputs: Iterator[FrameOutput]) -> Summary:
        """Count the frames that gave something."""
        if self.where == "finalize":
            self.go_wrong("finalize")
        return {"frames": sum(1 for _ in outputs)}

    def go_wrong(self, when: str) -> None:
        """Do what was asked for."""
        if self.what == "raise":
            raise ValueError(f"went wrong on purpose at {when}")
        if self.what == "print":
            print(f"printed at {when}")
        elif self.what == "segfault":
            ctypes.string_at(0)
        elif self.what == "exit":
            os._exit(0)
        elif self.what == "abort":
            os.abort()
        elif self.what == "sleep":
            time.sleep(3600)
        elif self.what == "memory":
            raise MemoryError
        else:
            while True:
                sys.getrefcount(None)
