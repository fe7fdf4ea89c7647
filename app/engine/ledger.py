"""The ledger: rows and timings of the segment in hand, in memory shared with the parent, so that they outlive the worker."""

import mmap
import os
import struct
from typing import Final, NamedTuple

_ROW_BYTES: Final = 1 << 16
_EVENTS: Final = 1 << 13
_SLOT_BYTES: Final = 1 << 16
_EVENT_AT: Final = 8
_ROW_AT: Final = _EVENT_AT + 8 * _EVENTS
_SLOT_AT: Final = _ROW_AT + _ROW_BYTES
_BYTES: Final = _SLOT_AT + 2 * _SLOT_BYTES
_LENGTH: Final = struct.Struct("<I")
_MOST_EVENTS: Final = _EVENTS - 256  # a frame brings one for each of its stages, and a few more
_US_BITS: Final = 40
_PENDING_BITS, _EVENT_BITS = 24, 16


class Entries(NamedTuple):
    """What a ledger holds: the last `stock` taken, the rows finished since, and (place, microseconds) of what they took."""

    stock: bytes
    rows: bytes
    took: list[tuple[int, int]]


class Ledger:
    """Keeps what is finished and not yet in the outputs file, for one worker.

    One 64-bit word says which of two slots holds the last stock, how many bytes of rows came after it, and how many timings
    belong to them: whatever moment the worker dies at, a reader sees whole frames only.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._view = memoryview(memory)
        self._word = self._view[:_EVENT_AT].cast("Q")
        self._events = self._view[_EVENT_AT:_ROW_AT].cast("Q")
        self._slot = self._pending = self._count = 0

    @classmethod
    def create(cls) -> tuple["Ledger", int]:
        """Make a ledger and the descriptor by which a child can open it."""
        descriptor = os.memfd_create("sightline-ledger", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _BYTES)
        return cls(mmap.mmap(descriptor, _BYTES)), descriptor

    @classmethod
    def open(cls, descriptor: int) -> "Ledger":
        """Open a ledger made by another process."""
        return cls(mmap.mmap(descriptor, _BYTES))

    @classmethod
    def private(cls) -> "Ledger":
        """Make a ledger that only this process sees."""
        return cls(mmap.mmap(-1, _BYTES))

    def took(self, place: int, microseconds: int) -> None:
        """Note how long a place (as the recorder names it) took; it counts with the next row."""
        self._events[self._count] = place << _US_BITS | microseconds
        self._count += 1

    def add(self, line: bytes) -> bool:
        """Keep a finished frame's row; False: there is no room before the next `turn`."""
        end = self._pending + len(line)
        if end > _ROW_BYTES or self._count > _MOST_EVENTS:
            return False
        self._view[_ROW_AT + self._pending : _ROW_AT + end] = line
        self._pending = end
        self._commit()
        return True

    def pending(self) -> memoryview:
        """Rows that were added since the last `turn`."""
        return self._view[_ROW_AT : _ROW_AT + self._pending]

    def turn(self, stock: bytes) -> bool:
        """Begin a new page: `stock` stands for all that was finished so far. False: it is too long, and nothing changed."""
        if len(stock) + _LENGTH.size > _SLOT_BYTES:
            return False
        slot = 1 - self._slot
        at = _SLOT_AT + slot * _SLOT_BYTES
        self._view[at : at + _LENGTH.size] = _LENGTH.pack(len(stock))
        self._view[at + _LENGTH.size : at + _LENGTH.size + len(stock)] = stock
        self._slot, self._pending, self._count = slot, 0, 0
        self._commit()
        return True

    def read(self) -> Entries:
        """Read what the worker kept, or had kept when it died."""
        word = self._word[0]
        pending, count = word & ((1 << _PENDING_BITS) - 1), (word >> _PENDING_BITS) & ((1 << _EVENT_BITS) - 1)
        at = _SLOT_AT + (word >> (_PENDING_BITS + _EVENT_BITS)) * _SLOT_BYTES
        (length,) = _LENGTH.unpack(self._view[at : at + _LENGTH.size])
        start = at + _LENGTH.size
        took = [(event >> _US_BITS, event & ((1 << _US_BITS) - 1)) for event in self._events[:count]]
        return Entries(bytes(self._view[start : start + length]), bytes(self._view[_ROW_AT : _ROW_AT + pending]), took)

    def close(self) -> None:
        """Give the memory back."""
        for view in (self._word, self._events, self._view):
            view.release()
        self._memory.close()

    def _commit(self) -> None:
        self._word[0] = (self._slot << _EVENT_BITS | self._count) << _PENDING_BITS | self._pending
