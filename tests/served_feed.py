"""A feed served by itself: a real server on a real socket over a real database, without an engine."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from app.domain.errors import SightlineError
from app.domain.insight import Insight, Progress, Status, Warned
from app.domain.job import Job, JobStatus, Pace, Wanted
from app.domain.media import SourceKind, SourceRef
from app.domain.pipeline import Pipeline, Stage
from app.insights.hub import Hub
from app.insights.tail import Tail
from app.store import facts, jobs
from app.store.engine import Store
from app.store.facts import StoredFacts
from app.store.standing import plugins_of
from app.web import feed
from app.web.connection import Connection
from app.web.errors import on_error
from tests.conftest import wait_until
from tests.postgres import history_of
from tests.sse import Event

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Feed:
    """A served feed: its address, and what the engine would do to it."""

    def __init__(self, store: Store, max_subscribers: int, **timing: float) -> None:
        self.store = store
        self.hub = Hub(StoredFacts(store), plugins_of=partial(plugins_of, store), **timing)
        self.hub.channel("html:job", _html, types={"status", "progress", "warning"})
        self.tail = Tail(self.hub)
        self.limits = SimpleNamespace(max_subscribers=max_subscribers)
        self.catalogue = SimpleNamespace(found={"hog": None, "mog": None})
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None

    def app(self) -> Starlette:
        """Build the small application that carries the feed alone."""
        app = Starlette(
            routes=[
                Route("/v1/insights", feed.insights, methods=["GET", "OPTIONS"]),
                Route("/v1/jobs/{id}/insights", feed.job_insights, methods=["GET", "OPTIONS"]),
                Route("/live", feed.live, methods=["GET", "OPTIONS"]),
            ],
            exception_handlers={SightlineError: on_error},
            lifespan=self._live,
        )
        app.state.parts = self
        return app

    @asynccontextmanager
    async def _live(self, _app: Starlette) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        tailing = asyncio.create_task(self.tail.run())
        yield
        await self.hub.close("shutdown")
        tailing.cancel()

    def publish(self, *insights: Insight) -> None:
        """Publish latest values, and wait until that is done."""
        done: Future[None] = Future()

        def publish() -> None:
            for insight in insights:
                self.hub.publish(insight)
            done.set_result(None)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(publish)
        done.result(10)

    def add(self, job_id: str, **plugins: str) -> None:
        """Store a queued job, with a plugin for each stage."""
        stages = tuple(Stage(stage, plugin) for stage, plugin in (plugins or {"hog": "hog"}).items())
        job = Job(
            id=job_id, name=job_id, tags=(), status=JobStatus.QUEUED, wanted=Wanted.RUN, priority=0, pace=Pace.MAX, loop=1,
            source=SourceRef(SourceKind.VIDEO, "clip.mp4", "/clip.mp4"), plan=None,
            pipeline=Pipeline(stages), device_requested="auto", strict_device=False, frames_total=10,
            frames_done=0, created_at=NOON,
        )  # fmt: skip
        with self.store.begin() as tx:
            jobs.insert(tx, job, ())
        self.tail.ring()

    def move(self, job_id: str, *statuses: JobStatus) -> None:
        """Move a job from status to status."""
        for status in statuses:
            with self.store.begin() as tx:
                jobs.move(tx, job_id, status)
        self.tail.ring()

    def warn(self, job_id: str, *counts: int) -> None:
        """Store warning facts."""
        with self.store.begin() as tx:
            for count in counts:
                facts.append(tx, fact_of(job_id, count))
        self.tail.ring()

    def wait_for_subscribers(self, count: int) -> None:
        """Wait until the feed has so many subscribers."""
        wait_until(lambda: self.hub.subscribers == count, f"{count} subscribers", 20)


def _html(insight: Insight, _number: int | None) -> bytes | None:
    if isinstance(insight, Status):
        return f"<hx-partial>\n<b>{insight.status}</b>\r\n</hx-partial>".encode()
    if isinstance(insight, Progress):
        return f"<i>{insight.frames_done}</i>".encode()
    return b"<u>!</u>" if isinstance(insight, Warned) else None


def fact_of(job_id: str, count: int, message: str = "no\nway") -> Warned:
    """Build a warning fact, told apart by its count."""
    return Warned(at=NOON, job_id=job_id, code="exception", stage=None, frame_index=None, message=message, count=count)


def progress(job_id: str, done: int) -> Progress:
    """Build a latest value."""
    return Progress(
        at=NOON, job_id=job_id, progress=done, frames_done=done, frames_total=100, elapsed_s=float("nan"), eta_s=None
    )


@contextmanager
def serve(folder: Path, max_subscribers: int = 100, **timing: float) -> Iterator[Feed]:
    """Serve the feed over the database in a folder, in a thread, on a free port; `timing` goes to the hub."""
    served = Feed(Store(history_of(folder)), max_subscribers, **timing)
    config = uvicorn.Config(served.app(), port=0, http=Connection, log_level="warning", timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "the server to start", 20)
        served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield served
    finally:
        server.should_exit = True
        thread.join(20)
        served.store.close()
    assert not thread.is_alive()


def is_(kind: str) -> Callable[[Event], bool]:
    """Ask for the next event of a type."""
    return lambda event: event.type == kind


def brief(events: list[Event]) -> list[str]:
    """Put events into words that are easy to compare."""
    return [f"{'~' * event.snapshot}{event.type}" if event.id is None else f"#{event.id} {event.type}" for event in events]


def get(served: Feed, path: str, **headers: str) -> httpx.Response:
    """Ask for something that is no stream."""
    return httpx.get(served.url + path, headers=headers, trust_env=False, timeout=20)
