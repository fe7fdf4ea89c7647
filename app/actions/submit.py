"""Submit: check a draft, measure its source, and store the job with its segments."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from anyio.to_thread import run_sync
from sqlalchemy import Connection

from app.actions.check import complete_pipeline
from app.actions.draft import Draft, with_saved_stages
from app.devices.versions import software_versions
from app.domain.device import DeviceRequest
from app.domain.errors import BadField, IdempotencyConflict, NotReady, QueueFull
from app.domain.job import Job, JobStatus, Segment, Wanted
from app.domain.media import SourceKind, SourcePlan
from app.domain.pipeline import Pipeline
from app.engine.plan import plan_job, plan_open
from app.media.probe import probe
from app.registry.discover import Catalogue
from app.store import jobs
from app.store.engine import Store

MAX_SEGMENTS: Final = 200_000  # rows one job may lay out; about 118 hours of video at 30 frames a second


async def submit(
    draft: Draft, *, store: Store, catalogue: Catalogue, max_queued: int, wake: Callable[[], None]
) -> tuple[Job, bool]:
    """Store a job; give it, and whether it is new (False: the Idempotency-Key was used before for the same request).

    Raises IdempotencyConflict, QueueFull, BadField, UnreadableMedia, EmptyMedia, UnsupportedSource, UnknownPipeline, and what
    `check_pipeline` raises; then nothing is stored. The source's file is not touched.
    """
    earlier = await run_sync(_earlier, draft, store, max_queued)
    if earlier:
        return earlier, False
    DeviceRequest.parse(draft.device)
    pipeline = complete_pipeline(await run_sync(with_saved_stages, draft, store), catalogue)
    job, segments = await _laid_out(draft, pipeline)
    return await run_sync(partial(_insert, draft, job, segments, store=store, max_queued=max_queued, wake=wake))


def new_job_id() -> str:
    """Make an id that sorts by time: the Unix time in milliseconds, then 32 random bits, in hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"


async def _laid_out(draft: Draft, pipeline: Pipeline) -> tuple[Job, tuple[Segment, ...]]:
    """Give the job with its segments; an address is not connected to here, so that nothing of it is known yet."""
    if draft.source.kind is SourceKind.STREAM:
        if draft.loop > 1:
            raise BadField(field="loop", actual=draft.loop, expected="1 pass over an address")
        job = _new_job(draft, pipeline, None)
        return job, (plan_open(job.id),)
    plan = await probe(draft.source)
    if len(plan.segments) * draft.loop > MAX_SEGMENTS:
        most = max(1, MAX_SEGMENTS // len(plan.segments))
        raise BadField(field="loop", actual=draft.loop, expected=f"at most {most} passes over this source")
    job = _new_job(draft, pipeline, plan)
    return job, plan_job(job.id, plan, draft.loop)


def _new_job(draft: Draft, pipeline: Pipeline, plan: SourcePlan | None) -> Job:
    return Job(
        id=new_job_id(),
        name=draft.name or draft.source.name,
        tags=draft.tags,
        status=JobStatus.QUEUED,
        wanted=Wanted.RUN,
        priority=draft.priority,
        pace=draft.pace,
        loop=draft.loop,
        source=draft.source,
        plan=plan,
        pipeline=pipeline,
        device_requested=draft.device,
        strict_device=draft.strict_device,
        frames_total=plan.segments[-1].end * draft.loop if plan else None,
        frames_done=0,
        created_at=datetime.now(UTC),
        runner=draft.runner,
        versions=software_versions(),
    )


def _earlier(draft: Draft, store: Store, max_queued: int) -> Job | None:
    with store.read() as tx:
        earlier = _repeated(tx, draft)
        if earlier is None:
            _check_room(tx, draft, max_queued)
        return earlier


def _repeated(tx: Connection, draft: Draft) -> Job | None:
    key = draft.idempotency_key
    used = jobs.by_idempotency_key(tx, key) if key is not None else None
    if not used:
        return None
    job_id, fingerprint = used
    if fingerprint != draft.fingerprint:
        raise IdempotencyConflict(key=key)
    return jobs.get(tx, job_id)


def _check_room(tx: Connection, draft: Draft, max_queued: int) -> None:
    queued = jobs.waiting(tx)
    if draft.runner is None and queued >= max_queued:
        raise QueueFull(queued=queued)


def _insert(
    draft: Draft,
    job: Job,
    segments: tuple[Segment, ...],
    *,
    store: Store,
    max_queued: int,
    wake: Callable[[], None],
) -> tuple[Job, bool]:
    with store.begin() as tx:  # asked again, alone: another request may have come in during the probe
        jobs.lock_queue(tx)
        earlier = _repeated(tx, draft)
        if earlier:
            return earlier, False
        _check_room(tx, draft, max_queued)
        if job.source.path and not Path(job.source.path).exists():
            raise NotReady.because(f"{job.source.name} was removed while it was looked at; send it again")
        jobs.insert(tx, job, segments, idempotency_key=draft.idempotency_key, fingerprint=draft.fingerprint)
        stored = jobs.get(tx, job.id)
    wake()
    return stored, True
