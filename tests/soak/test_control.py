"""Jobs under control, again and again: cancelled at random moments, killed at frame 400, and a result of 50,000 frames."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import Servers, wait_until, write_clip
from tests.e2e.test_control import ENV, brightness, workers_of
from tests.e2e.test_jobs import ENDED, end_of, in_flight, rows_of, status_of, submit

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
TIMES = 20


def sleeper(where: str) -> dict[str, Any]:
    """A plugin that never comes back: from its preparation, from a frame, or from summing up."""
    options = {"what": "sleep", "where": where, "every": 0, "frames": ["40"]}
    return {"plugin": "faulty", "frame_timeout_s": 3600, "options": options}


KINDS = {
    "short frames": brightness(2),
    "long frames": brightness(10_000),
    "a frame without end": sleeper("process_frame"),
    "a preparation without end": sleeper("prepare"),
    "summing up without end": sleeper("finalize"),
}


def test_a_job_is_cancelled_twenty_times_of_twenty_whatever_it_is_doing(servers: Servers, tmp_path: Path) -> None:
    clip, seed = write_clip(tmp_path / "clip.mp4", frames=120), random.randrange(1 << 30)
    print(f"seed {seed}")
    chance, took = random.Random(seed), []
    house = servers.start(env=ENV)
    with house.client() as api:
        for kind in chance.sample(list(KINDS) * (TIMES // len(KINDS)), TIMES):
            job_id = submit(api, clip, KINDS[kind], loop="1" if "summing" in kind else "20")
            time.sleep(chance.uniform(0, 2))
            asked = time.monotonic()
            api.post(f"/v1/jobs/{job_id}/cancel")
            wait_until(lambda job_id=job_id: status_of(api, job_id) in ENDED, f"{kind} to be cancelled")
            took.append((time.monotonic() - asked, kind))
            job = api.get(f"/v1/jobs/{job_id}").json()
            rows = [row["frame_index"] for row in rows_of(api, job_id)]
            assert (job["status"], job["frames_done"]) == ("cancelled", len(rows))
            assert rows == sorted(set(rows))
        assert end_of(api, submit(api, clip, brightness(0)))["status"] == "completed"
    for seconds, kind in sorted(took):
        print(f"{seconds:6.2f} s  {kind}")
    print(f"within one second: {sum(seconds <= 1 for seconds, _ in took)} of {TIMES}")


def test_motion_killed_at_frame_400_ends_identical(servers: Servers, shared: Path) -> None:
    house = servers.start(env=ENV)
    with house.client() as api:
        clip = shared / "video" / "vtest.avi"
        calm = end_of(api, submit(api, clip, {"plugin": "motion_mog2"}))
        job_id = submit(api, clip, {"plugin": "motion_mog2"})
        wait_until(in_flight(api, job_id, 400), "400 frames", 300)
        for pid in workers_of(house):
            psutil.Process(pid).kill()
        job = end_of(api, job_id)
        assert job["frames_done"] == 795
        assert rows_of(api, job_id) == rows_of(api, calm["id"])
        assert [row["summary"] for row in job["breakdown"]] == [row["summary"] for row in calm["breakdown"]]


def test_a_result_of_50_000_frames_streams_with_flat_memory(servers: Servers, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=500, size=(64, 48))
    house = servers.start(env=ENV)
    stages = [{"plugin": "brightness", "id": f"stage_{number}"} for number in range(12)]
    with house.client() as api:
        job_id = submit(api, clip, *stages, loop="100")
        wait_until(lambda: status_of(api, job_id) in ENDED, "50,000 frames", 600)
        assert api.get(f"/v1/jobs/{job_id}").json()["frames_done"] == 50_000
        list(_drain(api, f"/v1/jobs/{job_id}/frames?end=1000"))  # what the first answer brings with it is not the result's
        server = psutil.Process(house.process.pid)
        for path in ("result", "frames"):
            before = most = server.memory_info().rss
            size = lines = 0
            for block in _drain(api, f"/v1/jobs/{job_id}/{path}"):
                size, lines = size + len(block), lines + block.count(b'"frame_index"')
                most = max(most, server.memory_info().rss)
            print(f"{path}: {size / 1e6:.0f} MB, {lines} rows, the server grew by {(most - before) / 1e6:.1f} MB")
            assert lines == 50_000
            assert most - before < 30_000_000 < size / 3


def _drain(api: httpx.Client, path: str) -> Iterator[bytes]:
    """Read an answer as it comes and keep nothing of it; blocks are cut at commas, so that no word falls apart."""
    rest = b""
    with api.stream("GET", path, timeout=120) as answer:
        for chunk in answer.iter_bytes():
            whole, comma, rest = (rest + chunk).rpartition(b",")
            yield whole + comma
    yield rest
