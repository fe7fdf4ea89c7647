"""What the tests in a browser share: waiting for something on a page, and jobs of a real server to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import PATIENCE_S, Server, wait_until

STATE = "document.getElementById('connection-state').dataset.state"


def becomes(page: Any, expression: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until an expression is true on the page (Playwright's own way of waiting needs eval, which the policy forbids)."""
    wait_until(lambda: page.evaluate(f"Boolean({expression})"), expression, patience_s)


def submit(house: Server, clip: Path, **fields: str) -> str:
    """Submit a clip and give the job's id."""
    with house.client() as client:
        answer = client.post("/v1/jobs", files={"file": (clip.name, clip.read_bytes())}, data=fields)
        return str(answer.raise_for_status().json()["id"])


@contextmanager
def going_on(house: Server, clip: Path, **fields: str) -> Iterator[str]:
    """Submit a clip that is read at its own pace, and give the job's id; it is cancelled at the end."""
    job_id = submit(house, clip, pace="realtime", **fields)
    yield job_id
    with house.client() as client:
        client.post(f"/v1/jobs/{job_id}/cancel")
