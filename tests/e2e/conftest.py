"""What end-to-end tests do again and again: submit through the API, wait for the end, read rows."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

TWO_WORKERS = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(Path(__file__).parents[1] / "plugins")}
ENDED = {"completed", "completed_with_warnings", "failed", "cancelled"}


class Visitor:
    """A script that uses a server through its API, as a stranger would."""

    def __init__(self, server: Any, wait_until: Callable[..., Any]) -> None:
        self._server, self._wait = server, wait_until

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request."""
        with self._server.client() as client:
            return client.request(method, path, **options)

    def submit(self, path: Path, **fields: str) -> dict[str, Any]:
        """Upload a file as a job, with the fields of the form, and give the job; fails unless the answer is 201."""
        with path.open("rb") as file:
            answer = self.ask("POST", "/v1/jobs", files={"file": (path.name, file)}, data=fields)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        assert answer.headers["location"].endswith(answer.json()["id"])
        return answer.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """Give the job as it stands."""
        return self.ask("GET", f"/v1/jobs/{job_id}").raise_for_status().json()

    def ended(self, job_id: str, patience_s: float = 60.0) -> dict[str, Any]:
        """Wait until the job has ended and give it; `patience_s` for a long one."""

        def seen() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in ENDED else None

        return self._wait(seen, f"job {job_id} to end", patience_s)

    def rows(self, job_id: str) -> list[dict[str, Any]]:
        """Give the job's frames."""
        return [json.loads(line) for line in self.ask("GET", f"/v1/jobs/{job_id}/frames").raise_for_status().iter_lines()]


@pytest.fixture(scope="module")
def house(request: pytest.FixtureRequest, module_servers: Any) -> Any:
    """One server for a module's tests: with the settings of its ENV, else with two workers and the test plugins."""
    return module_servers.start(env=getattr(request.module, "ENV", TWO_WORKERS))


@pytest.fixture
def api(house: Any) -> Iterator[httpx.Client]:
    """A client of that server."""
    with house.client() as client:
        yield client


@pytest.fixture
def visit(wait_until: Callable[..., Any]) -> Callable[[Any], Visitor]:
    """Use a server through its API: `visit(server).submit(clip, plugins="motion_mog2")`."""
    return lambda server: Visitor(server, wait_until)


@pytest.fixture
def visitor(server: Any, visit: Callable[[Any], Visitor]) -> Visitor:
    """Use one server with an empty history."""
    return visit(server)
