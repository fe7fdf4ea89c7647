"""Carries out tasks: does a segment, or sums up a stage. Used by the worker process and by its in-process twin."""

from collections.abc import Callable
from time import perf_counter_ns

import cv2

from app.domain.frame import Frame
from app.domain.timing import Histogram
from app.engine.done import done
from app.engine.follow import Follow, replay
from app.engine.ledger import Ledger
from app.engine.live import reach_of, stream_for
from app.engine.messages import (
    Beat,
    Close,
    Drop,
    Dropped,
    FinalizeDone,
    Forget,
    Order,
    Outcome,
    Prepared,
    Report,
    SegmentDone,
    TaskFailed,
    Watch,
)
from app.engine.previewer import Previewer
from app.engine.recorder import DECODE, FINALIZE, IDLE, PREPARE, Recorder
from app.engine.rows import NO_ROOM, RowFile
from app.engine.segment import POLL_NS, SegmentReader, Surroundings, losses_in, time_of
from app.engine.stages import StageFailed, StageRun, StageSet
from app.engine.summing import sum_up
from app.engine.tasks import FinalizeTask, FollowTask, SegmentTask, Task
from app.engine.trouble import describe, detail_of
from app.media.sources import Source, open_source
from app.media.sources.stream import StreamSource

_BEAT_NS = 1_000_000_000


class TaskDropped(Exception):
    """The task was asked to stop."""


class Workbench:
    """One worker's place of work: carries out tasks, and keeps what is prepared for the next segment of the same job.

    `tell` sends a report (its second argument says that it may be dropped when nobody reads); `poll` reads orders that came
    in meanwhile and hands them to `obey`.
    """

    def __init__(
        self, recorder: Recorder, ledger: Ledger, tell: Callable[[Report, bool], None], poll: Callable[[], None]
    ) -> None:
        self._recorder, self._ledger, self._tell, self._poll = recorder, ledger, tell, poll
        self._previewer = Previewer(recorder, tell)
        self._sets: dict[tuple[str, bool], StageSet] = {}  # by job, and whether they are those of its followers
        self._sources: dict[str, Source | StreamSource] = {}
        self._dropped: set[int] = set()
        self._hurried: set[int] = set()
        self._polled_at = self._beaten_at = 0
        self._threads = 0

    def obey(self, order: Order) -> None:
        """Take an order that is not a task."""
        if isinstance(order, Watch):
            self._previewer.watch(order)
        elif isinstance(order, Forget):
            self._forget(order.job_id)
        elif isinstance(order, Drop):
            self._dropped.add(order.task_id)
        elif isinstance(order, Close):
            self._hurried.add(order.task_id)

    def carry_out(self, task: Task) -> Outcome:
        """Do a task to its end; whatever goes wrong with it comes back as an outcome.

        Raises MemoryError where there is no memory left to go on with; what was finished then stays where it is.
        """
        self._recorder.begin(task.task_id)
        self._polled_at = 0
        if task.threads != self._threads:
            cv2.setNumThreads(task.threads)
            self._threads = task.threads
        try:
            outcome = self._do(task)
        except TaskDropped:
            self._forget(task.job_id)
            outcome = Dropped(task.task_id)
        except MemoryError:
            raise
        except StageFailed as failure:
            self._forget(task.job_id)
            code, stage, message, detail = failure.args
            outcome = TaskFailed(task.task_id, code, stage, message, detail)
        except Exception as error:  # noqa: BLE001  # the worker's edge: an unreadable source or a full disk ends the task only
            self._forget(task.job_id)
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                outcome = TaskFailed(task.task_id, "disk", None, str(error.strerror).lower(), None)
            else:
                outcome = TaskFailed(task.task_id, "source", None, describe(error), detail_of(error))
        self._dropped.discard(task.task_id)
        self._hurried.discard(task.task_id)
        self._recorder.note(0, IDLE)
        return outcome

    def _do(self, task: Task) -> Outcome:
        self._look_up(task.task_id)  # one that was dropped while it waited is not prepared for
        if isinstance(task, FinalizeTask):
            return self._finalize(task)
        return self._follow(task) if isinstance(task, FollowTask) else self._segment(task)

    def close(self) -> None:
        """Let go of everything."""
        for job_id in {*self._sources, *(job_id for job_id, _ in self._sets)}:
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        for follows in (False, True):
            self._sets.pop((job_id, follows), None)
        source = self._sources.pop(job_id, None)
        if source is not None:
            source.close()

    def _segment(self, task: SegmentTask) -> SegmentDone:
        started = perf_counter_ns()
        prepare = Histogram()
        stages = self._stages(task, prepare)
        at = Surroundings(self._recorder, self._ledger, self._previewer, self._tell, self._look_up, self._is_hurried)
        reader = SegmentReader(task, stages, at, prepare, started)
        try:
            source = self._source(task, reader.decode)
            reader.read(source)
            reach = reach_of(source, task)
            if reach and reach.end == task.part.start and not reach.last:
                raise TaskDropped  # it was hurried before a frame came: there is nothing to hand in
            rows = reader.place()
        except BaseException as error:
            if not isinstance(error, MemoryError):  # then the worker ends, and what it had finished is taken over
                reader.file.discard()
            raise
        return done(task, reader, stages, rows, losses_in(source.losses, task.part), started, reach)

    def _follow(self, task: FollowTask) -> SegmentDone:
        started = perf_counter_ns()
        prepare = Histogram()
        stages = self._stages(task, prepare)
        file = RowFile(task.outputs_path, self._ledger)
        follow = Follow(task, stages, file, prepare)
        try:
            follow.go_over(self._recorder, self._tell, self._look_up)
            rows = follow.place(self._recorder)
        except BaseException:
            file.discard()
            raise
        return done(task, follow, stages, rows, (), started)

    def _source(self, task: SegmentTask, decode: Histogram) -> Source | StreamSource:
        source = self._sources.get(task.job_id)
        if task.rules is not None:
            source = self._sources[task.job_id] = stream_for(task, source)
        elif source is None:
            begun = perf_counter_ns()
            source = self._sources[task.job_id] = open_source(task.source, task.plan)
            decode.add((perf_counter_ns() - begun) // 1000)
        return source

    def _stages(self, task: SegmentTask | FollowTask, prepare: Histogram) -> StageSet:
        key = task.job_id, isinstance(task, FollowTask)
        stages = self._sets.get(key)
        if stages is None or (task.serial and stages.next_frame != task.part.start):
            if task.serial and task.part.start and not task.replay:
                raise StageFailed("state", None, "the worker does not hold the state of the earlier frames", None)
            stages = self._prepare(task, prepare)
            self._sets[key] = stages
        stages.step_over(task.disabled, task.skips)
        stages.clear()
        return stages

    def _prepare(self, task: SegmentTask | FollowTask, prepare: Histogram) -> StageSet:
        stages = StageSet(task.stages, self._recorder)
        stages.step_over(task.disabled, task.skips)
        for run in stages.runs:
            if not run.disabled and (run.id in task.following) == isinstance(task, FollowTask):
                begun = perf_counter_ns()
                try:
                    stages.prepare(run, task.threads, task.gpu)
                finally:  # a refusal is a decision too
                    prepare.add((perf_counter_ns() - begun) // 1000)
                    if run.decision is not None:
                        self._tell(Prepared(task.task_id, task.job_id, run.id, run.decision), False)
        if task.replay:
            begun = self._beaten_at = perf_counter_ns()
            if isinstance(task, FollowTask):
                replay(task, stages, lambda: self._still_there(task.task_id))
            else:
                self._replay(task, stages)
            prepare.add((perf_counter_ns() - begun) // 1000)
        return stages

    def _replay(self, task: SegmentTask, stages: StageSet) -> None:
        runs = stages.replay_only()
        source = open_source(task.source, task.plan)
        try:
            for part in task.replay:
                for decoded in source.frames(part.planned):
                    frame = Frame(decoded.pixels, part.offset + decoded.index, time_of(decoded, part))
                    if frame.index >= part.stop:
                        break
                    if frame.index >= task.replay_from:
                        stages.process(frame, runs)
                    self._still_there(task.task_id)
                    self._recorder.note(frame.index + 1, DECODE)
        finally:
            source.close()

    def _still_there(self, task_id: int) -> None:
        """Take orders, and be heard of, while earlier frames are gone through again."""
        self._look_up(task_id)
        if perf_counter_ns() - self._beaten_at >= _BEAT_NS:
            self._beaten_at = perf_counter_ns()
            self._tell(Beat(task_id, 0, ()), True)

    def _look_up(self, task_id: int) -> None:
        now = perf_counter_ns()
        if now - self._polled_at >= POLL_NS:
            self._polled_at = now
            self._poll()
            if task_id in self._dropped:
                raise TaskDropped

    def _is_hurried(self, task_id: int) -> bool:
        return task_id in self._hurried

    def _finalize(self, task: FinalizeTask) -> FinalizeDone:
        started = perf_counter_ns()
        run = StageRun(task.stage, FINALIZE)
        self._recorder.note(0, PREPARE)
        body: bytes | None = None
        try:
            run.prepare(task.threads, task.gpu)
            self._recorder.note(0, FINALIZE)
            body, error, detail = sum_up(run, task.folder, task.rows)
        except StageFailed as failure:
            _, _, error, detail = failure.args
        return FinalizeDone(task.task_id, body, error, detail, (perf_counter_ns() - started) // 1000)
