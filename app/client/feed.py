"""The feed as an iterator of insights: cut, killed or restarted servers are its own affair, not the script's."""

import time
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, Self

import anyio
import httpx
from httpx_sse import aconnect_sse, connect_sse

from app.client.resume import TIMEOUT, Place
from app.domain.insight import Insight

_CUT = httpx.RemoteProtocolError("the connection ended before the feed did")


class _Following:
    """What a feed tells about itself, whoever reads it."""

    def __init__(self, path: str, query: Mapping[str, Any], last_event_id: int | None, patience_s: float | None) -> None:
        self._path = path
        self._query = query
        self._place = Place(last_event_id, patience_s)

    @property
    def fact_id(self) -> int | None:
        """Number of the fact just given; None for any other insight."""
        return self._place.fact_id

    @property
    def last_id(self) -> int | None:
        """Number to resume from: `follow(…, last_event_id=…)` goes on behind it, also in another process."""
        return self._place.last_id

    @property
    def connected(self) -> bool:
        """Whether there is a connection right now."""
        return self._place.connected

    @property
    def closed(self) -> str | None:
        """Reason of the `close` that ended the feed: how the job ended."""
        return self._place.closed

    def _asked(self) -> dict[str, Any]:
        return {"params": self._query, "headers": self._place.headers, "timeout": TIMEOUT}


class Feed(_Following):
    """Insights of the feed as they come; the feed of one job ends with the job.

    After a cut it resumes by itself: facts that were missed come with their numbers, what cannot be told any more comes as
    a Gap with a snapshot behind it. Iterating raises ServerRefused for a problem that asking again does not cure,
    ServerUnreachable where nobody answers the first time or the patience is over, and UnreadableAnswer.
    """

    def __init__(
        self, http: httpx.Client, path: str, query: Mapping[str, Any], last_id: int | None, patience_s: float | None
    ) -> None:
        super().__init__(path, query, last_id, patience_s)
        self._http = http
        self._insights = self._read()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Insight:
        return next(self._insights)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the feed."""
        self._insights.close()

    def _read(self) -> Generator[Insight, None, None]:
        while not self._place.over:
            cut: httpx.TransportError = _CUT
            try:
                yield from self._connection()
            except httpx.TransportError as lost:
                cut = lost
            if not self._place.over:
                time.sleep(self._place.lost(cut, self._http.base_url))

    def _connection(self) -> Generator[Insight, None, None]:
        with connect_sse(self._http, "GET", self._path, **self._asked()) as source:
            if not source.response.is_success:
                source.response.read()
            if not self._place.admit(source.response):
                return
            for event in source.iter_sse():
                insight = self._place.take(event)
                if insight is not None:
                    yield insight
                if self._place.over:
                    return


class AsyncFeed(_Following):
    """The same as `Feed`, for `async for`."""

    def __init__(
        self, http: httpx.AsyncClient, path: str, query: Mapping[str, Any], last_id: int | None, patience_s: float | None
    ) -> None:
        super().__init__(path, query, last_id, patience_s)
        self._http = http
        self._insights = self._read()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Insight:
        return await anext(self._insights)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the feed."""
        await self._insights.aclose()

    async def _read(self) -> AsyncGenerator[Insight, None]:
        while not self._place.over:
            cut: httpx.TransportError = _CUT
            try:
                async with aconnect_sse(self._http, "GET", self._path, **self._asked()) as source:
                    if not source.response.is_success:
                        await source.response.aread()
                    if self._place.admit(source.response):
                        async for event in source.aiter_sse():
                            insight = self._place.take(event)
                            if insight is not None:
                                yield insight
                            if self._place.over:
                                return
            except httpx.TransportError as lost:
                cut = lost
            if not self._place.over:
                await anyio.sleep(self._place.lost(cut, self._http.base_url))
