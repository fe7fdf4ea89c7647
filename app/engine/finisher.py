"""Brings jobs to their end: sums up every stage, and moves the job to its last status."""

import asyncio
from pathlib import Path
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.job import Job, JobStatus, RowsPlace, Wanted, WarningCode
from app.engine import settle
from app.engine.ending import TRIES, Blame
from app.engine.executor import LostWorker
from app.engine.incidents import Incident
from app.engine.job_run import JobRun
from app.engine.messages import FinalizeDone, Report, TaskFailed
from app.engine.process import clock
from app.engine.station import Station
from app.engine.tasks import FinalizeTask, StageTask
from app.store import growth, jobs, segments, warnings

_STOPPED: Final = "it was stopped"


class Finisher:
    """Ends jobs: completed, failed or cancelled."""

    def __init__(self, station: Station) -> None:
        self._at = station
        self._summing: dict[str, int] = {}  # the worker that sums up a job's stage right now

    async def finish(self, run: JobRun, *, stopped: bool) -> None:
        """Sum up every stage over its committed outputs and complete the job."""
        job_id = run.job.id
        self._at.teller.close_album(run)
        await self._at.write(lambda tx: _begin(tx, job_id, stopped=stopped))
        committed = await self._at.read(lambda tx: segments.committed(tx, job_id))
        folder = self._at.outputs_folder(job_id)
        rows = tuple(segment.rows for segment in committed if segment.rows)
        done = [
            (task, await self._sum_up(run, task, rows)) for task in run.stages if task.stage.id not in run.aftermath.unprepared
        ]
        if await self._wanted(job_id) is Wanted.CANCEL:
            await self.cancel(run)
            return
        await self._end(run, lambda tx: settle.finish(tx, job_id, done, run.aftermath.told))
        await asyncio.to_thread(_tidy, folder, frozenset(place.file for place in rows))

    async def fail(self, run: JobRun, error: str) -> None:
        """End a job that cannot go on; what was committed stays."""
        await self._end(run, lambda tx: settle.fail(tx, run.job.id, error))

    async def cancel(self, run: JobRun) -> None:
        """End a job as cancelled; what was committed stays."""
        await self._end(run, lambda tx: settle.cancel(tx, run.job.id))

    def interrupt(self, job_id: str) -> None:
        """Stop summing up a job."""
        worker = self._summing.get(job_id)
        if worker is not None:
            self._at.executor.kill(worker)

    async def _end(self, run: JobRun, change: settle.Change) -> None:
        percent = run.told_percent or 0

        def marked(tx: Connection) -> Job:
            jobs.note_progress(tx, run.job.id, percent)
            return change(tx)

        async with self._at.hold():  # the last progress is told before the status that ends the feed
            run.job = await self._at.write(marked, ring=False)
            self._at.teller.progress(run, clock(), full=run.job.status.succeeded, force=True)
        self._at.ring()

    async def _wanted(self, job_id: str) -> Wanted:
        return (await self._at.read(lambda tx: jobs.get(tx, job_id))).wanted

    async def _sum_up(self, run: JobRun, task: StageTask, rows: tuple[RowsPlace, ...]) -> FinalizeDone:
        """Have a stage summed up; a worker that is lost over it is told of where the next try made it good."""
        incidents: list[Incident] = []
        while await self._wanted(run.job.id) is not Wanted.CANCEL:
            worker = await self._free_worker([stage for stage in run.gpu_stages if stage is task])
            self._summing[run.job.id] = worker
            try:
                order = FinalizeTask(
                    self._at.next_task(), run.job.id, task, run.folder, rows, self._at.cores, self._at.gpu_of(worker)
                )
                outcome = await self._at.executor.execute(worker, order, _pass_over)
            except LostWorker as lost:
                if lost.started and lost.blame is not Blame.OURSELVES:
                    incidents.append(Incident.of(lost, f"the summing up of {task.stage.id}", frame=None, stage=task.stage.id))
                if sum(incident.blame is lost.blame for incident in incidents) >= TRIES[lost.blame]:
                    return FinalizeDone(0, None, f"Could not be summed up: {lost.cause}.", lost.detail, 0)
                continue
            finally:
                self._summing.pop(run.job.id, None)
            run.aftermath.tell(incidents)
            if isinstance(outcome, FinalizeDone):
                return outcome
            return FinalizeDone(0, None, outcome.message if isinstance(outcome, TaskFailed) else _STOPPED, None, 0)
        return FinalizeDone(0, None, _STOPPED, None, 0)

    async def _free_worker(self, stages: list[StageTask]) -> int:
        while not (load := self._at.load_for(stages)):  # noqa: ASYNC110  # workers come up by themselves and tell nobody here
            await asyncio.sleep(0.05)
        return min(load, key=lambda worker: load[worker])


def _tidy(folder: Path, files: frozenset[str]) -> None:
    """Remove rows that claims left behind when their holders died: nothing of them counts."""
    for path in folder.glob("*.ndjson*"):
        if path.name not in files:
            path.unlink(missing_ok=True)


def _pass_over(worker: int, report: Report) -> None:
    """Summing up tells nothing on the way."""


def _begin(tx: Connection, job_id: str, *, stopped: bool) -> Job:
    job = jobs.get(tx, job_id)
    if job.status is JobStatus.FINALIZING:
        return job
    if stopped:
        growth.set_length(tx, job_id, job.frames_done)
        total = "an unknown number of" if job.frames_total is None else str(job.frames_total)
        warnings.warn(
            tx, job_id, code=WarningCode.STOPPED_EARLY, stage=None,
            message=f"Stopped on request after {job.frames_done} of {total} frames.", count=1,
            first_frame_index=None, last_frame_index=None, detail=None,
        )  # fmt: skip
    return jobs.move(tx, job_id, JobStatus.FINALIZING, reason="stopped on request" if stopped else None)
