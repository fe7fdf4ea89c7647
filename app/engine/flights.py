"""Segments in flight: claimed, sent to a worker, heard of, and committed or given back."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.engine import Connection

from app.domain.job import JobStatus, Segment, Wanted
from app.engine import settle
from app.engine.executor import LostWorker
from app.engine.job_run import Flight, JobRun
from app.engine.messages import Beat, Drop, Picture, Prepared, Report, SegmentDone, SegmentTask, TaskFailed
from app.engine.mishaps import Mishaps
from app.engine.process import clock
from app.engine.station import Station
from app.store import breakdowns, jobs, segments

LEASE_S: Final = 60.0
_RENEW_S: Final = 5.0
_MARK_S: Final = 1.0
_DROP_PATIENCE_S: Final = 0.5
_log = logging.getLogger(__name__)


class Flights:
    """Sends segments out and takes them in again.

    `fail(run, reason)` ends a job that cannot go on; `landed` is called after each segment.
    """

    def __init__(self, station: Station, fail: Callable[[JobRun, str], Awaitable[None]], landed: Callable[[], None]) -> None:
        self._at, self._fail, self._landed = station, fail, landed
        self._mishaps = Mishaps(station)
        self._tasks: set[asyncio.Task[None]] = set()
        self.moved_at = clock()

    async def launch(self, run: JobRun, worker: int) -> bool:
        """Claim the job's next segment and send it to a worker; False when there was none to claim."""
        segment = await self._at.write(lambda tx: self._claim(tx, run), ring=False)
        if segment is None:
            return False
        if segment.start == 0 and segment.term == 1:
            self._at.ring()  # the job's first claim moved it to running
        task_id = self._at.next_task()
        if not run.flights:
            self.moved_at = clock()
        flight = run.flights[task_id] = Flight(segment, worker, clock())
        task = await self._task(run, segment, task_id, worker)
        self._keep(self._fly(run, flight, task))
        return True

    def drop(self, run: JobRun) -> None:
        """Have every segment of a job given back at its next frame, or soon after by force."""
        for task_id, flight in run.flights.items():
            if flight.dropped_at is None:
                flight.dropped_at = clock()
                self._at.executor.order(flight.worker, Drop(task_id))
                asyncio.get_running_loop().call_later(_DROP_PATIENCE_S, self._lose_patience, run, task_id)

    async def close(self) -> None:
        """Stop listening; what is in flight is given back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._at.write(lambda tx: segments.release_holder(tx, self._at.holder))

    def _lose_patience(self, run: JobRun, task_id: int) -> None:
        flight = run.flights.get(task_id)
        if flight is not None:
            self._at.executor.kill(flight.worker)

    def _claim(self, tx: Connection, run: JobRun) -> Segment | None:
        job = jobs.get(tx, run.job.id)
        if job.wanted is not Wanted.RUN or job.status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
            run.job = job
            return None
        segment = segments.claim(tx, job.id, holder=self._at.holder, lease_s=LEASE_S, now=datetime.now(UTC))
        if segment is None:
            run.exhausted = segments.count_open(tx, job.id) == 0
            return None
        run.job = jobs.move(tx, job.id, JobStatus.RUNNING) if job.status is JobStatus.QUEUED else job
        return segment

    async def _task(self, run: JobRun, segment: Segment, task_id: int, worker: int) -> SegmentTask:
        job, plan = run.job, run.job.plan
        assert plan is not None  # noqa: S101  # a job is stored with its plan
        replay: list[Segment] = []
        if run.serial:
            if segment.start and run.state_at != (worker, segment.start):
                replay = (await self._at.read(lambda tx: segments.states(tx, job.id)))[: segment.index]
            run.state_at = worker, segment.end
        slots = self._at.executor.slots
        return SegmentTask(
            task_id=task_id, job_id=job.id, segment_index=segment.index, term=segment.term, part=run.part(segment),
            source=job.source, plan=plan, stages=run.stages,
            outputs_path=str(self._at.outputs_folder(job.id) / file_name(segment)), serial=run.serial,
            threads=self._at.cores if run.serial else max(1, self._at.cores // slots),
            disabled=tuple(run.disabled), skips=tuple(run.skips), replay=tuple(run.part(earlier) for earlier in replay),
            due_at=run.claimed(segment, time.time()),
        )  # fmt: skip

    async def _fly(self, run: JobRun, flight: Flight, task: SegmentTask) -> None:
        segment, began = flight.segment, clock()
        trouble: str | None = None
        try:
            outcome = await self._at.executor.execute(flight.worker, task, lambda _, report: self._hear(run, flight, report))
            if isinstance(outcome, SegmentDone):
                run.finished(clock() - began)
                trouble = await self._commit(run, flight, outcome)
            else:
                run.state_at = None
                await self._at.write(lambda tx: segments.release(tx, segment))
                if isinstance(outcome, TaskFailed):
                    trouble = await self._mishaps.failed(run, outcome, flight.worker)
        except LostWorker as lost:
            run.lost_worker(flight.worker)
            await self._at.write(lambda tx: segments.release(tx, segment))
            if flight.dropped_at is None:
                trouble = await self._mishaps.lost(run, lost)
        finally:
            run.flights.pop(task.task_id, None)
        if trouble and not run.ending:
            await self._fail(run, trouble)
        self._landed()

    async def _commit(self, run: JobRun, flight: Flight, done: SegmentDone) -> str | None:
        segment, name = flight.segment, file_name(flight.segment)
        settled = await self._at.write(lambda tx: settle.commit_segment(tx, run.stages, segment, done, name))
        if settled is None:
            await self._discard(run, segment, name)
            return None
        self.moved_at = clock()
        run.beat(flight, Beat(done.task_id, done.frames, done.tallies), clock())
        flight.frames = 0  # counted in the job now
        run.job, run.exhausted = settled.job, settled.open_segments == 0
        for row in settled.rows:
            run.learn(row)
        self._at.teller.progress(run, clock())
        return "No stage is left to run: each was disabled after too many failures." if run.out_of_stages() else None

    async def _discard(self, run: JobRun, segment: Segment, name: str) -> None:
        """Remove rows that do not count; a commit that was asked for twice has them already, and then they stay."""
        known = await self._at.read(lambda tx: segments.committed(tx, run.job.id, segment.start, segment.end))
        if all(committed.outputs_file != name for committed in known):
            (self._at.outputs_folder(run.job.id) / name).unlink(missing_ok=True)

    def _hear(self, run: JobRun, flight: Flight, report: Report) -> None:
        if isinstance(report, Picture):
            self._at.teller.picture(run, flight.worker, report)
        elif isinstance(report, Beat):
            self.moved_at = clock()
            run.beat(flight, report, clock())
            self._at.teller.progress(run, clock())
            if clock() - run.marked_at >= _MARK_S and (run.told_percent or 0) > run.job.progress_told:
                run.marked_at = clock()
                self._keep(self._mark(run))
            if clock() - flight.renewed_at >= _RENEW_S:
                flight.renewed_at = clock()
                self._keep(self._renew(run, flight))
        elif isinstance(report, Prepared):
            run.prepared_on.add(flight.worker)
            self._keep(self._decide(run, flight.worker, report))

    async def _decide(self, run: JobRun, worker: int, report: Prepared) -> None:
        await self._at.write(lambda tx: breakdowns.decide(tx, run.job.id, report.stage, report.decision, str(worker)))

    async def _mark(self, run: JobRun) -> None:
        percent = run.told_percent or 0
        await self._at.write(lambda tx: jobs.note_progress(tx, run.job.id, percent), ring=False)

    async def _renew(self, run: JobRun, flight: Flight) -> None:
        now = datetime.now(UTC)
        if await self._at.write(lambda tx: segments.renew(tx, flight.segment, LEASE_S, now), ring=False) is None:
            self.drop(run)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("A segment could not be settled; its lease runs out and it is done again.", exc_info=task.exception())
            self._landed()


def file_name(segment: Segment) -> str:
    """Name of the outputs file of one claim of a segment: a fenced holder can never overwrite another's."""
    return f"{segment.index:08d}-{segment.term}.ndjson"
