"""The flight recorder: a few bytes of shared memory that say which frame and stage a worker is in."""

import mmap
import os
from typing import Final, NamedTuple

_BYTES: Final = 24
_STAGE_BITS: Final = 8

IDLE: Final = 0
DECODE: Final = 1
PREPARE: Final = 2
PREVIEW: Final = 3
WRITE: Final = 4
FINALIZE: Final = 5
WAIT: Final = 6  # until a paced frame is due
FIRST_STAGE: Final = 16  # stage i of the pipeline is recorded as 16 + i
ROW_NAMES: Final = {
    DECODE: "decode",
    PREPARE: "prepare",
    PREVIEW: "preview",
    WRITE: "write",
    FINALIZE: "finalize",
    WAIT: "decode",
}


class Position(NamedTuple):
    """Where a worker is: `frame` of the job (the stage's place in the pipeline while preparing or finalizing), and `place`."""

    frame: int
    place: int
    task_id: int

    def stage_name(self, stages: tuple[str, ...]) -> str:
        """Name the stage, or the breakdown row, that the worker is in."""
        if self.place >= FIRST_STAGE and self.place - FIRST_STAGE < len(stages):
            return stages[self.place - FIRST_STAGE]
        return ROW_NAMES.get(self.place, "idle")


class Recorder:
    """Writes and reads a worker's position.

    Frame and place share one 64-bit word, so that a reader never sees half of a change; the task stands beside it, and so does
    the frame that is decoded ahead meanwhile.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._words = memoryview(memory).cast("q")

    @classmethod
    def create(cls) -> tuple["Recorder", int]:
        """Make a recorder and the descriptor by which a child can open it."""
        descriptor = os.memfd_create("sightline-recorder", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _BYTES)
        return cls(mmap.mmap(descriptor, _BYTES)), descriptor

    @classmethod
    def open(cls, descriptor: int) -> "Recorder":
        """Open a recorder made by another process."""
        return cls(mmap.mmap(descriptor, _BYTES))

    @classmethod
    def private(cls) -> "Recorder":
        """Make a recorder that only this process sees."""
        return cls(mmap.mmap(-1, _BYTES))

    def begin(self, task_id: int) -> None:
        """Note the task that is being worked on."""
        self._words[1] = task_id

    def note(self, frame: int, place: int) -> None:
        """Note the frame and the place in its way through the pipeline."""
        self._words[0] = frame << _STAGE_BITS | place

    def note_ahead(self, frame: int) -> None:
        """Note the frame that a thread of its own decodes."""
        self._words[2] = frame

    def read(self, *, ahead: bool = False) -> Position:
        """Say where the worker is, or was when it died; `ahead`: where the thread is that decodes ahead."""
        if ahead:
            return Position(self._words[2], DECODE, self._words[1])
        word = self._words[0]
        return Position(word >> _STAGE_BITS, word & ((1 << _STAGE_BITS) - 1), self._words[1])

    def close(self) -> None:
        """Give the memory back."""
        self._words.release()
        self._memory.close()
