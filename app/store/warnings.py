"""Warnings: what a person should know about a job, counted, and told at 1, 10, 100, … and at the end."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.insight import Warned
from app.domain.job import JobWarning
from app.store import facts, jobs
from app.store.engine import utc_now
from app.store.tables import warnings

_C: Final = warnings.c


def warn(
    tx: Connection,
    job_id: str,
    *,
    code: str,
    stage: str | None,
    message: str,
    count: int = 1,
    first_frame_index: int | None = None,
    last_frame_index: int | None = None,
    detail: str | None = None,
) -> None:
    """Add `count` to a job's warning of this code and stage; raise UnknownJob.

    Message and detail of the earliest frame are kept (segments are not committed in their order), the frame indices
    widened. A fact is stored when the count reaches 1, 10, 100, …
    """
    if count < 1:
        raise ValueError(f"count is {count}, expected at least 1")
    jobs.lock(tx, job_id)
    now = utc_now()
    before = tx.execute(sa.select(warnings).where(*_which(job_id, code, stage))).first()
    if before is None:
        frames = {"first_frame_index": first_frame_index, "last_frame_index": last_frame_index}
        key = {"job_id": job_id, "code": code, "stage": stage or ""}
        first = {"message": message, "detail": detail, "total": count, "told": 0, "first_at": now, "last_at": now}
        tx.execute(sa.insert(warnings).values(**key, **frames, **first))
    else:
        changes = {
            "total": before.total + count,
            "first_frame_index": _pick(min, before.first_frame_index, first_frame_index),
            "last_frame_index": _pick(max, before.last_frame_index, last_frame_index),
            "last_at": now,
        }
        if None not in (first_frame_index, before.first_frame_index) and first_frame_index < before.first_frame_index:
            changes |= {"message": message, "detail": detail}
        tx.execute(sa.update(warnings).where(*_which(job_id, code, stage)).values(**changes))
    total = count + (before.total if before else 0)
    if before is None or len(str(total)) > len(str(before.total)):  # one digit more: a power of ten was reached
        _tell(tx, job_id, code, stage, first_frame_index if before is None else last_frame_index)


def tell_final(tx: Connection, job_id: str) -> None:
    """Store a last fact for each warning of a job whose count was not told yet."""
    untold = sa.select(warnings).where(_C.job_id == job_id, _C.told < _C.total).order_by(_C.first_at, _C.code, _C.stage)
    for row in tx.execute(untold).all():
        _tell(tx, job_id, row.code, row.stage, row.last_frame_index)


def of_job(tx: Connection, job_id: str) -> list[JobWarning]:
    """A job's warnings, the first one met first."""
    query = sa.select(warnings).where(_C.job_id == job_id).order_by(_C.first_at, _C.code, _C.stage)
    return [_warning(row) for row in tx.execute(query)]


def _tell(tx: Connection, job_id: str, code: str, stage: str | None, frame_index: int | None) -> None:
    told = sa.update(warnings).where(*_which(job_id, code, stage)).values(told=_C.total).returning(*_C)
    row = tx.execute(told).one()
    fact = Warned(
        at=row.last_at,
        job_id=job_id,
        code=code,
        stage=stage or None,
        frame_index=frame_index,
        message=row.message,
        count=row.total,
    )
    facts.append(tx, fact)


def _which(job_id: str, code: str, stage: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    return _C.job_id == job_id, _C.code == code, _C.stage == (stage or "")


def _pick(choose: Any, one: int | None, other: int | None) -> int | None:
    known = [index for index in (one, other) if index is not None]
    return choose(known) if known else None


def _warning(row: Any) -> JobWarning:
    return JobWarning(
        code=row.code,
        stage=row.stage or None,
        message=row.message,
        count=row.total,
        first_frame_index=row.first_frame_index,
        last_frame_index=row.last_frame_index,
        first_at=row.first_at,
        last_at=row.last_at,
        detail=row.detail,
    )
