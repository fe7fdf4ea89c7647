"""How jobs stand by their rows: what the feed tells of those that nobody has heard of since the server started."""

from app.domain.errors import UnknownJob
from app.domain.insight import Insight, Progress
from app.store import jobs
from app.store.engine import Store, utc_now


def open_jobs(store: Store) -> frozenset[str]:
    """Ids of the jobs that have not ended, whoever runs them."""
    with store.read() as tx:
        return frozenset(jobs.open_ids(tx))


def progress_of(store: Store, job_id: str) -> list[Insight]:
    """How far a job is by what is committed; nothing for a job that is not there."""
    try:
        with store.read() as tx:
            job = jobs.get(tx, job_id)
    except UnknownJob:
        return []
    until = job.finished_at or utc_now()
    elapsed = (until - job.started_at).total_seconds() if job.started_at else 0.0
    return [
        Progress(
            at=until,
            job_id=job_id,
            progress=job.progress,
            frames_done=job.frames_done,
            frames_total=job.frames_total,
            elapsed_s=round(elapsed, 3),
            eta_s=0.0 if job.status.succeeded else None,
        )
    ]
