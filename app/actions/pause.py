"""Pause: let a job rest after the frames that are in work."""

from collections.abc import Callable

from app.actions.refusal import refuse
from app.domain.job import Job, JobStatus, Wanted
from app.store import jobs, segments
from app.store.engine import Store


def pause(job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
    """Ask for a rest; a queued job nobody works on rests at once. Raises UnknownJob, WrongState when it is ending or ended."""
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        waiting = job.status in {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED}
        if waiting and job.wanted is Wanted.PAUSE:
            return job
        if job.status not in {JobStatus.QUEUED, JobStatus.RUNNING} or job.wanted is not Wanted.RUN:
            raise refuse(job, "pause", "queued or running")
        job = jobs.want(tx, job_id, Wanted.PAUSE)
        if job.status is JobStatus.QUEUED and segments.count_leased(tx, job_id) == 0:
            job = jobs.move(tx, job_id, JobStatus.PAUSED, reason="paused on request")
    wake()
    return job
