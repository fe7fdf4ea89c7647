"""Saved pipelines: kept by name, listed by name, replaced and removed."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from app.domain.errors import UnknownPipeline
from app.domain.pipeline import Pipeline, SavedPipeline
from app.store.engine import utc_now
from app.store.tables import pipelines

_C: Final = pipelines.c
_TOLD: Final = 20  # names that an error tells


def put(tx: Connection, name: str, pipeline: Pipeline) -> tuple[SavedPipeline, bool]:
    """Keep a pipeline under a name, in place of the one there; give it, and whether the name is new."""
    now = utc_now()
    replace = sa.update(pipelines).where(_C.name == name).values(pipeline=pipeline, updated_at=now)
    new = not tx.execute(replace).rowcount
    if new:
        try:
            with tx.begin_nested():
                tx.execute(sa.insert(pipelines).values(name=name, pipeline=pipeline, created_at=now, updated_at=now))
        except IntegrityError:  # somebody else saved one under this name at the same moment
            new = not tx.execute(replace).rowcount
    return get(tx, name), new


def get(tx: Connection, name: str) -> SavedPipeline:
    """Give a saved pipeline; raise UnknownPipeline."""
    row = tx.execute(sa.select(pipelines).where(_C.name == name)).first()
    if row is None:
        raise _unknown(tx, name)
    return _saved(row)


def page(tx: Connection, *, limit: int = 50, cursor: str | None = None) -> tuple[list[SavedPipeline], str | None]:
    """Saved pipelines in the order of their names, and the cursor of the next page: the last name of this one."""
    query = sa.select(pipelines).order_by(_C.name).limit(limit + 1)
    if cursor is not None:
        query = query.where(_C.name > cursor)
    found = [_saved(row) for row in tx.execute(query)]
    return found[:limit], found[limit - 1].name if len(found) > limit else None


def delete(tx: Connection, name: str) -> None:
    """Remove a saved pipeline; jobs that used it keep their own. Raise UnknownPipeline."""
    if not tx.execute(sa.delete(pipelines).where(_C.name == name)).rowcount:
        raise _unknown(tx, name)


def _unknown(tx: Connection, name: str) -> UnknownPipeline:
    names = list(tx.execute(sa.select(_C.name).order_by(_C.name).limit(_TOLD + 1)).scalars())
    known = ", ".join(names[:_TOLD]) + (" and others" if len(names) > _TOLD else "")
    return UnknownPipeline(pipeline=name, known=known or "none")


def _saved(row: Any) -> SavedPipeline:
    return SavedPipeline(row.name, row.pipeline, row.created_at, row.updated_at)
