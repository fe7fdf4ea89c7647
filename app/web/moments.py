"""Moments of a job worth a look, read from its stored rows: where stages failed, and where something crossed a line."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from app.domain.geometry import ShapeKind
from app.domain.job import Job, RowsPlace, WarningCode
from app.domain.output import Detections, Output
from app.media.lines import lines_at
from app.store.spans import Span
from app.web.parts import Parts

_FILES_KEPT: Final = 65_536  # most hold nothing
_NO_ERRORS: Final = b'"errors":[]'  # a quote within a string is written \", so that these bytes are never part of one
_LINE: Final = b'"kind":"line"'


class MomentKind(StrEnum):
    """Why a frame is worth a look."""

    FAILURE = "failure"
    CROSSING = "crossing"
    WARNING = "warning"


class Moment(NamedTuple):
    """A frame worth a look, of which stage, and in a few words why."""

    frame_index: int
    kind: MomentKind
    stage: str
    words: str


class _Error(msgspec.Struct):
    stage: str
    code: str
    message: str = ""


class _Row(msgspec.Struct):
    frame_index: int
    outputs: dict[str, Output] = {}
    errors: list[_Error] = []


_read: Final = msgspec.json.Decoder(_Row).decode


def moments_of(parts: Parts, job: Job, spans: Iterable[Span]) -> list[Moment]:
    """Give the moments of all committed frames of a job, in frame order; each outputs file is read once."""
    folder = parts.storage.outputs_folder(job.id)
    found: list[Moment] = []
    for span in spans:
        if span.committed and span.rows:
            found += _moments_in(folder, span.rows)
    return found


def failed_frames(moments: Iterable[Moment]) -> list[int]:
    """Give the frames on which a stage gave nothing, rising."""
    return sorted({moment.frame_index for moment in moments if moment.kind is MomentKind.FAILURE})


def _moments_in(folder: Path, rows: RowsPlace) -> tuple[Moment, ...]:
    try:
        return _scan(folder, rows, (folder / rows.file).stat().st_mtime_ns if rows.size is None else 0)
    except FileNotFoundError:  # deleted between the look at the database and this one
        return ()


@lru_cache(maxsize=_FILES_KEPT)
def _scan(folder: Path, rows: RowsPlace, _changed_ns: int) -> tuple[Moment, ...]:
    found: list[Moment] = []
    counters: set[str] | None = None  # stages that draw lines; known from the first row that has one
    for line in lines_at(folder, rows):
        failed = _NO_ERRORS not in line
        if not failed and (_LINE not in line or (counters is not None and not _crossed(line, counters))):
            continue
        row = _read(line)
        drawing = {stage for stage, output in row.outputs.items() if _draws_lines(output)}
        counters = drawing if counters is None and drawing else counters
        found += _of_row(row, drawing)
    return tuple(found)


def _crossed(line: bytes, stages: set[str]) -> bool:
    return any(msgspec.json.encode(stage) + b':{"kind":"detections","detections":[]' not in line for stage in stages)


def _draws_lines(output: Output) -> bool:
    return isinstance(output, Detections) and any(shape.kind is ShapeKind.LINE for shape in output.shapes)


def _of_row(row: _Row, drawing: set[str]) -> Iterable[Moment]:
    """Give a row's failures, and what the stages found that draw a line: that is who crossed it."""
    for error in row.errors:
        if error.code != WarningCode.SKIPPED:  # it only follows from a failure
            yield Moment(row.frame_index, MomentKind.FAILURE, error.stage, error.message or error.code)
    for stage in sorted(drawing):
        output = row.outputs[stage]
        for found in output.detections if isinstance(output, Detections) else ():
            track = "" if found.track_id is None else f" #{found.track_id}"
            yield Moment(row.frame_index, MomentKind.CROSSING, stage, f"{found.label}{track}")
