"""Run a job again: the same source, pipeline and device, as a new job."""

from collections.abc import Callable
from pathlib import Path

from anyio.to_thread import run_sync

from app.actions.draft import Draft
from app.actions.source import open_path
from app.actions.submit import submit
from app.domain.job import Job
from app.domain.media import SourceRef
from app.registry.discover import Catalogue
from app.store import jobs
from app.store.engine import Store


async def again(
    job_id: str, *, store: Store, catalogue: Catalogue, roots: tuple[Path, ...], max_queued: int, wake: Callable[[], None]
) -> Job:
    """Store the new job; raises UnknownJob, and what `submit` raises.

    A file of this machine must still lie in one of `roots`. Plugins run in the version that is here now.
    """
    job = await run_sync(_get, store, job_id)
    draft = Draft(
        source=await run_sync(source_again, job, roots),
        stages=job.pipeline.stages,
        device=job.device_requested,
        strict_device=job.strict_device,
        priority=job.priority,
        pace=job.pace,
        loop=job.loop,
        name=job.name,
        tags=job.tags,
        model_roots=roots,
    )
    made, _ = await submit(draft, store=store, catalogue=catalogue, max_queued=max_queued, wake=wake)
    return made


def _get(store: Store, job_id: str) -> Job:
    with store.read() as tx:
        return jobs.get(tx, job_id)


def source_again(job: Job, roots: tuple[Path, ...]) -> SourceRef:
    """Give a job's source for another job; raise UnsupportedSource for a file of this machine that is open no longer."""
    source = job.source
    return source if source.upload or source.path is None else open_path(source.path, roots)
