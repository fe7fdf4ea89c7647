"""Lets the stages that follow go over a segment's stored rows, frame by frame, and writes the rows whole."""

from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Final

import msgspec

from app.domain.frame import FrameWithoutPixels
from app.domain.geometry import Size
from app.domain.job import RowsPlace
from app.domain.output import Output
from app.domain.timing import Histogram
from app.engine.messages import Beat, Followed, Report, StageTally
from app.engine.recorder import DECODE, WRITE, Recorder
from app.engine.rows import Row, RowFile, StoredRow, decode_output, read_rows
from app.engine.stages import RowError, StageSet, tally_of
from app.engine.tasks import FollowTask

_BEAT_NS = 250_000_000


class Follow:
    """One segment's rows on their way past the followers. `look_up` takes orders, and raises when the task is dropped.

    The outputs of other stages are read only where a follower goes by them; the rest is passed on as it is stored.
    """

    def __init__(self, task: FollowTask, stages: StageSet, file: RowFile, prepare: Histogram) -> None:
        self.task, self.stages, self.file = task, stages, file
        self.prepare, self.write = prepare, Histogram()
        self.frames = 0
        self._ids: Final = [stage.stage.id for stage in task.stages]
        self._read: Final = _read_by(task)
        self._runs: Final = [run for run in stages.runs if run.id in task.following]

    def go_over(self, recorder: Recorder, tell: Callable[[Report, bool], None], look_up: Callable[[int], None]) -> None:
        """Take every row past the followers; reading and writing rows counts as `write`."""
        task, note = self.task, recorder.note
        begun = beaten_at = perf_counter_ns()
        note(task.part.start, DECODE)
        for stored in read_rows(task.folder, (task.rows,)):
            frame, known = _frame(task, stored), _known(stored, self._read)
            ready = perf_counter_ns()
            outputs, errors = self.stages.process(frame, self._runs, known, stored.errors)
            ran = perf_counter_ns()
            note(frame.index, WRITE)
            row = self._merge(stored, outputs, errors)
            self.file.add(row)
            self.frames += 1
            if frame.index in task.pictured:
                tell(Followed(task.task_id, frame.index, msgspec.json.encode(row.outputs)), True)
            written = perf_counter_ns()
            self.write.add((written - ran + ready - begun) // 1000)
            begun = written
            if written - beaten_at >= _BEAT_NS:
                beaten_at = written
                tell(Beat(task.task_id, self.frames, self.tallies()), True)
            look_up(task.task_id)
            note(frame.index + 1, DECODE)

    def place(self, recorder: Recorder) -> RowsPlace:
        """Move the rows into their place, and say where that is."""
        begun = perf_counter_ns()
        recorder.note(self.task.part.end, WRITE)
        place = self.file.place()
        self.write.add((perf_counter_ns() - begun) // 1000)
        return place

    def tallies(self) -> tuple[StageTally, ...]:
        """What the followers gathered so far; the frames themselves were counted when the other stages ran."""
        followers = (run.tally() for run in self._runs)
        return *followers, tally_of("prepare", self.prepare, frames=self.prepare.count), tally_of("write", self.write)

    def _merge(self, stored: StoredRow, outputs: dict[str, Output], errors: list[RowError]) -> Row:
        """Put what the followers gave into the row, in the order of the pipeline."""
        found = stored.outputs | {stage: outputs[stage] for stage in self.task.following if stage in outputs}
        whole = {stage: found[stage] for stage in self._ids if stage in found}
        if errors:
            errors = sorted(stored.errors + errors, key=lambda error: self._ids.index(error.stage))
        return Row(stored.frame_index, stored.t_s, whole, errors or stored.errors)


def replay(task: FollowTask, stages: StageSet, between: Callable[[], None]) -> None:
    """Show the stateful followers the earlier frames again; `between` is called after each."""
    runs = [run for run in stages.replay_only() if run.task.stateful]
    read = _read_by(task)
    for stored in read_rows(task.folder, task.replay):
        if stored.frame_index >= task.replay_from:
            stages.process(_frame(task, stored), runs, _known(stored, read), stored.errors)
        between()


def _read_by(task: FollowTask) -> frozenset[str]:
    return frozenset(read for stage in task.stages if stage.stage.id in task.following for read in stage.stage.upstream)


def _frame(task: FollowTask, stored: StoredRow) -> FrameWithoutPixels:
    return FrameWithoutPixels(Size(*task.size), stored.frame_index, stored.t_s, {})


def _known(stored: StoredRow, read: Iterable[str]) -> dict[str, Output]:
    return {stage: decode_output(stored.outputs[stage]) for stage in read if stage in stored.outputs}
