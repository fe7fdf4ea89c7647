"""Jobs: stored with their segments, moved only as the table of moves allows."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.domain.errors import IdempotencyConflict, UnknownJob, WrongState
from app.domain.insight import Status
from app.domain.job import ENDED, MOVES, Job, JobStatus, Segment, Wanted
from app.domain.media import SourcePlan
from app.store import facts
from app.store import segments as stored_segments
from app.store.engine import utc_now
from app.store.tables import job_plugins, job_tags, jobs

_C: Final = jobs.c
LISTED: Final = tuple(c for c in _C if c.name not in {"upload_sha256", "search", "moved_at", "idempotency_key", "fingerprint"})
_CHANGING: Final = (
    _C.status, _C.wanted, _C.frames_total, _C.frames_done, _C.started_at, _C.finished_at, _C.error, _C.runner, _C.progress_told,
)  # fmt: skip
_REFRESH: Final = sa.select(*_CHANGING).where(_C.id == sa.bindparam("of_job"))  # built once: asked for each segment
_ADVANCE: Final = (
    sa.update(jobs)
    .where(_C.id == sa.bindparam("of_job"))
    .values(frames_done=_C.frames_done + sa.bindparam("counted"), moved_at=sa.bindparam("at"))
    .returning(*_CHANGING)
)
_LOCK: Final = sa.select(_C.id).where(_C.id == sa.bindparam("of_job")).with_for_update()
_QUEUE_LOCK: Final = 0x51_67_68_75  # number of the lock that keeps two submitters apart on Postgres
_QUEUE: Final = (_C.priority.desc(), _C.created_at, _C.id)


def insert(
    tx: Connection, job: Job, segments: Iterable[Segment], *, idempotency_key: str | None = None, fingerprint: str | None = None
) -> None:
    """Store a new job with its segments and its first fact; raise IdempotencyConflict where the key is taken."""
    row = sa.insert(jobs).values(**_values(job), idempotency_key=idempotency_key, fingerprint=fingerprint)
    try:
        tx.execute(row)
    except IntegrityError as error:
        if "idempotency_key" not in str(error.orig):
            raise
        raise IdempotencyConflict(key=idempotency_key) from None
    tx.execute(sa.insert(job_plugins), [{"job_id": job.id, "plugin": name} for name in _plugins(job)])
    if job.tags:
        tx.execute(sa.insert(job_tags), [{"job_id": job.id, "tag": tag} for tag in dict.fromkeys(job.tags)])
    stored_segments.add(tx, list(segments))
    facts.append(tx, Status(at=utc_now(), job_id=job.id, status=job.status, previous=None, reason=None))


def get(tx: Connection, job_id: str) -> Job:
    """Give a job; raise UnknownJob."""
    row = tx.execute(sa.select(*LISTED).where(_C.id == job_id)).first()
    if row is None:
        raise UnknownJob(job_id=job_id)
    return read_row(row)


def refreshed(tx: Connection, job: Job) -> Job:
    """Give a job with what may have changed since it was read; raise UnknownJob. Cheaper than to read all of it."""
    row = tx.execute(_REFRESH, {"of_job": job.id}).first()
    if row is None:
        raise UnknownJob(job_id=job.id)
    return replace(job, **row._mapping)


def advance(tx: Connection, job: Job, frames: int) -> Job:
    """Count committed frames to a job, which keeps other writers off it; give it with what may have changed since it was read.

    Raise UnknownJob.
    """
    row = tx.execute(_ADVANCE, {"of_job": job.id, "counted": frames, "at": utc_now()}).first()
    if row is None:
        raise UnknownJob(job_id=job.id)
    return replace(job, **row._mapping)


def by_idempotency_key(tx: Connection, key: str) -> tuple[str, str | None] | None:
    """Id and fingerprint of the job that was stored with this key."""
    row = tx.execute(sa.select(_C.id, _C.fingerprint).where(_C.idempotency_key == key)).first()
    return None if row is None else (row.id, row.fingerprint)


def active(tx: Connection, runner: str | None) -> list[Job]:
    """Jobs of a runner (None: of the server) that have not ended, in the order of the queue: priority, then age."""
    return [
        read_row(row) for row in tx.execute(sa.select(*LISTED).where(_C.status.not_in(ENDED), _of(runner)).order_by(*_QUEUE))
    ]


def open_ids(tx: Connection) -> list[str]:
    """Ids of the jobs that have not ended, whoever runs them."""
    return list(tx.execute(sa.select(_C.id).where(_C.status.not_in(ENDED))).scalars())


def runners(tx: Connection) -> set[str]:
    """Processes that alone may run a job which has not ended."""
    return set(tx.execute(sa.select(_C.runner).where(_C.status.not_in(ENDED)).distinct()).scalars()) - {None}


def adopt(tx: Connection, runner: str) -> None:
    """Let the server run what a process left behind."""
    tx.execute(sa.update(jobs).where(_C.runner == runner, _C.status.not_in(ENDED)).values(runner=None, moved_at=utc_now()))


def waiting(tx: Connection, runner: str | None = None) -> int:
    """How many jobs of a runner (None: of the server) are queued."""
    return _count(tx, _C.status == JobStatus.QUEUED, _of(runner))


def running(tx: Connection, runner: str | None = None) -> int:
    """How many jobs of a runner (None: of the server) run, or are summed up."""
    return _count(tx, _C.status.in_((JobStatus.RUNNING, JobStatus.FINALIZING)), _of(runner))


def queue_position(tx: Connection, job_id: str) -> int:
    """Place of a queued job among those of its runner, from 1; 0 where it is not queued. Raise UnknownJob."""
    job = get(tx, job_id)
    if job.status is not JobStatus.QUEUED:
        return 0
    earlier = (_C.created_at < job.created_at) | ((_C.created_at == job.created_at) & (_C.id <= job.id))
    ahead = (_C.priority > job.priority) | ((_C.priority == job.priority) & earlier)
    return _count(tx, _C.status == JobStatus.QUEUED, _of(job.runner), ahead)


def move(tx: Connection, job_id: str, to: JobStatus, *, reason: str | None = None, error: str | None = None) -> Job:
    """Move a job to another status and store the fact; raise WrongState where the table of moves has no such move.

    The first start and the end are timed here; going back to the queue clears the end and the error.
    """
    lock(tx, job_id)
    job = get(tx, job_id)
    if to not in MOVES[job.status]:
        expected = " or ".join(status for status in JobStatus if to in MOVES[status])
        raise WrongState(job_id=job_id, status=job.status.value, verb=f"becoming {to}", expected=expected)
    now = utc_now()
    changes: dict[str, Any] = {"status": to, "moved_at": now, "finished_at": now if to.ended else None, "error": error}
    if to is JobStatus.RUNNING and job.started_at is None:
        changes["started_at"] = now
    tx.execute(sa.update(jobs).where(_C.id == job_id).values(**changes))
    facts.append(tx, Status(at=now, job_id=job_id, status=to, previous=job.status, reason=reason))
    return get(tx, job_id)


def rest(tx: Connection, job_id: str) -> None:
    """Move a job to paused, unless it was resumed while its last frames were brought in."""
    lock(tx, job_id)
    job = get(tx, job_id)
    if job.wanted is Wanted.PAUSE and job.status is not JobStatus.PAUSED:
        move(tx, job_id, JobStatus.PAUSED)


def note_progress(tx: Connection, job_id: str, percent: int) -> None:
    """Store the most per cent anybody was told of a job; it never falls."""
    tx.execute(sa.update(jobs).where(_C.id == job_id, _C.progress_told < percent).values(progress_told=percent))


def want(tx: Connection, job_id: str, wanted: Wanted) -> Job:
    """Store what a person wants of a job; raise UnknownJob."""
    tx.execute(sa.update(jobs).where(_C.id == job_id).values(wanted=wanted, moved_at=utc_now()))
    return get(tx, job_id)


def delete(tx: Connection, job_id: str) -> None:
    """Delete a job with all that belongs to it, facts included; raise UnknownJob."""
    if tx.execute(sa.delete(jobs).where(_C.id == job_id)).rowcount == 0:
        raise UnknownJob(job_id=job_id)


def lock(tx: Connection, job_id: str) -> None:
    """Keep other writers off a job until the transaction ends; raise UnknownJob."""
    if tx.execute(_LOCK, {"of_job": job_id}).first() is None:
        raise UnknownJob(job_id=job_id)


def lock_queue(tx: Connection) -> None:
    """Keep others from storing a job until the transaction ends; in SQLite the write lock does."""
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_QUEUE_LOCK)))


def uploads_in_use(tx: Connection) -> set[str]:
    """SHA-256 sums of the uploads that any job reads."""
    return set(tx.execute(sa.select(_C.upload_sha256).where(_C.upload_sha256.is_not(None)).distinct()).scalars())


def path_in_use(tx: Connection, sha256: str) -> bool:
    """Say whether any job reads the upload with this SHA-256 sum."""
    return _count(tx, _C.upload_sha256 == sha256) > 0


def set_plan(tx: Connection, job_id: str, plan: SourcePlan, frames_total: int | None, segments: Iterable[Segment]) -> None:
    """Store the plan of a source that was measured late, in the place of an earlier one.

    Raise WrongState where a segment of the earlier plan was claimed already.
    """
    lock(tx, job_id)
    if stored_segments.begun(tx, job_id):
        job = get(tx, job_id)
        raise WrongState(job_id=job_id, status=job.status.value, verb="planning", expected="not begun")
    stored_segments.remove(tx, job_id)
    tx.execute(sa.update(jobs).where(_C.id == job_id).values(**_plan_values(plan), frames_total=frames_total))
    stored_segments.add(tx, list(segments))


def _of(runner: str | None) -> sa.ColumnElement[bool]:
    return _C.runner.is_(None) if runner is None else _C.runner == runner


def _count(tx: Connection, *which: sa.ColumnElement[bool]) -> int:
    return tx.execute(sa.select(sa.func.count()).select_from(jobs).where(*which)).scalar_one()


def _plugins(job: Job) -> list[str]:
    return sorted({stage.plugin for stage in job.pipeline.stages})


def _plan_values(plan: SourcePlan | None) -> dict[str, Any]:
    if plan is None:
        return {"plan": None}
    return {"plan": msgspec.structs.replace(plan, segments=())}  # they stand in a table of their own


def _values(job: Job) -> dict[str, Any]:
    searched = (job.id, job.name, job.source.name, *job.tags)
    return {
        **{column.name: getattr(job, column.name) for column in LISTED},
        **_plan_values(job.plan),
        "upload_sha256": job.source.sha256 if job.source.upload else None,
        "search": "\n".join(searched).casefold(),
        "moved_at": utc_now(),
    }


def read_row(row: Any) -> Job:
    """Give the job of a row that has the columns LISTED."""
    return Job(**{column.name: getattr(row, column.name) for column in LISTED})
