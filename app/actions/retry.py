"""Retry: let a failed or cancelled job go on with the segments that are not committed yet."""

from collections.abc import Callable

from sqlalchemy import Connection

from app.actions.refusal import refuse
from app.domain.health import Health, HealthVerdict, Vitals, judge
from app.domain.insight import Status
from app.domain.job import Job, JobStatus, Wanted
from app.store import breakdowns, facts, jobs
from app.store.engine import Store

_AGAIN = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


def retry(job_id: str, *, store: Store, wake: Callable[[], None]) -> Job:
    """Put the job back into the queue; id and committed segments stay. Raises UnknownJob, WrongState.

    Asked again while the retried job is on its way, it answers the job as it is.
    """
    with store.begin() as tx:
        jobs.lock(tx, job_id)
        job = jobs.get(tx, job_id)
        if not job.status.ended and _was_retried(tx, job_id):
            return job
        if job.status not in _AGAIN:
            raise refuse(job, "retry", "failed or cancelled")
        _give_stages_another_chance(tx, job)
        jobs.want(tx, job_id, Wanted.RUN)
        job = jobs.move(tx, job_id, JobStatus.QUEUED, reason="retried on request")
        if job.runner is not None:
            jobs.adopt(tx, job.runner)  # its process is done with it; the server does the rest
    wake()
    return job


def _give_stages_another_chance(tx: Connection, job: Job) -> None:
    for row in breakdowns.of_job(tx, job.id):
        if row.disabled and row.plugin:
            past = Vitals(row.frames + row.soft_failures, row.soft_failures, row.over_budget)
            verdict = judge(past, Health.OK, row.budget_ms) or HealthVerdict(Health.OK, "")
            breakdowns.set_health(tx, job.id, row.stage, row.plugin, verdict.health, verdict.reason)


def _was_retried(tx: Connection, job_id: str) -> bool:
    told = (insight for _, insight in facts.of_job(tx, job_id) if isinstance(insight, Status))
    return any(status.previous in _AGAIN for status in told)
