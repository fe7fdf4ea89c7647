"""Followers through everything that can happen to a job: killed servers, pauses, cancelling, another try."""

from pathlib import Path

import pytest

from tests.conftest import Servers, wait_until, write_clip
from tests.e2e.test_followers import ENV, LEADER, followed_right, follower
from tests.e2e.test_jobs import end_of, in_flight, rows_of, status_of, submit

pytestmark = pytest.mark.soak


def test_rows_are_the_same_when_the_server_is_killed_and_the_job_paused_cancelled_and_retried(
    servers: Servers, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=300)
    first = servers.start(env=ENV)
    with first.client() as api:
        job_id = submit(api, clip, LEADER, follower(ms=5))
        wait_until(in_flight(api, job_id, 60), "sixty frames")
        api.post(f"/v1/jobs/{job_id}/pause")
        wait_until(lambda: status_of(api, job_id) == "paused", "the job to pause")
        api.post(f"/v1/jobs/{job_id}/resume")
        wait_until(in_flight(api, job_id, 120), "120 frames")
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not first.processes(), "the workers to notice")
    with servers.start(home=first.home, env=ENV).client() as api:
        wait_until(in_flight(api, job_id, 180), "180 frames")
        api.post(f"/v1/jobs/{job_id}/cancel")
        assert end_of(api, job_id)["status"] == "cancelled"
        api.post(f"/v1/jobs/{job_id}/retry")
        wait_until(lambda: status_of(api, job_id) == "completed", "the job to complete")
        rows = rows_of(api, job_id)
        assert [row["frame_index"] for row in rows] == list(range(300))
        assert followed_right(rows)
        kept = list((first.home / "outputs" / job_id).glob("*.ndjson"))
        assert len(kept) == 5  # one file a segment: what the followers read is gone
        assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert not list((first.home / "outputs").iterdir())
