"""Goes wrong on chosen frames, in the way that was asked for."""

import ctypes
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from app.sdk import Classification, Frame, FrameOutput, Measurement, Measurements, Output, PrepareContext, Summary

FAR_TOO_MUCH = 8 << 30


class Faulty:
    """Measures a frame's mean, unless it is a frame to go wrong on."""

    def prepare(self, context: PrepareContext) -> None:
        """Take the options."""
        self.what: str = context.options["what"]
        self.where: str = context.options["where"]
        self.every: int = context.options["every"]
        self.frames = {int(frame) for frame in context.options["frames"]}
        self.seconds: float = context.options["ms"] / 1000
        self.once: str = context.options["once"]
        self.journal: str = context.options["journal"]
        if self.where == "prepare":
            self.go_wrong("prepare")

    def process_frame(self, frame: Frame) -> Output:
        """Give the mean, or go wrong."""
        if self.journal:
            with Path(self.journal).open("a") as journal:
                journal.write(f"{frame.index}\n")
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
        """Do what was asked for; where it is to be done once, only as long as nobody noted that it was."""
        if self.once:
            if Path(self.once).exists():
                return
            Path(self.once).touch()
        if self.what == "raise":
            raise ValueError(f"went wrong on purpose at {when}")
        if self.what == "print":
            print(f"printed at {when}")
        else:
            WAYS[self.what]()


def loop() -> None:
    """Never come back."""
    while True:
        sys.getrefcount(None)


def share() -> None:
    """Take memory that this process shares with nobody, of a kind its own limit does not count."""
    shared, page = mmap.mmap(-1, FAR_TOO_MUCH), bytes(1 << 20)
    for start in range(0, FAR_TOO_MUCH, len(page)):
        shared[start : start + len(page)] = page


WAYS: dict[str, Callable[[], object]] = {
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sleep": lambda: time.sleep(3600),
    "loop": loop,
    "memory": lambda: bytearray(FAR_TOO_MUCH),
    "memory_in_opencv": lambda: cv2.resize(np.zeros((9, 9, 3), np.uint8), (60_000, 45_000)),
    "memory_shared": share,
}
