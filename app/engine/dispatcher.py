"""The dispatcher: looks what is to be done, gives segments to workers, and moves jobs along."""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.errors import SightlineError
from app.domain.job import Job, JobStatus, Wanted
from app.engine import settle, turns
from app.engine.finisher import Finisher
from app.engine.flights import Flights
from app.engine.holder import is_dead
from app.engine.job_run import JobRun
from app.engine.messages import Forget
from app.engine.process import clock
from app.engine.stage_tasks import stage_tasks
from app.engine.station import Station
from app.store import breakdowns, follows, jobs, segments

_TICK_S: Final = 0.25
_REFRESH_S: Final = 1.0
_INHERIT_S: Final = 10.0
_STANDS_S: Final = 15.0
_CURE: Final = "it is tried again by itself, else restart the server: its jobs go on where they are."
_log = logging.getLogger(__name__)


class Dispatcher:
    """Moves every active job along until it is cancelled."""

    def __init__(self, station: Station) -> None:
        self._at = station
        self._runs: dict[str, JobRun] = {}
        self._woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._refreshed_at = self._inherited_at = float("-inf")
        self._finisher = Finisher(station)
        self._flights = Flights(station, self._fail, self._landed)
        self._ends: set[asyncio.Task[None]] = set()
        self._trouble: str | None = None  # why the last round could not be done
        self._looked_at = clock()  # when the last round ended

    def wake(self) -> None:
        """Look at the database again soon; may be called from any thread."""
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be woken
            self._loop.call_soon_threadsafe(self._rouse)

    @property
    def trouble(self) -> str | None:
        """Why no job is moved along, and what to do about it; None while all is well. May be asked on a thread."""
        stood = clock() - self._looked_at
        if self._trouble is None and stood > _STANDS_S:
            return f"The dispatcher has been in one round for {stood:.0f} s, most likely waiting for the database; {_CURE}"
        return self._trouble

    async def run(self) -> None:
        """Work until cancelled; what is in flight then is given back."""
        try:
            while True:
                try:
                    await self._look_round()
                    self._trouble = None
                except Exception as error:  # noqa: BLE001  # the dispatcher's edge: whatever it was, the next round is tried
                    _log.exception("The dispatcher could not do its round; trying again.")
                    self._trouble = f"The dispatcher cannot work: {type(error).__name__}: {error}; {_CURE}"
                self._looked_at = clock()
                with suppress(TimeoutError):  # not wait_for: on Python 3.11 it swallows a cancellation that meets a wake
                    async with asyncio.timeout(_TICK_S):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            self._trouble = "The dispatcher has ended: restart the server."
            for end in self._ends:
                end.cancel()
            await asyncio.gather(*self._ends, return_exceptions=True)
            await self._flights.close()

    async def _look_round(self) -> None:
        if clock() - self._inherited_at >= _INHERIT_S:
            self._inherited_at = clock()
            await self._at.write(self._inherit, ring=False)
        if clock() - self._refreshed_at >= _REFRESH_S:
            await self._refresh()
        await self._assign()
        self._flights.renew_leases(self._runs.values())
        self._tell()

    def _rouse(self) -> None:
        self._refreshed_at = float("-inf")
        self._woken.set()

    def _landed(self) -> None:
        """Look round soon; at every job anew where one comes down because a person wants it to."""
        if any(run.job.wanted is not Wanted.RUN for run in self._runs.values()):
            self._rouse()
        self._woken.set()

    def _inherit(self, tx: Connection) -> None:
        """Take up what processes of this machine left behind when they died."""
        for holder in filter(is_dead, segments.holders(tx)):
            segments.release_holder(tx, holder)
        if self._at.runner is None:
            for runner in filter(is_dead, jobs.runners(tx)):
                jobs.adopt(tx, runner)

    def _tell(self) -> None:
        waiting = sum(1 for run in self._runs.values() if run.job.status is JobStatus.QUEUED)
        for run in self._runs.values():
            self._at.teller.aim(run, self._at.executor)
            self._at.teller.turn_pages(run, clock())
            if run.flights:
                self._at.teller.metrics(run, clock(), waiting)

    async def _refresh(self) -> None:
        self._refreshed_at = clock()
        active = {job.id: job for job in await self._at.read(lambda tx: jobs.active(tx, self._at.runner))}
        for run in [run for job_id, run in self._runs.items() if job_id not in active and not run.ending]:
            self._let_go(run)
        for job in active.values():
            taken = self._runs.get(job.id) or await self._take_up(job)
            if taken is not None:
                taken.job = job
                await self._bring_about(taken)

    async def _take_up(self, job: Job) -> JobRun | None:
        if job.status is JobStatus.PAUSED and job.wanted is Wanted.PAUSE:
            return None
        try:
            plugins = {stage.plugin for stage in job.pipeline.stages}
            known = {plugin: (self._at.plugins.get(plugin), self._at.plugins.folder(plugin)) for plugin in plugins}
        except SightlineError as error:
            reason = str(error)
            await self._at.write(lambda tx: settle.fail(tx, job.id, reason))
            return None
        folder = self._at.outputs_folder(job.id)
        run = JobRun(job, stage_tasks(job, known, self._at.plugins.placed), str(folder))
        for row in await self._at.read(lambda tx: breakdowns.of_job(tx, job.id)):
            run.learn(row)
        run.left = await self._at.read(lambda tx: segments.count_left(tx, job.id))
        run.trail.frames_behind = await self._at.read(lambda tx: follows.frames_behind(tx, job.id))
        run.trail.waiting = run.trail.waiting or run.trail.frames_behind > 0  # the plugin may have declared it once
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        self._runs[job.id] = run
        return run

    async def _bring_about(self, run: JobRun) -> None:
        wanted = run.job.wanted
        if run.ending:
            if wanted is Wanted.CANCEL:
                self._finisher.interrupt(run.job.id)
        elif run.job.status is JobStatus.FINALIZING:
            self._end(run)
        elif wanted is not Wanted.RUN:
            if wanted is Wanted.CANCEL or not run.serial:
                self._flights.drop(run)
            elif run.open_ended:
                self._flights.hurry(run)
            if not run.flights:
                await self._settle_wish(run, wanted)

    async def _settle_wish(self, run: JobRun, wanted: Wanted) -> None:
        run.restart_clock()
        if wanted is Wanted.STOP:
            self._end(run, stopped=True)
            return
        if wanted is Wanted.CANCEL:
            await self._finisher.cancel(run)
        else:
            await self._at.write(lambda tx: jobs.rest(tx, run.job.id))
        self._let_go(run)

    async def _assign(self) -> None:
        launched = True
        while launched:
            launched, awaited = False, False
            for run in sorted(self._runs.values(), key=turns.place_in_line):
                if launched := await self._launch(run, ahead=not awaited):
                    break
                awaited = awaited or turns.waits(run, time.time())
        for run in list(self._runs.values()):
            if run.exhausted and not run.flights and not run.ending and run.job.wanted is Wanted.RUN:
                self._end(run)

    async def _launch(self, run: JobRun, *, ahead: bool) -> bool:
        """Send out what a job has to do next, its followers' segments first; False: nothing, or nobody is free for it."""
        threads = turns.threads(self._runs.values(), self._at.executor.slots, self._at.cores)
        if run.going and run.trail.waiting:
            load = self._at.load_for([task for task in run.gpu_stages if task in run.followers])
            worker = run.trail.worker_for_next(load, [flight.worker for flight in run.trailing()])
            if worker is not None and await self._flights.launch_followers(run, worker, threads):
                return True
        load = self._at.load_for([task for task in run.gpu_stages if task in run.leaders])
        worker = turns.worker_for_next(run, load, time.time(), ahead=ahead)
        if worker is None:
            return False
        return await self._flights.launch(
            run, worker, threads, turns.stretch(run, worker, self._at.executor.slots, ahead=ahead)
        )

    def _end(self, run: JobRun, *, stopped: bool = False) -> None:
        run.ending = True
        end = asyncio.ensure_future(self._see_through(run, stopped=stopped))
        self._ends.add(end)
        end.add_done_callback(self._ended)

    def _ended(self, end: "asyncio.Task[None]") -> None:
        self._ends.discard(end)
        if not end.cancelled() and end.exception() is not None:
            _log.error("A job could not be brought to its end; trying again.", exc_info=end.exception())

    async def _see_through(self, run: JobRun, *, stopped: bool) -> None:
        try:
            await self._finisher.finish(run, stopped=stopped)
        finally:
            self._let_go(run)
            self._rouse()

    async def _fail(self, run: JobRun, error: str) -> None:
        run.ending = True
        self._flights.drop(run)
        await self._finisher.fail(run, error)
        self._let_go(run)

    def _let_go(self, run: JobRun) -> None:
        self._flights.drop(run)
        run.aftermath.close()
        self._runs.pop(run.job.id, None)
        self._at.teller.forget(run.job.id)
        for worker in self._at.executor.load():
            self._at.executor.order(worker, Forget(run.job.id))
