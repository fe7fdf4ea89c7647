"""Submit: check a draft, measure its source, and store the job with its segments."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from anyio.to_thread import run_sync
from sqlalchemy import Connection

from app.actions.draft import Draft
from app.domain.device import DeviceRequest
from app.domain.errors import BadField, BadOption, BadPipeline, IdempotencyConflict, NotReady, QueueFull
from app.domain.job import Job, JobStatus, Segment, Wanted
from app.domain.media import SourcePlan
from app.domain.pipeline import Pipeline, Stage, number_stage_ids
from app.engine.plan import plan_job
from app.media.probe import probe
from app.registry.discover import Catalogue
from app.registry.manifest import check_options
from app.store import jobs
from app.store.engine import Store

MAX_SEGMENTS: Final = 200_000  # rows one job may lay out; about 118 hours of video at 30 frames a second


async def submit(
    draft: Draft, *, store: Store, catalogue: Catalogue, max_queued: int, wake: Callable[[], None]
) -> tuple[Job, bool]:
    """Store a job; give it, and whether it is new (False: the Idempotency-Key was used before for the same request).

    Raises IdempotencyConflict, QueueFull, BadDevice, UnknownPlugin, BrokenPlugin, BadPipeline, BadOption, ModelMissing,
    BadField, UnreadableMedia, EmptyMedia and UnsupportedSource; then nothing is stored. The source's file is not touched.
    """
    earlier = await run_sync(_earlier, draft, store, max_queued)
    if earlier:
        return earlier, False
    DeviceRequest.parse(draft.device)
    pipeline = complete_pipeline(draft, catalogue)
    plan = await probe(draft.source)
    job = _new_job(draft, pipeline, plan)
    segments = plan_job(job.id, plan, draft.loop)
    return await run_sync(partial(_insert, draft, job, segments, store=store, max_queued=max_queued, wake=wake))


def complete_pipeline(draft: Draft, catalogue: Catalogue) -> Pipeline:
    """Give the draft's pipeline with every option checked and filled in."""
    if draft.stages is None and not draft.plugins:
        raise BadPipeline.because("it has no stages; name at least one plugin")
    ids = number_stage_ids(draft.plugins)
    stages = draft.stages.stages if draft.stages else tuple(map(Stage, ids, draft.plugins))
    strange = next((stage_id for stage_id in draft.set_options if stage_id not in {s.id for s in stages}), None)
    if strange is not None:
        known = ", ".join(stage.id for stage in stages)
        option = next(iter(draft.set_options[strange]), "")
        raise BadOption(stage=strange, option=option, actual="set", expected=f"a stage of the pipeline ({known})")
    return Pipeline(tuple(_complete(stage, catalogue, draft) for stage in stages))


def _complete(stage: Stage, catalogue: Catalogue, draft: Draft) -> Stage:
    metadata, folder = catalogue.get(stage.plugin), catalogue.folder(stage.plugin)
    if stage.device is not None:
        DeviceRequest.parse(stage.device)
    options = check_options(metadata, stage.id, {**stage.options, **draft.set_options.get(stage.id, {})})
    options = catalogue.models.checked(metadata, folder, stage.id, options, draft.model_roots)
    return msgspec.structs.replace(stage, options=options)


def new_job_id() -> str:
    """Make an id that sorts by time: the Unix time in milliseconds, then 32 random bits, in hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}"


def _new_job(draft: Draft, pipeline: Pipeline, plan: SourcePlan) -> Job:
    count = len(plan.segments) * draft.loop
    if count > MAX_SEGMENTS:
        most = max(1, MAX_SEGMENTS // len(plan.segments))
        raise BadField(field="loop", actual=draft.loop, expected=f"at most {most} passes over this source")
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
        frames_total=plan.segments[-1].end * draft.loop,
        frames_done=0,
        created_at=datetime.now(UTC),
        runner=draft.runner,
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
    with store.begin() as tx:  # asked again under the write lock: another request may have come in during the probe
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
