"""The client for ordinary scripts: submit, look, wait, move jobs, and follow the feed."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self, TypeVar, Unpack

import httpx

from app.client import asks
from app.client.answers import FrameRow, Job, JobPage
from app.client.asks import Ask, JobFields
from app.client.feed import Feed
from app.domain.job import JobStatus

T = TypeVar("T")
LOOK_S: Final = 0.5


class Client:
    """A running Sightline, reached by its address; `token` where it wants one. Use it as `with`, or `close()` it.

    What the server refuses is raised as ServerRefused, with its sentence, `status` and `type`; a server that does not answer
    is ServerUnreachable. `options` go to httpx.Client, such as `verify` and `timeout`.
    """

    def __init__(self, url: str = "http://127.0.0.1:8000", *, token: str = "", **options: Any) -> None:
        self._http = httpx.Client(**asks.connection_options(url, token, options))

    @property
    def address(self) -> str:
        """Address of the server."""
        return str(self._http.base_url).rstrip("/")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def submit(
        self,
        file: Path | str | None = None,
        *,
        url: str | None = None,
        path: str | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[JobFields],
    ) -> Job:
        """Submit a job: on `file`, which is sent along, or on a `url` or a `path` that the server reads itself.

        `plugins="people_hog"` or `pipeline={"stages": […]}` says what to run.
        """
        if file is None:
            return self._ask(asks.submit_source(url, path, fields, idempotency_key))
        with Path(file).open("rb") as body:
            return self._ask(asks.submit_file(Path(file).name, body, fields, idempotency_key))

    def get(self, job: Job | str) -> Job:
        """Give one job."""
        return self._ask(asks.show(job))

    def jobs(
        self,
        *,
        status: Sequence[JobStatus | str] = (),
        plugin: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """Give a page of jobs, newest first."""
        return self._ask(asks.jobs(status, plugin, q, limit, cursor))

    def wait(self, job: Job | str, *, timeout_s: float | None = None) -> Job:
        """Wait until a job has ended, over restarts of the server; raise TimeoutError after `timeout_s`."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        now = self.get(job)
        while not now.status.ended:
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"job {now.id} is {now.status.value} after {timeout_s:g} s")
            time.sleep(LOOK_S)
            with asks.patience():
                now = self.get(job)
        return now

    def cancel(self, job: Job | str) -> Job:
        """End a job now; what is committed stays."""
        return self._ask(asks.move(job, "cancel"))

    def pause(self, job: Job | str) -> Job:
        """Let a job rest."""
        return self._ask(asks.move(job, "pause"))

    def resume(self, job: Job | str) -> Job:
        """Let a paused job go on."""
        return self._ask(asks.move(job, "resume"))

    def stop(self, job: Job | str) -> Job:
        """Finish a job now with what is committed."""
        return self._ask(asks.move(job, "stop"))

    def retry(self, job: Job | str) -> Job:
        """Take a failed or cancelled job up again."""
        return self._ask(asks.move(job, "retry"))

    def delete(self, job: Job | str) -> None:
        """Delete an ended job with all it left."""
        self._ask(asks.delete(job))

    def frames(self, job: Job | str, start: int = 0, end: int | None = None) -> Iterator[FrameRow]:
        """Give the rows of frames `[start, end)` that are there, in frame order, read as they come."""
        ask, rows = asks.frames(job, start, end), asks.Rows()
        try:
            with self._http.stream(ask.method, ask.path, **ask.options) as response:
                if response.is_error:
                    response.read()
                    raise asks.refusal(response)
                for chunk in response.iter_bytes():
                    yield from rows.feed(chunk)
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
    ) -> Feed:
        """Follow one job to its end, or several or all of them (None) for ever; a cut connection resumes by itself.

        Wanted are these `types` of insights, jobs and stages that run these plugins, of overlays these `labels` and nothing
        below `min_confidence`, and at most `max_rate` latest values a second of each type and job. `rewind` begins with the
        last so many facts, `last_event_id` behind a fact one has; `patience_s` is how long to go on without a server (None:
        for ever).
        """
        path, query = asks.feed(
            job, types=types, plugin=plugin, labels=labels, min_confidence=min_confidence, max_rate=max_rate, rewind=rewind
        )
        return Feed(self._http, path, query, last_event_id, patience_s)

    def _ask(self, ask: Ask[T]) -> T:
        try:
            response = self._http.request(ask.method, ask.path, **ask.options)
        except httpx.TransportError as lost:
            raise asks.unreachable(lost, self._http.base_url) from None
        return asks.read(response, ask.answer)
