"""Plugins' records: what every job so far says about how a plugin does."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.health import Health
from app.domain.timing import Histogram
from app.store.tables import breakdowns

_C: Final = breakdowns.c


@dataclass(slots=True)
class PluginRecord:
    """A plugin over all jobs that are stored. `timing` is per frame; health and the last fields are those of its newest use."""

    jobs: int = 0
    frames: int = 0
    soft_failures: int = 0
    timing: Histogram = field(default_factory=Histogram)
    health: Health = Health.OK
    health_reason: str = ""
    last_job_id: str | None = None
    last_at: datetime | None = None


def record(tx: Connection, plugin_id: str) -> PluginRecord:
    """Give a plugin's record; empty where no job used it."""
    return _records(tx, _C.plugin == plugin_id).get(plugin_id) or PluginRecord()


def records(tx: Connection) -> dict[str, PluginRecord]:
    """The records of every plugin that was used, by plugin id."""
    return _records(tx, _C.plugin.is_not(None))


def _records(tx: Connection, which: sa.ColumnElement[bool]) -> dict[str, PluginRecord]:
    found: dict[str, PluginRecord] = {}
    jobs: dict[str, set[str]] = {}
    for row in tx.execute(sa.select(breakdowns).where(which).order_by(_C.updated_at)):
        _count(found.setdefault(row.plugin, PluginRecord()), row)
        jobs.setdefault(row.plugin, set()).add(row.job_id)
    for plugin, of_jobs in jobs.items():
        found[plugin].jobs = len(of_jobs)
    return found


def _count(known: PluginRecord, row: Any) -> None:
    known.frames += row.frames
    known.soft_failures += row.soft_failures
    known.timing.merge(row.timing)
    if row.health is not None:
        known.health, known.health_reason = row.health, row.health_reason
    known.last_job_id, known.last_at = row.job_id, row.updated_at
