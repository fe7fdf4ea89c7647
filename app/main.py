"""The composition root: the one place where the parts are put together."""

import asyncio
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from app.devices.cuda_driver import has_cuda_driver
from app.devices.survey import Survey
from app.devices.usage import Meter
from app.domain.insight import Insight, Usage
from app.domain.media import StreamRules
from app.engine.dispatcher import Dispatcher
from app.engine.gpus import Gpus
from app.engine.held import WorkerLimits
from app.engine.holder import name_of_this_process
from app.engine.pool import Pool
from app.engine.printed import PrintedLog
from app.engine.station import Station
from app.engine.teller import Pictures, Teller
from app.engine.vitals import Vitals
from app.insights.hub import Hub
from app.insights.tail import Tail
from app.media.preview import PreviewCache
from app.media.storage import Storage
from app.registry.discover import Catalogue
from app.registry.reload import Reloader
from app.settings import Settings, bundled, paths, words
from app.store.engine import Store, migrate
from app.store.facts import StoredFacts
from app.store.standing import open_jobs, plugins_of, progress_of
from app.web.parts import Limits, Parts, Readiness

_PREVIEW_BYTES: Final = 64_000_000
_USAGE_S: Final = 1.0
_RELOAD_S: Final = 1.0
_log = logging.getLogger("sightline")


@dataclass(frozen=True, slots=True)
class Stores:
    """What both a server and a single run stand on: database, files, plugins."""

    store: Store
    storage: Storage
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class Voice:
    """How an engine tells what it does."""

    publish: Callable[[Insight], None]
    is_watched: Callable[[str], bool]
    pictures: Pictures
    ring: Callable[[], None]
    hold: Callable[[], AbstractAsyncContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine, and what it knows of the machine's devices."""

    dispatcher: Dispatcher
    pool: Pool
    survey: Survey
    vitals: Vitals


def migrate_database(settings: Settings) -> None:
    """Bring the database to the newest schema; makes the home folder where there is none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    migrate(settings.database, bundled("migrations"))


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open database, files and plugins; the database is migrated first."""
    await asyncio.to_thread(migrate_database, settings)
    store = Store(settings.database)
    try:
        catalogue = await asyncio.to_thread(Catalogue.discover, settings.plugin_folders, models=settings.models_folder)
        yield Stores(store, Storage(settings.home), catalogue)
    finally:
        store.close()


@asynccontextmanager
async def run_engine(
    settings: Settings, stores: Stores, voice: Voice, *, workers: int | None = None, runner: str | None = None
) -> AsyncIterator[Engine]:
    """Start workers and dispatcher; at the end give back what is in flight and leave no process behind."""

    def wake() -> None:
        dispatcher.wake()  # made below, before any worker can change

    survey, outputs_folder = Survey(wake), stores.storage.outputs_folder
    pool = Pool(
        workers or settings.workers,
        limits=WorkerLimits(settings.worker_memory_mb, settings.prepare_timeout_s, settings.finalize_timeout_s),
        printed=PrintedLog(outputs_folder, lambda text: _log.info("a worker printed: %s", text.rstrip())),
        changed=wake,
    )
    station = Station(
        store=stores.store, executor=pool, plugins=stores.catalogue, outputs_folder=outputs_folder,
        teller=Teller(voice.publish, voice.is_watched, voice.pictures, settings.overlays_per_s, settings.metrics_per_s),
        ring=voice.ring, hold=voice.hold, holder=runner or name_of_this_process(), lease_s=settings.lease_s, runner=runner,
        cores=len(os.sched_getaffinity(0)), gpus=_look_for_gpus(settings, survey),
        # whoever runs a single job reaches private networks without it
        streams=StreamRules(settings.allow_private_sources or runner is not None, settings.source_patience_s),
        keep_picture=stores.storage.keep_thumbnail,
    )  # fmt: skip
    dispatcher = Dispatcher(station)
    await pool.start()
    working = asyncio.create_task(dispatcher.run())
    try:
        yield Engine(dispatcher, pool, survey, Vitals(stores.store, settings.home, pool, dispatcher))
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await survey.close()
        await pool.close()


@asynccontextmanager
async def open_server(
    settings: Settings, *, hosts: frozenset[str] = frozenset(), reloaded: Callable[[str], None] | None = None
) -> AsyncIterator[Parts]:
    """Put a whole server together, all but the socket: gives the parts that the web application needs.

    With `reloaded`, plugins whose folder changes are taken up for the next job, and their names told to it.
    """
    async with open_stores(settings) as stores:
        await asyncio.to_thread(stores.storage.sweep)
        hub = _hub(stores.store)
        tail = Tail(hub)
        previews = PreviewCache(_PREVIEW_BYTES)
        voice = Voice(hub.publish, lambda job_id: hub.is_watched(job_id, "overlay"), previews, tail.ring, hub.hold)
        async with run_engine(settings, stores, voice) as engine:
            engine.survey.begin()
            works = (tail.run(), _tell_usage(hub, engine.pool), _import_plugins(stores.catalogue, reloaded))
            running = [asyncio.create_task(work) for work in works]

            def wake() -> None:
                engine.dispatcher.wake()
                tail.ring()

            try:
                yield Parts(
                    store=stores.store,
                    hub=hub,
                    storage=stores.storage,
                    catalogue=stores.catalogue,
                    previews=previews,
                    limits=_limits(settings, hosts),
                    wake=wake,
                    workers=engine.pool.usage,
                    readiness=lambda: Readiness(engine.vitals.read()),
                    inventory=lambda: msgspec.to_builtins(engine.survey.read()),
                )
            finally:
                await hub.close("shutdown")
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)


def _hub(store: Store) -> Hub:
    return Hub(
        StoredFacts(store),
        latest_of=partial(progress_of, store),
        open_jobs=partial(open_jobs, store),
        plugins_of=partial(plugins_of, store),
    )


async def _import_plugins(catalogue: Catalogue, reloaded: Callable[[str], None] | None) -> None:
    """Find out whose code cannot be imported; in the background, so that a plugin that hangs delays no start."""
    ended = threading.Event()
    try:
        reloader = Reloader(catalogue) if reloaded else None
        await asyncio.to_thread(catalogue.import_all, proven=bundled("plugins"), stopped=ended.is_set)
        while reloader and reloaded:
            await asyncio.sleep(_RELOAD_S)
            for name in await asyncio.to_thread(reloader.look, ended.is_set):
                reloaded(name)
    finally:
        ended.set()  # a thread cannot be cancelled


def _look_for_gpus(settings: Settings, survey: Survey) -> Callable[[], Gpus | None]:
    """Say how to learn of the GPUs: without a driver there are none, else what was found, and None while it is looked for."""
    if not has_cuda_driver():
        return Gpus
    survey.begin()

    def found() -> Gpus | None:
        here = survey.inventory
        return Gpus(here.cuda_devices, settings.gpu_workers, here.cuda_runtimes) if here else None

    return found


def _limits(settings: Settings, hosts: frozenset[str]) -> Limits:
    return Limits(
        max_upload_bytes=settings.max_upload_mb * 1_000_000,
        max_queued_jobs=settings.max_queued_jobs,
        max_subscribers=settings.max_subscribers,
        token=settings.token,
        hosts=hosts | words(settings.hosts),
        origins=words(settings.cors_origins),
        source_roots=paths(settings.source_roots),
        allow_private_sources=settings.allow_private_sources,
    )


async def _tell_usage(hub: Hub, pool: Pool) -> None:
    meter = Meter()
    while True:
        await asyncio.sleep(_USAGE_S)
        if not hub.is_watched(None, "usage"):
            continue
        load = await asyncio.to_thread(meter.read)
        workers = pool.usage()
        memory = round(load.memory_mb + sum(worker.rss_mb for worker in workers), 1)
        hub.publish(
            Usage(at=datetime.now(UTC), cpu_percent=load.cpu_percent, memory_mb=memory, workers=workers, gpus=load.gpus)
        )
