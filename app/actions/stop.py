"""Stop: finish a job now with what is committed."""

from collections.abc import Callable

from app.actions.refusal import refuse
from app.domain.job import Job, JobStatus, Wanted
from app.store import jobs
from app.store.engine import Store


def stop(job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
    """Ask for the end with a result. Raises UnknownJob, WrongState when the job has ended by itself or is being cancelled."""
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        stopped = job.wanted is Wanted.STOP and job.status not in {JobStatus.FAILED, JobStatus.CANCELLED}
        if stopped or (job.status is JobStatus.FINALIZING and job.wanted is not Wanted.CANCEL):
            return job
        if job.status.ended or job.wanted is Wanted.CANCEL:
            raise refuse(job, "stop", "queued, running or paused")
        job = jobs.want(tx, job_id, Wanted.STOP)
    wake()
    return job
