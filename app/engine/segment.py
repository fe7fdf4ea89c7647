"""Reads one segment frame by frame: decode, stages, row, preview, and what each of them took."""

import time
from collections.abc import Callable
from time import perf_counter_ns

from app.domain.frame import Frame
from app.domain.timing import Histogram
from app.engine.messages import Beat, Pass, Report, SegmentTask, StageTally
from app.engine.previewer import Previewer
from app.engine.recorder import DECODE, IDLE, WRITE, Recorder
from app.engine.rows import Row, RowFile
from app.engine.stages import StageSet, tally_of
from app.media.sources import DecodedFrame, Source

_BEAT_NS = 250_000_000
_NAP_S = 0.04


class SegmentReader:
    """One segment on its way through the stages. `look_up` takes orders that came in, and raises when the task is dropped."""

    def __init__(self, task: SegmentTask, stages: StageSet, file: RowFile, prepare: Histogram) -> None:
        self.task, self.stages, self.file = task, stages, file
        self.decode, self.prepare, self.preview, self.write = Histogram(), prepare, Histogram(), Histogram()
        self.frames = 0

    def read(
        self,
        source: Source,
        *,
        recorder: Recorder,
        previewer: Previewer,
        tell: Callable[[Report, bool], None],
        look_up: Callable[[int], None],
    ) -> None:
        """Take every frame of the segment from the source to its row."""
        task, note, stages = self.task, recorder.note, self.stages
        frames = iter(source.frames(task.part.planned))
        index, beaten_at = task.part.start, perf_counter_ns()
        while True:
            note(index, DECODE)
            begun = perf_counter_ns()
            decoded = next(frames, None)
            if decoded is None:
                self.decode.add((perf_counter_ns() - begun) // 1000)
                return
            index, t_s = task.part.offset + decoded.index, time_of(decoded, task.part)
            if task.due_at is not None and t_s is not None:
                note(0, IDLE)  # waiting is not hanging
                self._wait(task.due_at + t_s, look_up)
            ready = perf_counter_ns()
            self.decode.add((ready - begun) // 1000)
            frame = Frame(decoded.pixels, index, t_s)
            outputs, errors = stages.process(frame)
            ran = perf_counter_ns()
            note(index, WRITE)
            self.file.add(Row(index, t_s, outputs, errors))
            self.frames += 1
            written = perf_counter_ns()
            self.write.add((written - ran) // 1000)
            previewer.show(task, frame, outputs, ready, self.preview)
            if written - beaten_at >= _BEAT_NS:
                beaten_at = written
                tell(Beat(task.task_id, self.frames, self.tallies()), True)
            look_up(task.task_id)

    def place(self, recorder: Recorder) -> None:
        """Move the rows into their place."""
        begun = perf_counter_ns()
        recorder.note(self.task.part.end, WRITE)
        self.file.place()
        self.write.add((perf_counter_ns() - begun) // 1000)

    def tallies(self) -> tuple[StageTally, ...]:
        """What every row gathered so far; `frames` of `prepare` counts preparations, of `preview` pictures."""
        return (
            *(run.tally() for run in self.stages.runs),
            tally_of("decode", self.decode, frames=self.frames),
            tally_of("prepare", self.prepare, frames=self.prepare.count),
            tally_of("preview", self.preview, frames=self.preview.count),
            tally_of("write", self.write, frames=self.frames),
        )

    def _wait(self, until: float, look_up: Callable[[int], None]) -> None:
        while (left := until - time.time()) > 0:
            look_up(self.task.task_id)
            time.sleep(min(left, _NAP_S))


def time_of(decoded: DecodedFrame, part: Pass) -> float | None:
    """Media time of a frame within the job, in seconds."""
    return None if decoded.t_s is None else round(decoded.t_s + part.t_offset_s, 6)
