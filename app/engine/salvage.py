"""Salvage: what a lost worker had finished of its segment, taken over so that the next one goes on behind it."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from app.domain.job import WarningCode
from app.domain.timing import Histogram
from app.engine.ledger import Entries
from app.engine.messages import FailureTally, SegmentDone, StageTally
from app.engine.recorder import FIRST_STAGE, ROW_NAMES
from app.engine.rows import part_of
from app.engine.stages import RowError, tally_of
from app.engine.tasks import SegmentTask


class Stock(msgspec.Struct, frozen=True):
    """What counted when a page of the ledger was begun: bytes in the outputs file, and what its rows add up to."""

    task_id: int
    written: int
    frames: int
    next_frame: int
    tallies: tuple[StageTally, ...]
    failures: tuple[FailureTally, ...]
    disabled: tuple[str, ...]
    loop_us: int


class Kept(msgspec.Struct, frozen=True):
    """Finished rows of a segment: the first `size` bytes of the file at `path`, up to frame `resume_at`, and their tallies."""

    path: str
    size: int
    resume_at: int
    frames: int
    tallies: tuple[StageTally, ...]
    failures: tuple[FailureTally, ...]
    disabled: tuple[str, ...]
    loop_us: int

    def then(self, later: "Kept") -> "Kept":
        """What was kept before, and what the next worker kept behind it."""
        return msgspec.structs.replace(
            later,
            frames=self.frames + later.frames,
            tallies=_added((*self.tallies, *later.tallies)),
            failures=_joined((*self.failures, *later.failures)),
            disabled=tuple({**dict.fromkeys(self.disabled), **dict.fromkeys(later.disabled)}),
            loop_us=self.loop_us + later.loop_us,
        )

    def completed_by(self, done: SegmentDone) -> SegmentDone:
        """The whole segment: what was kept, and what the last worker did behind it."""
        return msgspec.structs.replace(
            done,
            frames=self.frames + done.frames,
            tallies=_added((*self.tallies, *done.tallies)),
            failures=_joined((*self.failures, *done.failures)),
            disabled=tuple({**dict.fromkeys(self.disabled), **dict.fromkeys(done.disabled)}),
            loop_us=self.loop_us + done.loop_us,
        )

    def moved_to(self, outputs_path: str) -> "Kept | None":
        """Hand the rows to the next claim of the segment; None where they are not whole any more."""
        part = part_of(outputs_path)
        try:
            if Path(self.path).stat().st_size < self.size:
                return None
            Path(self.path).replace(part)
        except OSError:
            return None
        return msgspec.structs.replace(self, path=str(part))

    def discard(self) -> None:
        """Remove the rows."""
        Path(self.path).unlink(missing_ok=True)


class _Row(msgspec.Struct):
    frame_index: int
    outputs: dict[str, msgspec.Raw]
    errors: list[RowError]


pack_stock = msgspec.msgpack.Encoder().encode
_decode_stock = msgspec.msgpack.Decoder(Stock).decode
_decode_row = msgspec.json.Decoder(_Row).decode


def salvage(entries: Entries, task: SegmentTask) -> Kept | None:
    """Bring the rows of a lost worker's segment to its file and add them up; None where nothing was finished.

    Only the lost worker wrote that file, so it must have ended before this is called.
    """
    try:
        stock = _decode_stock(entries.stock)
        if stock.task_id != task.task_id:
            return None
        part = part_of(task.outputs_path)
        if not part.exists() and Path(task.outputs_path).exists():  # it died after it had moved the file into its place
            Path(task.outputs_path).replace(part)
        if not stock.written and not entries.rows:
            return None
        with part.open("r+b" if stock.written else "wb", buffering=0) as file:
            file.truncate(stock.written)
            file.seek(0, os.SEEK_END)
            file.write(entries.rows)
    except (msgspec.DecodeError, OSError):  # it died before it began, or there is no room: the segment is done again
        return None
    return _add_up(stock, entries, task, str(part), stock.written + len(entries.rows))


def _add_up(stock: Stock, entries: Entries, task: SegmentTask, path: str, size: int) -> Kept:
    rows = [_decode_row(line) for line in entries.rows.splitlines()]
    given = Counter(stage for row in rows for stage in row.outputs)
    errors = [(row.frame_index, error) for row in rows for error in row.errors]
    failed = [FailureTally(e.stage, e.code, e.message, 1, frame, frame, None) for frame, e in errors]
    wrong = Counter(error.stage for _, error in errors if error.code != WarningCode.SKIPPED)
    since = [
        *_timings(entries.took, task),
        *(tally_of(stage, Histogram(), frames=count) for stage, count in given.items()),
        *(tally_of(stage, Histogram(), soft_failures=count) for stage, count in wrong.items()),
        *(tally_of(name, Histogram(), frames=len(rows)) for name in ("decode", "write")),
    ]
    return Kept(
        path=path,
        size=size,
        resume_at=rows[-1].frame_index + 1 if rows else stock.next_frame,
        frames=stock.frames + len(rows),
        tallies=_added((*stock.tallies, *since)),
        failures=_joined((*stock.failures, *failed)),
        disabled=stock.disabled,
        loop_us=stock.loop_us + sum(microseconds for _, microseconds in entries.took),
    )


def _timings(took: list[tuple[int, int]], task: SegmentTask) -> Iterable[StageTally]:
    timings: dict[int, Histogram] = {}
    over: Counter[int] = Counter()
    for place, microseconds in took:
        timings.setdefault(place, Histogram()).add(microseconds)
        if place >= FIRST_STAGE and microseconds > task.stages[place - FIRST_STAGE].budget_ms * 1000:
            over[place] += 1
    for place, timing in timings.items():
        name = task.stages[place - FIRST_STAGE].stage.id if place >= FIRST_STAGE else ROW_NAMES[place]
        yield tally_of(name, timing, over_budget=over[place])


def _added(tallies: Iterable[StageTally]) -> tuple[StageTally, ...]:
    """Add up tallies of the same row, in the order in which rows are first met."""
    sums: dict[str, StageTally] = {}
    for tally in tallies:
        known = sums.get(tally.row)
        if known is None:
            sums[tally.row] = tally
            continue
        timing = Histogram(dict(known.buckets), known.count, known.total_us, known.max_us)
        timing.merge(Histogram(tally.buckets, tally.count, tally.total_us, tally.max_us))
        sums[tally.row] = StageTally(
            tally.row, known.frames + tally.frames, known.soft_failures + tally.soft_failures,
            known.over_budget + tally.over_budget, timing.buckets, timing.count, timing.total_us, timing.max_us,
        )  # fmt: skip
    return tuple(sums.values())


def _joined(failures: Iterable[FailureTally]) -> tuple[FailureTally, ...]:
    """Add up failures of the same stage and code; the earliest keeps its message and traceback."""
    sums: dict[tuple[str, str], FailureTally] = {}
    for failure in failures:
        key = failure.stage, failure.code
        known = sums.get(key)
        sums[key] = failure if known is None else msgspec.structs.replace(
            known, count=known.count + failure.count, last_frame_index=failure.last_frame_index
        )  # fmt: skip
    return tuple(sums.values())
