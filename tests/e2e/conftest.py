"""What end-to-end tests do again and again: submit through the API, wait for the end, read rows, follow the feed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from httpx_sse import connect_sse

ENDED = {"completed", "completed_with_warnings", "failed", "cancelled"}


class Event(NamedTuple):
    """One message of the feed: its type, its number where it is a fact, and its data."""

    type: str
    id: str
    data: dict[str, Any]


class Visitor:
    """A script that uses a server through its API, as a stranger would."""

    def __init__(self, server: Any, wait_until: Callable[..., Any]) -> None:
        self._server, self._wait = server, wait_until

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request."""
        with self._server.client() as client:
            return client.request(method, path, **options)

    def submit(self, path: Path, plugins: str, **fields: str) -> dict[str, Any]:
        """Upload a file as a job and give the job; fails unless the answer is 201."""
        with path.open("rb") as file:
            answer = self.ask("POST", "/v1/jobs", files={"file": (path.name, file)}, data={"plugins": plugins, **fields})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        assert answer.headers["location"].endswith(answer.json()["id"])
        return answer.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """Give the job as it stands."""
        return self.ask("GET", f"/v1/jobs/{job_id}").raise_for_status().json()

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait until the job has ended and give it."""

        def seen() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ENDED else None

        return self._wait(seen, f"job {job_id} to end")

    def rows(self, job_id: str) -> list[dict[str, Any]]:
        """Give the job's frames."""
        return [json.loads(line) for line in self.ask("GET", f"/v1/jobs/{job_id}/frames").raise_for_status().iter_lines()]

    def follow(
        self, job_id: str, *, after: str | None = None, until: Callable[[Event], bool] | None = None, **query: str
    ) -> list[Event]:
        """Read the job's feed, after a fact's number where given, until it closes or `until` says so of an event (kept)."""
        headers = {"last-event-id": after} if after is not None else {}
        events: list[Event] = []
        with (
            self._server.client() as client,
            connect_sse(client, "GET", f"/v1/jobs/{job_id}/insights", headers=headers, params=query) as feed,
        ):
            for said in feed.iter_sse():
                events.append(Event(said.event, said.id, json.loads(said.data)))
                if said.event == "close" or (until and until(events[-1])):
                    break
        return events


@pytest.fixture
def visit(wait_until: Callable[..., Any]) -> Callable[[Any], Visitor]:
    """Use a server through its API: `visit(server).submit(clip, "motion_mog2")`."""
    return lambda server: Visitor(server, wait_until)


@pytest.fixture
def visitor(server: Any, visit: Callable[[Any], Visitor]) -> Visitor:
    """Use one server with an empty history."""
    return visit(server)
