"""Cancel: end a job now; what is committed stays to be read."""

from collections.abc import Callable

from app.actions.refusal import refuse
from app.domain.job import Job, JobStatus, Wanted
from app.store import jobs, segments
from app.store.engine import Store


def cancel(job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
    """Ask for the job's end; one that nobody works on is cancelled at once. Raises UnknownJob, WrongState when it has ended."""
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        if job.status is JobStatus.CANCELLED or (job.wanted is Wanted.CANCEL and not job.status.ended):
            return job
        if job.status.ended:
            raise refuse(job, "cancel", "not ended")
        job = jobs.want(tx, job_id, Wanted.CANCEL)
        waiting = job.status in {JobStatus.QUEUED, JobStatus.PAUSED}
        if waiting and segments.count_leased(tx, job_id) == 0:
            job = jobs.move(tx, job_id, JobStatus.CANCELLED, reason="cancelled on request")
    wake()
    return job
