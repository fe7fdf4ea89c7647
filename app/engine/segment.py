"""Reads one segment frame by frame: decode, stages, row, preview, and what each of them took."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from time import perf_counter_ns
from typing import NamedTuple

import msgspec

from app.domain.frame import Frame
from app.domain.job import RowsPlace, WarningCode
from app.domain.media import Loss
from app.domain.timing import Histogram
from app.engine.ahead import Ahead, pays
from app.engine.ledger import Ledger
from app.engine.live import LiveFrames
from app.engine.messages import Beat, Report, StageTally
from app.engine.previewer import Previewer
from app.engine.recorder import DECODE, WAIT, WRITE, Recorder
from app.engine.rows import Row, RowFile
from app.engine.salvage import Stock, pack_stock
from app.engine.stages import StageSet, nowhere, tally_of
from app.engine.tasks import Pass, SegmentTask
from app.media.sources import DecodedFrame, Source
from app.media.sources.stream import StreamSource

POLL_NS = 20_000_000  # orders are looked for so often
_BEAT_NS = 250_000_000
_NAP_S = 0.04
_TOOK_DOWN = "Frames could not be decoded: trying to took the worker down each time."


class Surroundings(NamedTuple):
    """What a worker has around it: `look_up` takes orders that came in, and raises when the task is dropped.

    `hurried` says that a task is to end its segment at the next frame, where that may be anywhere.
    """

    recorder: Recorder
    ledger: Ledger
    previewer: Previewer
    tell: Callable[[Report, bool], None]
    look_up: Callable[[int], None]
    hurried: Callable[[int], bool]


class SegmentReader:
    """One segment on its way through the stages; `begun`: when its task was, by the performance counter in nanoseconds."""

    def __init__(self, task: SegmentTask, stages: StageSet, at: Surroundings, prepare: Histogram, begun: int) -> None:
        self.task, self.stages, self._at = task, stages, at
        self.decode, self.prepare, self.preview, self.write = Histogram(), prepare, Histogram(), Histogram()
        self.frames, self._next, self._kinds, self._begun = 0, task.first, 0, begun
        self._beaten_at = perf_counter_ns()
        self.file = RowFile(task.outputs_path, at.ledger, self._stock, task.kept_bytes, task.shared_path)

    def read(self, source: Source | StreamSource) -> None:
        """Take every frame of the segment from the source to its row, decoding ahead where that may be and pays."""
        frames = self._frames(source)
        if not (self.task.ahead and self.stages.worth_ahead):
            self._take(frames, None)
        else:
            ahead = Ahead(frames, self._at.recorder, self.task.part)
            try:
                self._take(ahead, ahead)
            finally:
                ahead.close()
        at_work = sum(run.timing.total_us for run in self.stages.runs)
        self.stages.worth_ahead = pays(self.decode.total_us, at_work, self.frames)

    def _take(self, frames: Iterator[DecodedFrame], ahead: Ahead | None) -> None:
        task, at, part = self.task, self._at, self.task.part  # what every frame needs is at hand: a look-up less counts here
        note, took, process, add = at.recorder.note, at.ledger.took, self.stages.process, self.file.add
        index, until, looked_at = task.first, part.stop, 0
        self.stages.keep_in(took)
        self.file.save()
        while index < until:
            note(index, DECODE)
            begun = perf_counter_ns()
            decoded = next(frames, None)
            if decoded is None:
                self.decode.add((perf_counter_ns() - begun) // 1000 if ahead is None else ahead.took_us)
                return
            ready = perf_counter_ns()
            decoding = (ready - begun) // 1000 if ahead is None else ahead.took_us
            self.decode.add(decoding)
            took(DECODE, decoding)
            index, t_s = part.offset + decoded.index, time_of(decoded, part) if part.t_offset_s else decoded.t_s
            if task.due_at is not None and t_s is not None:
                ready = self._wait(index, task.due_at + t_s)
            frame = Frame(decoded.pixels, index, t_s)
            outputs, errors = process(frame)
            ran = perf_counter_ns()
            note(index, WRITE)
            self.frames += 1
            self._next = index + 1
            add(Row(index, t_s, outputs, errors))
            if errors:
                self._mind_failures()
            written = perf_counter_ns()
            writing = (written - ran) // 1000
            self.write.add(writing)
            took(WRITE, writing)
            if at.previewer.watches:
                at.previewer.show(task, frame, outputs, ready, self.preview)
            if written - looked_at >= POLL_NS:
                looked_at = written
                self._look_up(written)
            index += 1
            del decoded, frame  # the next picture then comes to lie where this one lay, which the caches still hold

    def _frames(self, source: Source | StreamSource) -> Iterator[DecodedFrame]:
        """Give the frames that are still to be done; an address goes on where it is."""
        self.stages.keep_in(nowhere)
        if isinstance(source, StreamSource):
            return LiveFrames(source, self.task, self._at.recorder, self._at.tell).read(self._at.look_up, self._at.hurried)
        return self._catch_up(iter(source.frames(self.task.part.planned)))

    def _catch_up(self, frames: Iterator[DecodedFrame]) -> Iterator[DecodedFrame]:
        """Pass over what a lost worker had finished; stages that must see every frame see these again."""
        task, begun = self.task, perf_counter_ns()
        index, runs = task.part.start, self.stages.replay_only() if task.serial else []
        while index < min(task.first, task.part.stop):
            self._at.recorder.note(index, DECODE)
            decoded = next(frames, None)
            if decoded is None:
                break
            index = task.part.offset + decoded.index
            if index >= task.first:  # those between cannot be decoded
                frames = chain((decoded,), frames)
                break
            if index >= task.replay_from:
                self.stages.process(Frame(decoded.pixels, index, time_of(decoded, task.part)), runs)
            self._at.look_up(task.task_id)
            index += 1
        self.stages.clear()
        if task.first > task.part.start:
            self.prepare.add((perf_counter_ns() - begun) // 1000)
        return frames

    def _mind_failures(self) -> None:
        """Save at once when a stage failed in a way it had not failed before: its traceback is nowhere else."""
        kinds = sum(len(run.failures) + run.disabled for run in self.stages.runs)
        if kinds != self._kinds:
            self._kinds = kinds
            self.file.save()

    def _stock(self, written: int, brief: bool) -> bytes:
        failures = tuple(tally for run in self.stages.runs for tally in run.failures.values())
        return pack_stock(
            Stock(
                self.task.task_id, written, self.frames, self._next, self.tallies(),
                tuple(msgspec.structs.replace(failure, detail=None) for failure in failures) if brief else failures,
                tuple(run.id for run in self.stages.runs if run.disabled), (perf_counter_ns() - self._begun) // 1000,
            )
        )  # fmt: skip

    def place(self) -> RowsPlace:
        """Move the rows into their place, and say where that is."""
        begun = perf_counter_ns()
        self._at.recorder.note(self.task.part.end, WRITE)
        place = self.file.place()
        self.write.add((perf_counter_ns() - begun) // 1000)
        return place

    def tallies(self) -> tuple[StageTally, ...]:
        """What every row gathered so far; `frames` of `prepare` counts preparations, of `preview` pictures."""
        return (
            *(run.tally() for run in self.stages.runs),
            tally_of("decode", self.decode, frames=self.frames),
            tally_of("prepare", self.prepare, frames=self.prepare.count),
            tally_of("preview", self.preview, frames=self.preview.count),
            tally_of("write", self.write, frames=self.frames),
        )

    def _look_up(self, now: int) -> None:
        """Take orders, and be heard of; `now` by the performance counter in nanoseconds."""
        if now - self._beaten_at >= _BEAT_NS:
            self._beaten_at = now
            self._at.tell(Beat(self.task.task_id, self.frames, self.tallies()), True)
        self._at.look_up(self.task.task_id)

    def _wait(self, index: int, until: float) -> int:
        """Wait for a frame's time to come, which is neither hanging nor decoding; give the counter's nanoseconds then."""
        self._at.recorder.note(index, WAIT)
        while (left := until - time.time()) > 0:
            self._at.look_up(self.task.task_id)
            time.sleep(min(left, _NAP_S))
        return perf_counter_ns()


def time_of(decoded: DecodedFrame, part: Pass) -> float | None:
    """Media time of a frame within the job, in seconds."""
    if decoded.t_s is None or not part.t_offset_s:
        return decoded.t_s
    return round(decoded.t_s + part.t_offset_s, 6)


def losses_in(losses: Sequence[Loss], part: Pass) -> tuple[Loss, ...]:
    """What was lost in a part of the source, by the job's frames; all of it from where the decoder cannot go on."""
    told = [Loss(loss.code, loss.first_index + part.offset, loss.count, loss.message) for loss in losses]
    if part.until is not None and part.until < part.end:
        told.append(Loss(WarningCode.FRAMES_LOST, part.until, part.end - part.until, _TOOK_DOWN))
    return tuple(told)
