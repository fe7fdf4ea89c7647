"""What the whole history adds up to, for the metrics of a server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.device import FallbackCode
from app.domain.job import JobStatus, SegmentState
from app.store.tables import decisions, jobs, segments, warnings


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers over every job that is stored; each mapping names every member of its kind."""

    jobs: Mapping[JobStatus, int]
    segments: Mapping[SegmentState, int]
    frames: int
    warnings: int
    fallbacks: Mapping[FallbackCode, int]


_FALLBACKS: Final = {
    code: sa.func.sum(
        sa.case((sa.type_coerce(decisions.c.decision, sa.Text).contains(f'"fallback":true,"code":"{code}"'), 1), else_=0)
    )
    for code in FallbackCode
}  # a decision is kept as JSON text with its fields in this order


def totals(tx: Connection) -> Totals:
    """Count."""
    fallbacks = tx.execute(sa.select(*_FALLBACKS.values())).one()
    return Totals(
        jobs=_grouped(tx, jobs.c.status, JobStatus),
        segments=_grouped(tx, segments.c.state, SegmentState),
        frames=_sum(tx, jobs.c.frames_done),
        warnings=_sum(tx, warnings.c.total),
        fallbacks={code: int(count or 0) for code, count in zip(_FALLBACKS, fallbacks, strict=True)},
    )


def _grouped(tx: Connection, column: sa.Column[Any], kind: type[Any]) -> dict[Any, int]:
    counted = {row[0]: row[1] for row in tx.execute(sa.select(column, sa.func.count()).group_by(column))}
    return {member: counted.get(member, 0) for member in kind}


def _sum(tx: Connection, column: sa.Column[int]) -> int:
    return int(tx.execute(sa.select(sa.func.sum(column))).scalar() or 0)
