"""A server that is asked to end: everybody is told, also while a job runs; nothing is left behind, and the next one goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Server, Servers, wait_until, write_clip
from tests.crowd import gathered

SLOW = '{"stages": [{"plugin": "brightness", "options": {"ms": %d}}]}'
ENVIRONMENT = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}


def busy(server: Server) -> int:
    """Count subscribers that have not taken what was written to them."""
    with server.client() as client:
        items = client.get("/v1/insights/subscribers").raise_for_status().json()["items"]
    return sum(item["lag_ms"] > 1000 for item in items)


@pytest.mark.parametrize(("count", "stalled", "ms"), [(30, 3, 60), pytest.param(500, 50, 200, marks=pytest.mark.soak)])
def test_everybody_is_told_of_the_shutdown_and_a_running_job_goes_on_with_the_next_server(
    servers: Servers, visit: Callable[[Any], Any], tmp_path: Path, *, count: int, stalled: int, ms: int
) -> None:
    server = servers.start(env=ENVIRONMENT)
    job_id = visit(server).submit(write_clip(tmp_path / "clip.mp4", frames=300), pipeline=SLOW % ms)["id"]
    with gathered(f"{server.url}/v1/jobs/{job_id}/insights", count, stalled) as crowd:
        assert crowd.report()["told"]["hello"] == count - stalled
        wait_until(lambda: busy(server) >= stalled, "a write to each of the stalled that it does not take", 60)
        assert server.stop() == 0, "it ended before everything was in order"
        report = crowd.report()
    assert report["closed"] == {"shutdown": count - stalled}
    assert report["told"]["close"] == report["lost"] == count - stalled
    assert not server.processes()
    for trouble in ("Traceback", "without completing response", "Cancel "):
        assert trouble not in server.printed()
    after = visit(servers.start(home=server.home, env=ENVIRONMENT))
    assert after.ended(job_id)["status"] == "completed"
    assert [row["frame_index"] for row in after.rows(job_id)] == list(range(300))
