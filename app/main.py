"""The composition root: the one place where the parts are put together."""

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from app.devices.inventory import take_inventory
from app.devices.usage import Meter
from app.domain.insight import Insight, Usage
from app.engine.dispatcher import Dispatcher
from app.engine.holder import name_of_this_process
from app.engine.pool import Pool
from app.engine.printed import PrintedLog
from app.engine.process import clock
from app.engine.station import Station
from app.engine.teller import Pictures, Teller
from app.insights.hub import Hub
from app.insights.tail import Tail
from app.media.preview import PreviewCache
from app.media.storage import Storage
from app.registry.discover import Catalogue
from app.settings import Settings, bundled, paths
from app.store.engine import Store, migrate
from app.store.facts import StoredFacts
from app.store.standing import open_jobs, progress_of
from app.web.parts import Limits, Parts, Readiness

_PREVIEW_BYTES: Final = 64_000_000
_PICTURE_S: Final = 0.2
_USAGE_S: Final = 1.0
_LEAST_FREE_BYTES: Final = 200_000_000
_STILL_S: Final = 120.0
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
    """A running engine."""

    dispatcher: Dispatcher
    pool: Pool


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
    size = workers or settings.workers

    def wake() -> None:
        dispatcher.wake()  # made below, before any worker can change

    outputs_folder = stores.storage.outputs_folder
    pool = Pool(
        size,
        memory_mb=settings.worker_memory_mb,
        printed=PrintedLog(outputs_folder, lambda text: _log.info("a worker printed: %s", text.rstrip())),
        changed=wake,
    )
    station = Station(
        store=stores.store,
        executor=pool,
        plugins=stores.catalogue,
        outputs_folder=outputs_folder,
        teller=Teller(voice.publish, voice.is_watched, voice.pictures, _PICTURE_S),
        ring=voice.ring,
        hold=voice.hold,
        holder=runner or name_of_this_process(),
        runner=runner,
        cores=len(os.sched_getaffinity(0)),
    )
    dispatcher = Dispatcher(station)
    await pool.start()
    working = asyncio.create_task(dispatcher.run())
    try:
        yield Engine(dispatcher, pool)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await pool.close()


@asynccontextmanager
async def open_server(settings: Settings, *, hosts: frozenset[str] = frozenset()) -> AsyncIterator[Parts]:
    """Put a whole server together, all but the socket: gives the parts that the web application needs."""
    async with open_stores(settings) as stores:
        await asyncio.to_thread(stores.storage.sweep)
        hub = Hub(
            StoredFacts(stores.store),
            latest_of=partial(progress_of, stores.store),
            open_jobs=partial(open_jobs, stores.store),
        )
        tail = Tail(hub)
        previews = PreviewCache(_PREVIEW_BYTES)
        voice = Voice(hub.publish, lambda job_id: hub.is_watched(job_id, "overlay"), previews, tail.ring, hub.hold)
        async with run_engine(settings, stores, voice) as engine:
            inventory = _Inventory()
            running = [asyncio.create_task(work) for work in (tail.run(), _tell_usage(hub, engine.pool), inventory.take())]

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
                    readiness=lambda: _readiness(stores.store, settings.home, engine),
                    inventory=inventory.read,
                )
            finally:
                await hub.close("shutdown")
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)


class _Inventory:
    """Takes the inventory once, in the background; whoever asks before it is there waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._taken: asyncio.Future[Mapping[str, Any]] = self._loop.create_future()

    async def take(self) -> None:
        self._taken.set_result(msgspec.to_builtins(await take_inventory()))

    def read(self) -> Mapping[str, Any]:
        """Give the inventory; called on a thread."""
        return asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()

    async def _wait(self) -> Mapping[str, Any]:
        return await asyncio.shield(self._taken)


def _limits(settings: Settings, hosts: frozenset[str]) -> Limits:
    return Limits(
        max_upload_bytes=settings.max_upload_mb * 1_000_000,
        max_queued_jobs=settings.max_queued_jobs,
        max_subscribers=settings.max_subscribers,
        token=settings.token,
        hosts=hosts,
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


def _readiness(store: Store, home: Path, engine: Engine) -> Readiness:
    checks = {"database": None, "pool": engine.pool.trouble, "disk": None, "work": engine.dispatcher.trouble}
    try:
        with store.read() as tx:
            tx.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        checks["database"] = f"The database does not answer: {type(error).__name__}."
    if checks["pool"] is None and not engine.pool.load():
        checks["pool"] = "No worker is ready yet."
    free = shutil.disk_usage(home).free
    if free < _LEAST_FREE_BYTES:
        checks["disk"] = f"Only {free // 1_000_000} MB are free in {home}."
    moved_at = engine.dispatcher.moved_at
    if moved_at is not None and clock() - moved_at > _STILL_S:
        checks["work"] = f"Work stands still: nothing was heard of a frame for {clock() - moved_at:.0f} s."
    return Readiness(checks)
