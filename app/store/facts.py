"""Facts: insights that are stored, numbered in the order of their commits, and never dropped."""

from collections.abc import Collection
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.insight import BY_TYPE, FACT_TYPES, Insight
from app.store.engine import Store
from app.store.tables import fact_counter, facts

APPENDED: Final = "sightline facts appended"  # the key in a connection's `info` that says so


def append(tx: Connection, insight: Insight) -> int:
    """Store an insight that is a fact and give its number; writers of other facts wait until this one is committed."""
    if insight.type not in FACT_TYPES:
        raise ValueError(f"{insight.type!r} is not a fact, expected one of {', '.join(sorted(FACT_TYPES))}")
    counted = sa.update(fact_counter).values(head=fact_counter.c.head + 1).returning(fact_counter.c.head)
    number: int = tx.execute(counted).scalar_one()
    body = msgspec.json.encode(insight).decode()
    tx.execute(sa.insert(facts).values(id=number, job_id=insight.job_id, type=insight.type, body=body))
    tx.info[APPENDED] = True
    return number


def after(tx: Connection, last_id: int, *, job_id: str | None = None, limit: int = 1000) -> list[tuple[int, Insight]]:
    """Facts numbered above `last_id`, in order: of every job, or of one."""
    return _select(tx, last_id, None if job_id is None else (job_id,), limit)


def of_job(tx: Connection, job_id: str) -> list[tuple[int, Insight]]:
    """Every fact of a job, in order."""
    return _select(tx, 0, (job_id,), None)


def newest(tx: Connection, job_id: str, limit: int) -> list[Insight]:
    """Give the last facts of a job, the newest first."""
    return [insight for _, insight in _read(tx, _ROWS.order_by(facts.c.id.desc()).limit(limit), (job_id,))]


def head(tx: Connection) -> int:
    """Number of the newest fact ever stored (0 before the first); never falls, whatever is deleted."""
    number: int = tx.execute(sa.select(fact_counter.c.head)).scalar_one()
    return number


def oldest(tx: Connection) -> int | None:
    """Number of the oldest fact that is still stored."""
    return tx.execute(sa.select(sa.func.min(facts.c.id))).scalar()


def head_of_job(tx: Connection, job_id: str) -> int | None:
    """Number of a job's newest fact."""
    return tx.execute(sa.select(sa.func.max(facts.c.id)).where(facts.c.job_id == job_id)).scalar()


class StoredFacts:
    """The facts of a store as the feed reads them; each call is one read transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def head(self) -> int:
        """Number of the newest fact (0 before the first)."""
        with self._store.read() as tx:
            return head(tx)

    def oldest(self) -> int | None:
        """Number of the oldest fact that is still stored."""
        with self._store.read() as tx:
            return oldest(tx)

    def after(self, last_id: int, job_ids: Collection[str] | None, limit: int) -> list[tuple[int, Insight]]:
        """Facts numbered above `last_id`, in order, at most `limit`; of these jobs (None: of all, and of no job)."""
        with self._store.read() as tx:
            return _select(tx, last_id, job_ids, limit)

    def before(self, number: int, job_ids: Collection[str] | None, limit: int) -> list[tuple[int, Insight]]:
        """Number and fact below `number`, newest first, at most `limit`; of these jobs (None: of all, and of no job)."""
        query = _ROWS.where(facts.c.id < number).order_by(facts.c.id.desc()).limit(limit)
        with self._store.read() as tx:
            return _read(tx, query, job_ids)


_ROWS: Final = sa.select(facts.c.id, facts.c.type, facts.c.body)


def _select(tx: Connection, last_id: int, job_ids: Collection[str] | None, limit: int | None) -> list[tuple[int, Insight]]:
    return _read(tx, _ROWS.where(facts.c.id > last_id).order_by(facts.c.id).limit(limit), job_ids)


def _read(tx: Connection, query: sa.Select[Any], job_ids: Collection[str] | None) -> list[tuple[int, Insight]]:
    if job_ids is not None:
        query = query.where(facts.c.job_id.in_(job_ids))
    return [(row.id, _decode(row)) for row in tx.execute(query)]


def _decode(row: Any) -> Insight:
    insight: Insight = msgspec.json.decode(row.body, type=BY_TYPE[row.type])
    return insight
