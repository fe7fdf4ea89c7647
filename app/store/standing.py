"""How jobs stand by their rows: what the feed tells of those that nobody has heard of, and whether work goes on."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.errors import UnknownJob
from app.domain.insight import Insight, Progress
from app.domain.job import JobStatus
from app.store import jobs
from app.store.engine import Store, utc_now
from app.store.tables import jobs as job_rows


class Movement(NamedTuple):
    """How many of the server's jobs wait for frames to be done, and when any of them moved last (None: there is no job).

    A job moves when its status or what is wanted of it changes, when a segment is committed, and when a lease is renewed.
    """

    jobs: int
    moved_at: datetime | None


def movement(tx: Connection) -> Movement:
    """Say whether and how the server's queued and running jobs move."""
    waiting = job_rows.c.status.in_([JobStatus.QUEUED, JobStatus.RUNNING]) & job_rows.c.runner.is_(None)
    row = tx.execute(sa.select(sa.func.count(), sa.func.max(job_rows.c.moved_at)).where(waiting)).one()
    return Movement(*row)


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


def plugins_of(store: Store, job_id: str) -> dict[str, str]:
    """Plugin of each stage of a job, by the stage's id; nothing for a job that is not there."""
    try:
        with store.read() as tx:
            return {stage.id: stage.plugin for stage in jobs.get(tx, job_id).pipeline.stages}
    except UnknownJob:
        return {}
