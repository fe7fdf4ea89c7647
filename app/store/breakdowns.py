"""Breakdowns: where a job's time went, how its stages do, and on which devices they really ran."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.insight import Device, HealthChange
from app.domain.job import StageBreakdown
from app.domain.timing import Histogram
from app.store import facts, jobs
from app.store.engine import utc_now
from app.store.tables import breakdowns
from app.store.tables import decisions as made_decisions

BESIDE_STAGES: Final = ("decode", "prepare", "preview", "write", "finalize")
_C: Final = breakdowns.c
_D: Final = made_decisions.c
_COUNTS: Final = ("frames", "soft_failures", "over_budget", "timing", "plugin", "version", "budget_ms")
_OF_JOB: Final = sa.select(breakdowns).where(_C.job_id == sa.bindparam("of_job"))  # built once: asked for each segment
_MERGE: Final = (
    sa.update(breakdowns)
    .where(_C.job_id == sa.bindparam("to_job"), _C.stage == sa.bindparam("to_stage"))
    .values(updated_at=sa.bindparam("at"), **{name: sa.bindparam(f"to_{name}") for name in _COUNTS})
)


def merge(tx: Connection, job_id: str, rows: Iterable[StageBreakdown]) -> list[StageBreakdown]:
    """Add counts and durations to a job's rows, and note plugin, version and budget; give them, but for their devices.

    Raise UnknownJob. Of `rows` nothing else is taken: health, device and summary have their own functions here.
    """
    jobs.lock(tx, job_id)
    added = {row.stage: row for row in rows}
    stored = {row.stage: row for row in tx.execute(_OF_JOB, {"of_job": job_id})}
    merged = [_add(stored.get(stage) or _row(tx, job_id, stage), row) for stage, row in added.items()]
    if merged:
        now = utc_now()
        tx.execute(_MERGE, [{"to_job": job_id, "at": now, **_counts(row)} for row in merged])
    return merged


def _add(stored: Any, row: StageBreakdown) -> StageBreakdown:
    sum_of = _breakdown(stored, None)
    sum_of.frames += row.frames
    sum_of.soft_failures += row.soft_failures
    sum_of.over_budget += row.over_budget
    sum_of.timing.merge(row.timing)
    sum_of.plugin, sum_of.version = row.plugin or sum_of.plugin, row.version or sum_of.version
    sum_of.budget_ms = sum_of.budget_ms if row.budget_ms is None else row.budget_ms
    return sum_of


def _counts(row: StageBreakdown) -> dict[str, Any]:
    return {"to_stage": row.stage, **{f"to_{name}": getattr(row, name) for name in _COUNTS}}


def of_job(tx: Connection, job_id: str) -> list[StageBreakdown]:
    """A job's rows: every stage of its pipeline, in order, then those beside the stages that were measured.

    A stage's device is the newest decision, or the newest fallback where there is one. Raise UnknownJob.
    """
    stages = jobs.get(tx, job_id).pipeline.stages
    stored = {row.stage: row for row in tx.execute(sa.select(breakdowns).where(_C.job_id == job_id))}
    devices: dict[str, DeviceDecision] = {}
    for stage, decision in decisions(tx, job_id):
        if decision.fallback or stage not in devices or not devices[stage].fallback:
            devices[stage] = decision
    order = (*(stage.id for stage in stages), *BESIDE_STAGES)
    unmeasured = {stage.id: StageBreakdown(stage.id, stage.plugin, device=devices.get(stage.id)) for stage in stages}
    rows = (_breakdown(stored[name], devices.get(name)) if name in stored else unmeasured.get(name) for name in order)
    return [row for row in rows if row is not None]


def set_summary(tx: Connection, job_id: str, stage: str, summary: dict[str, Any] | None) -> None:
    """Store what a stage's `finalize` gave; raise UnknownJob."""
    jobs.lock(tx, job_id)
    _row(tx, job_id, stage)
    _change(tx, job_id, stage, summary=summary)


def set_health(  # noqa: PLR0917 a stage, its plugin and the two parts of a verdict, in that order
    tx: Connection, job_id: str, stage: str, plugin: str, health: Health, reason: str, *, disabled: bool = False
) -> None:
    """Store a stage's health, and the fact of it when it is the first verdict or another one than before."""
    jobs.lock(tx, job_id)
    before = _row(tx, job_id, stage)
    _change(tx, job_id, stage, plugin=plugin, health=health, health_reason=reason, disabled=disabled)
    if (before.health, before.disabled) != (health, disabled):
        change = HealthChange(
            at=utc_now(), job_id=job_id, plugin=plugin, stage=stage, health=health, previous=before.health, reason=reason
        )
        facts.append(tx, change)


def decide(tx: Connection, job_id: str, stage: str, decision: DeviceDecision, worker: str) -> None:
    """Store where a stage runs, and the fact of it; nothing happens where the stage has the same decision already.

    Two decisions are the same whatever time the warm-up took. Raise UnknownJob.
    """
    jobs.lock(tx, job_id)
    query = sa.select(_D.decision).where(_D.job_id == job_id, _D.stage == stage)
    if any(_same(decision, other) for other in tx.execute(query).scalars()):
        return
    now = utc_now()
    row = {
        "job_id": job_id,
        "stage": stage,
        "worker": worker,
        "decision": decision,
        "fallback": decision.fallback,
        "decided_at": now,
    }
    tx.execute(sa.insert(made_decisions).values(**row))
    told = Device(
        at=now,
        job_id=job_id,
        stage=stage,
        requested=decision.requested,
        used=decision.used,
        fallback=decision.fallback,
        code=decision.code,
        reason=decision.reason,
        attempts=decision.attempts,
    )
    facts.append(tx, told)


def decisions(tx: Connection, job_id: str) -> list[tuple[str, DeviceDecision]]:
    """Every decision of a job with its stage, oldest first; several for one stage where workers decided differently."""
    query = sa.select(_D.stage, _D.decision).where(_D.job_id == job_id).order_by(_D.id)
    return [(row.stage, row.decision) for row in tx.execute(query)]


def _same(one: DeviceDecision, other: DeviceDecision) -> bool:
    return msgspec.structs.replace(one, warmup_ms=None) == msgspec.structs.replace(other, warmup_ms=None)


def _row(tx: Connection, job_id: str, stage: str) -> Any:
    """Give a stage's row, made empty where it is missing; the caller holds the job's lock."""
    query = sa.select(breakdowns).where(_C.job_id == job_id, _C.stage == stage)
    row = tx.execute(query).first()
    if row is not None:
        return row
    empty = {"frames": 0, "soft_failures": 0, "over_budget": 0, "timing": Histogram(), "health_reason": "", "disabled": False}
    tx.execute(sa.insert(breakdowns).values(job_id=job_id, stage=stage, updated_at=utc_now(), **empty))
    return tx.execute(query).one()


def _change(tx: Connection, job_id: str, stage: str, **changes: Any) -> None:
    where = (_C.job_id == job_id, _C.stage == stage)
    tx.execute(sa.update(breakdowns).where(*where).values(updated_at=utc_now(), **changes))


def _breakdown(row: Any, device: DeviceDecision | None) -> StageBreakdown:
    return StageBreakdown(
        stage=row.stage,
        plugin=row.plugin,
        version=row.version,
        device=device,
        frames=row.frames,
        soft_failures=row.soft_failures,
        timing=row.timing,
        budget_ms=row.budget_ms,
        over_budget=row.over_budget,
        health=row.health or Health.OK,
        health_reason=row.health_reason,
        disabled=row.disabled,
        summary=row.summary,
    )
