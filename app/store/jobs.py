"""Jobs: stored with their segments, listed newest first, moved only as the table of moves allows."""

import base64
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.domain.errors import IdempotencyConflict, UnknownFilter, UnknownJob, WrongState
from app.domain.insight import Status
from app.domain.job import ENDED, MOVES, Job, JobStatus, Segment, Wanted
from app.domain.media import SourcePlan
from app.store import facts
from app.store import segments as stored_segments
from app.store.engine import utc_now
from app.store.tables import job_plugins, jobs

_C: Final = jobs.c
_ALL: Final = tuple(c for c in _C if c.name not in {"upload_sha256", "search", "idempotency_key", "fingerprint"})
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
    stored_segments.add(tx, list(segments))
    facts.append(tx, Status(at=utc_now(), job_id=job.id, status=job.status, previous=None, reason=None))


def get(tx: Connection, job_id: str) -> Job:
    """Give a job; raise UnknownJob."""
    row = tx.execute(sa.select(*_ALL).where(_C.id == job_id)).first()
    if row is None:
        raise UnknownJob(job_id=job_id)
    return _job(row)


def by_idempotency_key(tx: Connection, key: str) -> tuple[str, str | None] | None:
    """Id and fingerprint of the job that was stored with this key."""
    row = tx.execute(sa.select(_C.id, _C.fingerprint).where(_C.idempotency_key == key)).first()
    return None if row is None else (row.id, row.fingerprint)


def page(
    tx: Connection,
    *,
    statuses: Collection[JobStatus] = (),
    plugin: str | None = None,
    q: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[Job], str | None]:
    """Jobs, newest first, and the cursor of the next page (None: this is the last); raise UnknownFilter for a bad cursor.

    `q` is looked for in ids, names, tags and source names, whatever the case. The plans of these jobs carry no segments.
    """
    query = sa.select(*_ALL).order_by(_C.created_at.desc(), _C.id.desc()).limit(limit + 1)
    if statuses:
        query = query.where(_C.status.in_(statuses))
    if plugin is not None:
        used = sa.select(job_plugins.c.job_id).where(job_plugins.c.plugin == plugin)
        query = query.where(_C.id.in_(used))
    if q:
        query = query.where(_C.search.contains(q.casefold(), autoescape=True))
    if cursor is not None:
        created_at, job_id = _read_cursor(cursor)
        query = query.where((_C.created_at < created_at) | ((_C.created_at == created_at) & (_C.id < job_id)))
    found = [_job(row) for row in tx.execute(query)]
    return found[:limit], _cursor(found[limit - 1]) if len(found) > limit else None


def active(tx: Connection, runner: str | None) -> list[Job]:
    """Jobs of a runner (None: of the server) that have not ended, in the order of the queue: priority, then age."""
    return [_job(row) for row in tx.execute(sa.select(*_ALL).where(_C.status.not_in(ENDED), _of(runner)).order_by(*_QUEUE))]


def open_ids(tx: Connection) -> list[str]:
    """Ids of the jobs that have not ended, whoever runs them."""
    return list(tx.execute(sa.select(_C.id).where(_C.status.not_in(ENDED))).scalars())


def runners(tx: Connection) -> set[str]:
    """Processes that alone may run a job which has not ended."""
    return set(tx.execute(sa.select(_C.runner).where(_C.status.not_in(ENDED)).distinct()).scalars()) - {None}


def adopt(tx: Connection, runner: str) -> None:
    """Let the server run what a process left behind."""
    tx.execute(sa.update(jobs).where(_C.runner == runner, _C.status.not_in(ENDED)).values(runner=None))


def waiting(tx: Connection, runner: str | None = None) -> int:
    """How many jobs of a runner (None: of the server) are queued."""
    return _count(tx, _C.status == JobStatus.QUEUED, _of(runner))


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
    changes: dict[str, Any] = {"status": to, "finished_at": now if to.ended else None, "error": error}
    if to is JobStatus.RUNNING and job.started_at is None:
        changes["started_at"] = now
    tx.execute(sa.update(jobs).where(_C.id == job_id).values(**changes))
    facts.append(tx, Status(at=now, job_id=job_id, status=to, previous=job.status, reason=reason))
    return get(tx, job_id)


def note_progress(tx: Connection, job_id: str, percent: int) -> None:
    """Store the most per cent anybody was told of a job; it never falls."""
    tx.execute(sa.update(jobs).where(_C.id == job_id, _C.progress_told < percent).values(progress_told=percent))


def want(tx: Connection, job_id: str, wanted: Wanted) -> Job:
    """Store what a person wants of a job; raise UnknownJob."""
    tx.execute(sa.update(jobs).where(_C.id == job_id).values(wanted=wanted))
    return get(tx, job_id)


def delete(tx: Connection, job_id: str) -> None:
    """Delete a job with all that belongs to it, facts included; raise UnknownJob."""
    if tx.execute(sa.delete(jobs).where(_C.id == job_id)).rowcount == 0:
        raise UnknownJob(job_id=job_id)


def lock(tx: Connection, job_id: str) -> None:
    """Keep other writers off a job until the transaction ends; raise UnknownJob."""
    if tx.execute(sa.select(_C.id).where(_C.id == job_id).with_for_update()).first() is None:
        raise UnknownJob(job_id=job_id)


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


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        moment, _, job_id = text.partition(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), job_id
    except (ValueError, OverflowError):
        raise UnknownFilter(what="cursor", actual=cursor, known="those given as next_cursor") from None


def _plugins(job: Job) -> list[str]:
    return sorted({stage.plugin for stage in job.pipeline.stages})


def _plan_values(plan: SourcePlan | None) -> dict[str, Any]:
    if plan is None:
        return {"plan": None}
    return {"plan": msgspec.structs.replace(plan, segments=())}  # they stand in a table of their own


def _values(job: Job) -> dict[str, Any]:
    searched = (job.id, job.name, job.source.name, *job.tags)
    return {
        **{column.name: getattr(job, column.name) for column in _ALL},
        **_plan_values(job.plan),
        "upload_sha256": job.source.sha256 if job.source.upload else None,
        "search": "\n".join(searched).casefold(),
    }


def _job(row: Any) -> Job:
    return Job(**row._mapping)
