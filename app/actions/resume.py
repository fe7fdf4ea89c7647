"""Resume: let a paused job go on where it stopped."""

from collections.abc import Callable

from app.actions.refusal import refuse
from app.domain.job import Job, JobStatus, Wanted
from app.store import jobs
from app.store.engine import Store


def resume(job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
    """Put a paused job back into the queue, or take back a pause under way. Raises UnknownJob, WrongState."""
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        if job.status.ended or job.wanted in {Wanted.CANCEL, Wanted.STOP}:
            raise refuse(job, "resume", "paused")
        if job.wanted is Wanted.RUN and job.status is not JobStatus.PAUSED:
            return job
        job = jobs.want(tx, job_id, Wanted.RUN)
        if job.status is JobStatus.PAUSED:
            job = jobs.move(tx, job_id, JobStatus.QUEUED, reason="resumed on request")
    wake()
    return job
