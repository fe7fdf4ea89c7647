"""A server of the bench, in a process of its own: the feed as it is, or a queue for each client; told over HTTP what to do."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from typing import Protocol

import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.domain.insight import FACT_TYPES, Insight, Status
from app.insights.filter import EVERYTHING
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from app.insights.wire import encode_json, frame
from app.web.connection import Connection
from app.web.feed import FeedResponse
from tests.bench.feed.plans import Plan

_TCP_NOTSENT_LOWAT = 25
_UNSENT_BYTES = 16_384


class Feed(Protocol):
    """A way to bring insights to many clients."""

    def publish(self, insight: Insight) -> None:
        """Publish one insight."""

    def subscribe(self) -> Response:
        """Answer a client."""

    def stats(self) -> dict[str, int]:
        """Count what there is."""


class HubFeed:
    """The feed as Sightline serves it, over a log in memory."""

    def __init__(self) -> None:
        self._log = MemoryFactLog()
        self._hub = Hub(self._log, open_jobs=list)

    def publish(self, insight: Insight) -> None:
        """Publish one insight; a fact is numbered by the log."""
        if insight.type in FACT_TYPES:
            self._hub.publish_fact(self._log.append(insight), insight)
        else:
            self._hub.publish(insight)

    def subscribe(self) -> Response:
        """Answer a client with everything."""
        return FeedResponse(self._hub.subscribe(EVERYTHING))

    def stats(self) -> dict[str, int]:
        """Count subscribers and what they lost."""
        return {"subscribers": self._hub.subscribers, "dropped": self._hub.totals.dropped}


class QueueFeed:
    """What a tutorial would build: an EventSourceResponse and an asyncio.Queue for each client; bytes are shared at least."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._number = 0

    def publish(self, insight: Insight) -> None:
        """Put one insight into every queue."""
        number = None
        if insight.type in FACT_TYPES:
            number = self._number = self._number + 1
        data = frame(encode_json(insight, None), event=insight.type, fact_id=number)
        for queue in self._queues:
            queue.put_nowait(data)

    def subscribe(self) -> Response:
        """Answer a client with a queue of its own."""
        return EventSourceResponse(self._read(), sep="\n")

    def stats(self) -> dict[str, int]:
        """Count clients, and what waits for them."""
        return {"subscribers": len(self._queues), "queued": sum(queue.qsize() for queue in self._queues)}

    async def _read(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield b": welcome\n\n"
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


def build(feed: Feed) -> Starlette:
    """Build the application around a feed."""
    working: set[asyncio.Task[None]] = set()

    async def read(_request: Request) -> Response:
        return feed.subscribe()

    async def stats(_request: Request) -> Response:
        return JSONResponse(feed.stats())

    async def publish(request: Request) -> Response:
        query = request.query_params
        task = asyncio.create_task(_publish(feed, Plan(query["kind"], float(query["rate"])), float(query["seconds"])))
        working.add(task)
        task.add_done_callback(working.discard)
        return JSONResponse({})

    return Starlette(routes=[Route("/feed", read), Route("/stats", stats), Route("/publish", publish, methods=["POST"])])


async def _publish(feed: Feed, plan: Plan, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    insights, began = plan.insights(), loop.time()
    for number in range(round(plan.rate * seconds)):
        wait = began + number / plan.rate - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        insight = next(insights)
        if not isinstance(insight, Status) or not insight.status.ended:
            feed.publish(insight)


def main() -> None:
    """Serve on a free port, and say which."""
    listener = socket.socket()
    listener.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    print(listener.getsockname()[1], flush=True)
    ours = sys.argv[1] == "hub"
    app = build(HubFeed() if ours else QueueFeed())
    config = uvicorn.Config(
        app, http=Connection if ours else "httptools", loop="uvloop", log_level="error", access_log=False,
        lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
