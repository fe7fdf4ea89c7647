"""Plugins' records: what every job so far says about how a plugin does."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.health import Health
from app.domain.timing import Histogram
from app.store.tables import breakdowns

_C: Final = breakdowns.c
_SEVERITY: Final = tuple(Health)
_NEWEST: Final = 24


@dataclass(slots=True)
class PluginRecord:
    """A plugin over all jobs that are stored; `timing` is per frame.

    Health is the worst of its stages in the job that used it last, and the last fields are of that job. `p95_ms` are those of
    its newest uses, the oldest first.
    """

    jobs: int = 0
    frames: int = 0
    soft_failures: int = 0
    timing: Histogram = field(default_factory=Histogram)
    health: Health = Health.OK
    health_reason: str = ""
    last_job_id: str | None = None
    last_at: datetime | None = None
    p95_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_NEWEST))


def record(tx: Connection, plugin_id: str) -> PluginRecord:
    """Give a plugin's record; empty where no job used it."""
    return _records(tx, _C.plugin == plugin_id).get(plugin_id) or PluginRecord()


def records(tx: Connection) -> dict[str, PluginRecord]:
    """The records of every plugin that was used, by plugin id."""
    return _records(tx, _C.plugin.is_not(None))


def _records(tx: Connection, which: sa.ColumnElement[bool]) -> dict[str, PluginRecord]:
    found: dict[str, PluginRecord] = {}
    worst: dict[str, dict[str, tuple[Health, str]]] = {}  # by plugin and job
    for row in tx.execute(sa.select(breakdowns).where(which).order_by(_C.updated_at)):
        _count(found.setdefault(row.plugin, PluginRecord()), row)
        of_jobs = worst.setdefault(row.plugin, {})
        before = of_jobs.get(row.job_id)
        now = (row.health or Health.OK, row.health_reason)
        of_jobs[row.job_id] = before if before and _SEVERITY.index(before[0]) > _SEVERITY.index(now[0]) else now
    for plugin, of_jobs in worst.items():
        known = found[plugin]
        known.jobs = len(of_jobs)
        known.health, known.health_reason = of_jobs[known.last_job_id or ""]
    return found


def _count(known: PluginRecord, row: Any) -> None:
    known.frames += row.frames
    known.soft_failures += row.soft_failures
    known.timing.merge(row.timing)
    if row.timing.count:
        known.p95_ms.append(row.timing.percentile_ms(95))
    known.last_job_id, known.last_at = row.job_id, row.updated_at
