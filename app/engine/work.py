"""Carries out tasks: does a segment, or sums up a stage. Used by the worker process and by its in-process twin."""

from collections.abc import Callable
from time import perf_counter_ns

import cv2
import msgspec
import numpy as np

from app.domain.frame import Frame
from app.domain.media import Loss
from app.domain.timing import Histogram
from app.engine.messages import (
    Drop,
    Dropped,
    FinalizeDone,
    FinalizeTask,
    Forget,
    Order,
    Outcome,
    Prepared,
    Report,
    SegmentDone,
    SegmentTask,
    TaskFailed,
    Watch,
)
from app.engine.previewer import Previewer
from app.engine.recorder import FINALIZE, IDLE, Recorder
from app.engine.rows import RowFile, read_outputs
from app.engine.segment import SegmentReader, time_of
from app.engine.stages import StageFailed, StageRun, StageSet, describe, detail_of
from app.media.sources import Source, open_source

_POLL_NS = 20_000_000


class TaskDropped(Exception):
    """The task was asked to stop."""


class Workbench:
    """One worker's place of work: carries out tasks, and keeps what is prepared for the next segment of the same job.

    `tell` sends a report (its second argument says that it may be dropped when nobody reads); `poll` reads orders that came
    in meanwhile and hands them to `obey`.
    """

    def __init__(self, recorder: Recorder, tell: Callable[[Report, bool], None], poll: Callable[[], None]) -> None:
        self._recorder, self._tell, self._poll = recorder, tell, poll
        self._previewer = Previewer(recorder, tell)
        self._sets: dict[str, StageSet] = {}
        self._sources: dict[str, Source] = {}
        self._dropped: set[int] = set()
        self._polled_at = 0
        self._threads = 0

    def obey(self, order: Order) -> None:
        """Take an order that is not a task."""
        if isinstance(order, Watch):
            self._previewer.watch(order)
        elif isinstance(order, Forget):
            self._forget(order.job_id)
        elif isinstance(order, Drop):
            self._dropped.add(order.task_id)

    def carry_out(self, task: SegmentTask | FinalizeTask) -> Outcome:
        """Do a task to its end; whatever goes wrong with it comes back as an outcome."""
        self._recorder.begin(task.task_id)
        self._polled_at = 0
        if task.threads != self._threads:
            cv2.setNumThreads(task.threads)
            self._threads = task.threads
        try:
            return self._finalize(task) if isinstance(task, FinalizeTask) else self._segment(task)
        except TaskDropped:
            self._forget(task.job_id)
            return Dropped(task.task_id)
        except StageFailed as failure:
            self._forget(task.job_id)
            code, stage, message, detail = failure.args
            return TaskFailed(task.task_id, code, stage, message, detail)
        except Exception as error:  # noqa: BLE001  # the worker's edge: an unreadable source or a full disk ends the task only
            self._forget(task.job_id)
            return TaskFailed(task.task_id, "source", None, describe(error), detail_of(error))
        finally:
            self._dropped.discard(task.task_id)
            self._recorder.note(0, IDLE)

    def close(self) -> None:
        """Let go of everything."""
        for job_id in {*self._sources, *self._sets}:
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        self._sets.pop(job_id, None)
        source = self._sources.pop(job_id, None)
        if source is not None:
            source.close()

    def _segment(self, task: SegmentTask) -> SegmentDone:
        started = perf_counter_ns()
        prepare = Histogram()
        stages = self._stages(task, prepare)
        file = RowFile(task.outputs_path)
        reader = SegmentReader(task, stages, file, prepare)
        try:
            source = self._source(task, reader.decode)
            reader.read(source, recorder=self._recorder, previewer=self._previewer, tell=self._tell, look_up=self._look_up)
            reader.place(self._recorder)
        except BaseException:
            file.discard()
            raise
        stages.next_frame = task.part.end
        offset = task.part.offset
        return SegmentDone(
            task.task_id,
            reader.frames,
            reader.tallies(),
            tuple(tally for run in stages.runs for tally in run.failures.values()),
            tuple(Loss(loss.code, loss.first_index + offset, loss.count, loss.message) for loss in source.losses),
            tuple(run.id for run in stages.runs if run.disabled),
            (perf_counter_ns() - started) // 1000,
        )

    def _source(self, task: SegmentTask, decode: Histogram) -> Source:
        source = self._sources.get(task.job_id)
        if source is None:
            begun = perf_counter_ns()
            source = self._sources[task.job_id] = open_source(task.source, task.plan)
            decode.add((perf_counter_ns() - begun) // 1000)
        return source

    def _stages(self, task: SegmentTask, prepare: Histogram) -> StageSet:
        stages = self._sets.get(task.job_id)
        if stages is None or (task.serial and stages.next_frame != task.part.start):
            if task.serial and task.part.start and not task.replay:
                raise StageFailed("state", None, "the worker does not hold the state of the earlier frames", None)
            stages = self._prepare(task, prepare)
            self._sets[task.job_id] = stages
        stages.step_over(task.disabled, task.skips)
        for run in stages.runs:
            run.clear()
        return stages

    def _prepare(self, task: SegmentTask, prepare: Histogram) -> StageSet:
        stages = StageSet(task.stages, self._recorder)
        stages.step_over(task.disabled, task.skips)
        for run in stages.runs:
            if not run.disabled:
                begun = perf_counter_ns()
                try:
                    stages.prepare(run, task.threads)
                finally:  # a refusal is a decision too
                    prepare.add((perf_counter_ns() - begun) // 1000)
                    if run.decision is not None:
                        self._tell(Prepared(task.task_id, task.job_id, run.id, run.decision), False)
        if task.replay:
            begun = perf_counter_ns()
            self._replay(task, stages)
            prepare.add((perf_counter_ns() - begun) // 1000)
        return stages

    def _replay(self, task: SegmentTask, stages: StageSet) -> None:
        runs = stages.replay_only()
        source = open_source(task.source, task.plan)
        try:
            for part in task.replay:
                for decoded in source.frames(part.planned):
                    self._look_up(task.task_id)
                    frame = Frame(decoded.pixels, part.offset + decoded.index, time_of(decoded, part))
                    stages.process(frame, runs)
        finally:
            source.close()

    def _look_up(self, task_id: int) -> None:
        now = perf_counter_ns()
        if now - self._polled_at >= _POLL_NS:
            self._polled_at = now
            self._poll()
            if task_id in self._dropped:
                raise TaskDropped

    def _finalize(self, task: FinalizeTask) -> FinalizeDone:
        started = perf_counter_ns()
        run = StageRun(task.stage, FINALIZE)
        self._recorder.note(0, FINALIZE)
        body: bytes | None = None
        error: str | None = None
        detail: str | None = None
        try:
            run.prepare(task.threads)
            summary = run.plugin.finalize(read_outputs(task.files, run.id))  # type: ignore[union-attr]  # prepared above
            body = msgspec.json.encode(dict(summary), enc_hook=_plain)
        except StageFailed as failure:
            _, _, error, detail = failure.args
        except BaseException as failure:  # noqa: BLE001  # the worker's edge: a plugin may raise anything, also SystemExit
            error, detail = describe(failure), detail_of(failure)
        return FinalizeDone(task.task_id, body, error, detail, (perf_counter_ns() - started) // 1000)


def _plain(value: object) -> object:
    """Take numpy's numbers and arrays in a summary as what they hold."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"finalize gave a {type(value).__name__}, which cannot be written as JSON")
