"""Jobs as lists: narrowed by what a person looks for, in the order they want, a page at a time."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.domain.errors import UnknownFilter
from app.domain.history import JobFilter, JobSort
from app.domain.job import Job
from app.store.jobs import LISTED, read_row
from app.store.tables import decisions, job_plugins, job_tags, jobs, warnings

_C: Final = jobs.c
_EVERY: Final = JobFilter()


class _Elapsed(FunctionElement[float]):
    """Seconds between two moments; databases spell it differently."""

    type = sa.Float()
    inherit_cache = True
    name = "elapsed"


@compiles(_Elapsed)
def _elapsed(element: Any, compiler: Any, **kwargs: Any) -> str:
    start, end = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({end} - {start})) AS DOUBLE PRECISION)"


@compiles(_Elapsed, "sqlite")
def _elapsed_on_sqlite(element: Any, compiler: Any, **kwargs: Any) -> str:
    start, end = (compiler.process(clause, **kwargs) for clause in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page ended: the order it was in, the value it is ordered by, and the job's id."""

    sort: JobSort
    key: str | float
    job_id: str


def page(
    tx: Connection,
    wanted: JobFilter = _EVERY,
    *,
    sort: JobSort = JobSort.NEWEST,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[Job], str | None]:
    """Jobs in order, and the cursor of the next page (None: this is the last); raise UnknownFilter for a bad cursor.

    The plans of these jobs carry no segments.
    """
    key, falling = _order(sort)
    query = sa.select(*LISTED, key.label("sort_key")).where(*_conditions(wanted)).limit(limit + 1)
    query = query.order_by(*((key.desc(), _C.id.desc()) if falling else (key, _C.id)))
    if cursor is not None:
        at, job_id = _read_cursor(cursor, sort)
        beyond, tied = (key < at, _C.id < job_id) if falling else (key > at, _C.id > job_id)
        query = query.where(beyond | ((key == at) & tied))
    rows = tx.execute(query).all()
    found = [read_row(row) for row in rows[:limit]]
    return found, _cursor(sort, rows[limit - 1]) if len(rows) > limit else None


def tags(tx: Connection) -> list[str]:
    """Every tag that any job carries, in order."""
    return list(tx.execute(sa.select(job_tags.c.tag).distinct().order_by(job_tags.c.tag)).scalars())


def _order(sort: JobSort) -> tuple[sa.ColumnElement[Any], bool]:
    """What a list is ordered by, and whether the largest comes first."""
    if sort is JobSort.NAME:
        return sa.func.lower(_C.name), False
    if sort is JobSort.LONGEST:
        return sa.func.coalesce(_Elapsed(_C.started_at, _C.finished_at), -1.0), True
    return _C.created_at, sort is JobSort.NEWEST


def _conditions(wanted: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(_C.status.in_(wanted.statuses))
    if wanted.plugin is not None:
        conditions.append(_C.id.in_(sa.select(job_plugins.c.job_id).where(job_plugins.c.plugin == wanted.plugin)))
    if wanted.tag is not None:
        conditions.append(_C.id.in_(sa.select(job_tags.c.job_id).where(job_tags.c.tag == wanted.tag)))
    if wanted.q:
        conditions.append(_C.search.contains(wanted.q.casefold(), autoescape=True))
    if wanted.since is not None:
        conditions.append(_C.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(_C.created_at < wanted.until)
    if wanted.warnings is not None:
        any_warning = sa.exists().where(warnings.c.job_id == _C.id)
        conditions.append(any_warning if wanted.warnings else ~any_warning)
    if wanted.fallback is not None:
        fell_back = sa.exists().where(decisions.c.job_id == _C.id, decisions.c.fallback)
        conditions.append(fell_back if wanted.fallback else ~fell_back)
    return conditions


def _cursor(sort: JobSort, row: Any) -> str:
    key = row.sort_key.isoformat() if isinstance(row.sort_key, datetime) else row.sort_key
    return msgspec.json.encode(_Cursor(sort, key, row.id)).hex()


def _read_cursor(cursor: str, sort: JobSort) -> tuple[Any, str]:
    try:
        read = msgspec.json.decode(bytes.fromhex(cursor), type=_Cursor)
        if read.sort is not sort or isinstance(read.key, str) != (sort is not JobSort.LONGEST):
            raise ValueError("a cursor of another order")
        timed = sort in {JobSort.NEWEST, JobSort.OLDEST}
        key = datetime.fromisoformat(str(read.key)).astimezone(UTC) if timed else read.key
    except (ValueError, OverflowError, msgspec.MsgspecError):
        raise UnknownFilter(what="cursor", actual=cursor, known="those given as next_cursor in the same order") from None
    return key, read.job_id
