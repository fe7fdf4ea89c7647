"""Plugins' history: how a plugin did job by job, version by version, and where it ran."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.timing import Histogram
from app.store.tables import breakdowns, decisions, jobs

_C: Final = breakdowns.c
_D: Final = decisions.c


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plugin as one stage of one job; `timing` is per frame, `fallback` says that it ran elsewhere than was asked for."""

    job_id: str
    job_name: str
    stage: str
    version: str | None
    frames: int
    soft_failures: int
    over_budget: int
    timing: Histogram
    fallback: bool
    health: Health | None
    at: datetime
    health_reason: str = ""
    budget_ms: float | None = None


@dataclass(slots=True)
class DeviceRecord:
    """A decision that was made alike in several uses of a plugin: how often, and in which job last."""

    decision: DeviceDecision
    last_job_id: str
    last_at: datetime
    uses: int = 0


@dataclass(slots=True)
class VersionRecord:
    """One version of a plugin over all jobs that are stored; `fallbacks` counts uses that ran elsewhere than was asked for."""

    version: str
    uses: int = 0
    frames: int = 0
    soft_failures: int = 0
    over_budget: int = 0
    fallbacks: int = 0
    timing: Histogram = field(default_factory=Histogram)


@dataclass(frozen=True, slots=True)
class PluginHistory:
    """The versions of a plugin that were used, the newest use first, its newest uses, and where it ran, the newest first."""

    versions: tuple[VersionRecord, ...] = ()
    uses: tuple[PluginUse, ...] = ()
    devices: tuple[DeviceRecord, ...] = ()


def history(tx: Connection, plugin_id: str, most: int = 20) -> PluginHistory:
    """Give a plugin's history; of its uses the newest `most`."""
    made = _decisions(tx, plugin_id)
    fell_back = {(row.job_id, row.stage) for row in made if row.decision.fallback}
    joined = sa.join(breakdowns, jobs, _C.job_id == jobs.c.id)
    query = sa.select(breakdowns, jobs.c.name).select_from(joined).where(_C.plugin == plugin_id)
    versions: dict[str, VersionRecord] = {}
    uses: list[PluginUse] = []
    for row in tx.execute(query.order_by(_C.updated_at.desc(), _C.job_id.desc(), _C.stage)):
        fallback = (row.job_id, row.stage) in fell_back
        if row.version is not None:
            known = versions.setdefault(row.version, VersionRecord(row.version))
            known.uses, known.frames = known.uses + 1, known.frames + row.frames
            known.soft_failures += row.soft_failures
            known.over_budget += row.over_budget
            known.fallbacks += fallback
            known.timing.merge(row.timing)
        if len(uses) < most:
            uses.append(
                PluginUse(
                    row.job_id, row.name, row.stage, row.version, row.frames, row.soft_failures, row.over_budget,
                    row.timing, fallback, row.health, row.updated_at, row.health_reason, row.budget_ms,
                )
            )  # fmt: skip
    return PluginHistory(tuple(versions.values()), tuple(uses), _devices(made))


def _decisions(tx: Connection, plugin_id: str) -> Sequence[Any]:
    """Job, stage, decision and time of every use of a plugin, on any worker, the newest first."""
    where = (_C.job_id == _D.job_id) & (_C.stage == _D.stage) & (_C.plugin == plugin_id)
    columns = (_D.job_id, _D.stage, _D.decision, _D.decided_at)
    return tx.execute(sa.select(*columns).select_from(sa.join(decisions, breakdowns, where)).order_by(_D.id.desc())).all()


def _devices(made: Iterable[Any]) -> tuple[DeviceRecord, ...]:
    alike: dict[tuple[object, ...], DeviceRecord] = {}
    for row in made:
        decision = row.decision
        key = (decision.requested, decision.used, decision.fallback, decision.code, decision.reason)
        known = alike.setdefault(key, DeviceRecord(decision, row.job_id, row.decided_at))
        known.uses += 1
    return tuple(alike.values())
