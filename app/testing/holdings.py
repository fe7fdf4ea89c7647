"""What this process holds: memory, how much of it is in use, and how many of Python's objects."""

import ctypes
import gc
import sys
from typing import Any, Final, NamedTuple

import psutil

_FIELDS: Final = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")


class Holdings(NamedTuple):
    """What a process holds: bytes that are resident, bytes of the C library's that are in use, and objects of Python's.

    A process that was larger before has free memory: what is lost then makes `in_use` larger, and `resident` not.
    """

    resident: int
    in_use: int
    objects: int


def holdings() -> Holdings:
    """Count what this process holds once its garbage is collected; without glibc, what is resident counts as in use."""
    gc.collect()
    resident = psutil.Process().memory_info().rss
    return Holdings(resident, _allocated() if _mallinfo2 else resident, sys.getallocatedblocks())


class _MallInfo2(ctypes.Structure):
    """The answer of mallinfo2, over all arenas (malloc.h)."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in _FIELDS)


def _find() -> Any:
    """Give glibc's mallinfo2 (2.33 and later), or None."""
    found = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if found:
        found.argtypes, found.restype = (), _MallInfo2
    return found


_mallinfo2: Final = _find()


def _allocated() -> int:
    """Bytes that are given out: in the heaps, and in blocks of their own."""
    told = _mallinfo2()
    return int(told.uordblks + told.hblkhd)
