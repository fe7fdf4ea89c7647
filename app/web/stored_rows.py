"""The rows of a job's frames, read from its outputs so that memory stays flat however many there are."""

from collections.abc import Iterator
from typing import Final

import msgspec

from app.domain.job import Job
from app.domain.output import Output
from app.store import segments
from app.web.parts import Parts

_WINDOW_FRAMES: Final = 64 * 256  # segments are looked up for so many frames at a time


class FrameRow(msgspec.Struct):
    """The part of a frame's row that pages draw, compare and export."""

    frame_index: int
    t_s: float | None = None
    outputs: dict[str, Output] = {}


read_row: Final = msgspec.json.Decoder(FrameRow).decode


def lines_of(parts: Parts, job: Job, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Yield the committed rows of frames `[start, end)` as JSON without line ends, in frame order."""
    known = [bound for bound in (end, job.frames_total) if bound is not None]
    last = min(known) if known else None
    while last is None or start < last:
        stop = last if job.frames_total is None else min(start + _WINDOW_FRAMES, last or 0)
        with parts.store.read() as tx:
            found = segments.committed(tx, job.id, start, stop)
        places = ((segment.rows, segment.start, segment.end) for segment in found if segment.rows)
        for line in parts.storage.read_rows(job.id, places, start, stop):
            yield line.rstrip(b"\n")
        if stop is None:
            return
        start = stop


def row_of(parts: Parts, job: Job, index: int) -> FrameRow:
    """Read what was found on a frame; empty where it was not done, or its file is gone."""
    try:
        line = next(lines_of(parts, job, index, index + 1), None)
    except FileNotFoundError:  # deleted between the look at the database and this one
        line = None
    return read_row(line) if line else FrameRow(index)
