"""The same client for scripts with an event loop."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

import anyio
import httpx
from anyio.to_thread import run_sync

from app.client import asks
from app.client.answers import FrameRow, Job, JobPage
from app.client.asks import Ask, JobFields
from app.client.client import LOOK_S
from app.client.feed import AsyncFeed
from app.domain.job import JobStatus

T = TypeVar("T")


class AsyncClient:
    """`Client` with `await`; use it as `async with`, or `aclose()` it."""

    def __init__(self, url: str = "http://127.0.0.1:8000", *, token: str = "", **options: Any) -> None:
        self._http = httpx.AsyncClient(**asks.connection_options(url, token, options))

    @property
    def address(self) -> str:
        """Address of the server."""
        return str(self._http.base_url).rstrip("/")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def submit(
        self,
        file: Path | str | None = None,
        *,
        url: str | None = None,
        path: str | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[JobFields],
    ) -> Job:
        """Submit a job, as `Client.submit` does."""
        if file is None:
            return await self._ask(asks.submit_source(url, path, fields, idempotency_key))
        with await run_sync(lambda: Path(file).open("rb")) as body:
            return await self._ask(asks.submit_file(Path(file).name, body, fields, idempotency_key))

    async def get(self, job: Job | str) -> Job:
        """Give one job."""
        return await self._ask(asks.show(job))

    async def jobs(
        self,
        *,
        status: Sequence[JobStatus | str] = (),
        plugin: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Give a page of jobs, newest first."""
        return await self._ask(asks.jobs(status, plugin, q, limit, cursor))

    async def wait(self, job: Job | str, *, timeout_s: float | None = None) -> Job:
        """Wait until a job has ended, over restarts of the server; raise TimeoutError after `timeout_s`."""
        with anyio.fail_after(timeout_s):
            now = await self.get(job)
            while not now.status.ended:
                await anyio.sleep(LOOK_S)
                with asks.patience():
                    now = await self.get(job)
        return now

    async def cancel(self, job: Job | str) -> Job:
        """End a job now; what is committed stays."""
        return await self._ask(asks.move(job, "cancel"))

    async def pause(self, job: Job | str) -> Job:
        """Let a job rest."""
        return await self._ask(asks.move(job, "pause"))

    async def resume(self, job: Job | str) -> Job:
        """Let a paused job go on."""
        return await self._ask(asks.move(job, "resume"))

    async def stop(self, job: Job | str) -> Job:
        """Finish a job now with what is committed."""
        return await self._ask(asks.move(job, "stop"))

    async def retry(self, job: Job | str) -> Job:
        """Take a failed or cancelled job up again."""
        return await self._ask(asks.move(job, "retry"))

    async def delete(self, job: Job | str) -> None:
        """Delete an ended job with all it left."""
        await self._ask(asks.delete(job))

    async def frames(self, job: Job | str, start: int = 0, end: int | None = None) -> AsyncIterator[FrameRow]:
        """Give the rows of frames `[start, end)` that are there, in frame order, read as they come."""
        ask, rows = asks.frames(job, start, end), asks.Rows()
        try:
            async with self._http.stream(ask.method, ask.path, **ask.options) as response:
                if response.is_error:
                    await response.aread()
                    raise asks.refusal(response)
                async for chunk in response.aiter_bytes():
                    for row in rows.feed(chunk):
                        yield row
        except httpx.TransportError as lost:
            raise asks.unreachable(lost, self._http.base_url) from None

    def follow(
        self,
        job: Job | str | Sequence[str] | None = None,
        *,
        types: Sequence[str] | str = (),
        plugin: Sequence[str] | str = (),
        labels: Sequence[str] | str = (),
        min_confidence: float | None = None,
        max_rate: float | None = None,
        rewind: int | None = None,
        last_event_id: int | None = None,
        patience_s: float | None = None,
    ) -> AsyncFeed:
        """Follow jobs, as `Client.follow` does: `async for insight in client.follow(job)`."""
        path, query = asks.feed(
            job, types=types, plugin=plugin, labels=labels, min_confidence=min_confidence, max_rate=max_rate, rewind=rewind
        )
        return AsyncFeed(self._http, path, query, last_event_id, patience_s)

    async def _ask(self, ask: Ask[T]) -> T:
        try:
            response = await self._http.request(ask.method, ask.path, **ask.options)
        except httpx.TransportError as lost:
            raise asks.unreachable(lost, self._http.base_url) from None
        return asks.read(response, ask.answer)
