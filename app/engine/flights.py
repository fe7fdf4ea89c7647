"""Segments in flight: claimed, sent to a worker, heard of, and committed or given back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy.engine import Connection

from app.domain.job import JobStatus, Segment, Wanted
from app.engine import source_news, turns
from app.engine.briefing import Briefing, shared_by
from app.engine.executor import LostWorker
from app.engine.flight import Flight
from app.engine.job_run import JobRun
from app.engine.landings import Landings
from app.engine.messages import Beat, Close, Drop, Followed, Picture, Prepared, Report, SegmentDone, TaskFailed
from app.engine.mishaps import Mishaps
from app.engine.process import clock
from app.engine.station import Station
from app.engine.tasks import FollowTask, SegmentTask
from app.store import breakdowns, follows, jobs, segments, stretches

_RENEW_S: Final = 5.0
_RENEWALS: Final = 4  # a lease is renewed at least so often before it would run out
_MARK_S: Final = 1.0
_DROP_PATIENCE_S: Final = 0.3
_DRY_S: Final = 1.0  # where no segment could be claimed, nobody asks again sooner, unless one comes back
_log = logging.getLogger(__name__)


class Flights:
    """Sends segments out and takes them in again.

    `fail(run, reason)` ends a job that cannot go on; `landed` is called after each segment.
    """

    def __init__(self, station: Station, fail: Callable[[JobRun, str], Awaitable[None]], landed: Callable[[], None]) -> None:
        self._at, self._fail, self._landed = station, fail, landed
        self._mishaps, self._briefing, self._landings = Mishaps(station), Briefing(station), Landings(station)
        self._tasks: set[asyncio.Task[None]] = set()

    async def launch(self, run: JobRun, worker: int, threads: int, most: int = 1) -> bool:
        """Claim the job's next segments, about `most`, and send them to a worker, to be done with so many threads.

        False: there was none to claim.
        """
        if run.dry_until > clock():
            return False
        claim = partial(stretches.claim, most=most) if most > 1 else _claim_one
        claimed = await self._at.write(lambda tx: self._claim(tx, run, claim), ring=False)
        shared = shared_by(run, claimed)
        for segment in claimed:
            task_id, flight = self._take_off(run, Flight(segment, worker, clock(), shared=shared))
            self._keep(self._fly(run, flight, await self._briefing.segment(run, flight, task_id, threads)))
        if not claimed:
            run.dry_until = clock() + _DRY_S
        return bool(claimed)

    async def launch_followers(self, run: JobRun, worker: int, threads: int) -> bool:
        """Claim the next segment whose followers are due and send it to a worker; False when there was none to claim."""
        claimed = await self._at.write(lambda tx: self._claim(tx, run, _claim_followed), ring=False)
        if not claimed:
            run.trail.waiting = False
            return False
        (segment,) = claimed
        task_id, flight = self._take_off(run, Flight(segment, worker, clock(), follows=True))
        task = await self._briefing.followers(run, flight, task_id, threads)
        if task is None:
            del run.flights[task_id]
            run.trail.state_at = None  # nobody goes on before those in hand are committed
            await self._at.write(lambda tx: segments.release(tx, segment), ring=False)
            return False
        self._keep(self._fly(run, flight, task))
        return True

    def _take_off(self, run: JobRun, flight: Flight) -> tuple[int, Flight]:
        if flight.segment.start == 0 and flight.segment.term == 1:
            self._at.ring()  # the job's first claim moved it to running
        task_id = self._at.next_task()
        run.flights[task_id] = flight
        return task_id, flight

    def drop(self, run: JobRun) -> None:
        """Have every segment of a job given back at its next frame, or soon after by force."""
        run.strip.hurry.set()
        for task_id, flight in run.flights.items():
            if flight.dropped_at is None:
                flight.dropped_at = clock()
                self._at.executor.order(flight.worker, Drop(task_id))
                asyncio.get_running_loop().call_later(_DROP_PATIENCE_S, self._lose_patience, run, task_id)

    def hurry(self, run: JobRun) -> None:
        """Have the segment of an address handed in at its next frame."""
        run.strip.hurry.set()
        for task_id, flight in run.flights.items():
            if not flight.hurried:
                flight.hurried = True
                self._at.executor.order(flight.worker, Close(task_id))

    def renew_leases(self, runs: Iterable[JobRun]) -> None:
        """Prolong the leases of workers that can go on, in a long frame too; one that hangs is ended by the pool."""
        every_s = min(_RENEW_S, self._at.lease_s / _RENEWALS)
        for run in runs:
            for flight in run.flights.values():
                if clock() - flight.renewed_at >= every_s and self._at.executor.alive(flight.worker):
                    flight.renewed_at = clock()
                    self._keep(self._renew(run, flight))

    async def close(self) -> None:
        """Stop listening; what is in flight is given back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._at.write(lambda tx: segments.release_holder(tx, self._at.holder))

    def _lose_patience(self, run: JobRun, task_id: int) -> None:
        flight = run.flights.get(task_id)
        if flight is not None and not flight.landed and not self._at.executor.withdraw(flight.worker, task_id):
            self._at.executor.kill(flight.worker)

    def _claim(self, tx: Connection, run: JobRun, claim: Callable[..., list[Segment]]) -> list[Segment]:
        job = jobs.refreshed(tx, run.job)
        if job.wanted is not Wanted.RUN or job.status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
            run.job = job
            return []
        claimed = claim(tx, job.id, holder=self._at.holder, lease_s=self._at.lease_s, now=datetime.now(UTC))
        if not claimed:
            run.exhausted = not segments.any_open(tx, job.id)
            return []
        run.job = jobs.move(tx, job.id, JobStatus.RUNNING) if job.status is JobStatus.QUEUED else job
        return claimed

    def _has_room(self, run: JobRun, worker: int) -> bool:
        return self._at.executor.load().get(worker, 0) < turns.depth(run, self._at.executor.slots, ahead=True)

    async def _fly(self, run: JobRun, flight: Flight, task: SegmentTask | FollowTask) -> None:
        segment, trouble = flight.segment, None
        try:
            outcome = await self._at.executor.execute(flight.worker, task, lambda _, report: self._hear(run, flight, report))
            if isinstance(outcome, SegmentDone):
                run.finished(flight, outcome.loop_us / 1e6)
                flight.landed = True
                if not outcome.failures and (run.watched_on is not None or self._has_room(run, flight.worker)):
                    self._landed()  # another worker is to be watched, or this one given more, before this one is committed
                trouble = await self._landings.commit(run, flight, outcome)
            else:
                run.lost_state(flight)
                run.aftermath.keep(segment, flight.kept)
                held = await self._at.write(lambda tx: segments.release(tx, segment))
                if isinstance(outcome, TaskFailed) and held:  # a fenced one may find its rows gone: no failure of the job
                    trouble = await self._mishaps.failed(run, outcome, flight.worker)
        except LostWorker as lost:
            run.lost_worker(flight.worker)
            run.aftermath.keep(segment, flight.kept, lost.kept)
            await self._at.write(lambda tx: segments.release(tx, segment))
            if flight.dropped_at is None:
                trouble = await self._mishaps.lost(run, lost, flight)
        finally:
            run.flights.pop(task.task_id, None)
            run.look_again()
        if flight.shared:
            await self._landings.part_with(run, flight.shared)
        if trouble and not run.ending:
            await self._fail(run, trouble)
        self._landed()

    def _hear(self, run: JobRun, flight: Flight, report: Report) -> None:
        if isinstance(report, Picture):
            self._at.teller.picture(run, flight.worker, report)
        elif isinstance(report, Beat):
            run.beat(flight, report, clock())
            self._at.teller.progress(run, clock())
            self._keep(self._landings.note_health(run))
            if clock() - run.marked_at >= _MARK_S and (run.told_percent or 0) > run.job.progress_told:
                run.marked_at = clock()
                self._keep(self._mark(run))
        elif isinstance(report, Followed):
            run.album.complete(report)
        elif isinstance(report, source_news.Told):
            self._keep(source_news.keep(self._at, run, report))
        elif isinstance(report, Prepared):
            run.prepared_on |= set() if flight.follows else {flight.worker}
            run.decided(report.stage, report.decision)
            self._keep(self._decide(run, flight.worker, report))

    async def _decide(self, run: JobRun, worker: int, report: Prepared) -> None:
        await self._at.write(lambda tx: breakdowns.decide(tx, run.job.id, report.stage, report.decision, str(worker)))

    async def _mark(self, run: JobRun) -> None:
        percent = run.told_percent or 0
        await self._at.write(lambda tx: jobs.note_progress(tx, run.job.id, percent), ring=False)

    async def _renew(self, run: JobRun, flight: Flight) -> None:
        now = datetime.now(UTC)
        if await self._at.write(lambda tx: segments.renew(tx, flight.segment, self._at.lease_s, now), ring=False) is None:
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


def _claim_one(tx: Connection, job_id: str, **terms: Any) -> list[Segment]:
    segment = segments.claim(tx, job_id, **terms)
    return [] if segment is None else [segment]


def _claim_followed(tx: Connection, job_id: str, **terms: Any) -> list[Segment]:
    segment = follows.claim(tx, job_id, **terms)
    return [] if segment is None else [segment]
