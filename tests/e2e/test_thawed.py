"""Workers that stood still while another server did their job to its end: what they write then counts and stays nowhere."""

import contextlib
import os
import signal
from pathlib import Path

import httpx

from tests.conftest import Servers, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, in_flight, rows_of, submit
from tests.e2e.test_survival import LEASE_S, counting, files, freeze_with_work_in_hand

FRAMES, LOOP = 300, 80
ENV = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), "SIGHTLINE_LEASE_S": str(LEASE_S)}


def test_rows_that_are_written_after_the_job_has_ended_are_removed(servers: Servers, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=FRAMES)
    frozen = servers.start(env=ENV)
    with frozen.client() as api:
        job_id = submit(api, clip, {"plugin": "brightness"}, loop=str(LOOP))
        wait_until(in_flight(api, job_id, 1500), "segments to be done by the stretch")
    freeze_with_work_in_hand(frozen, {"job": job_id})
    stopped = [frozen.process.pid, *(process.pid for process in frozen.processes() if process.pid != frozen.process.pid)]
    for pid in stopped[1:]:
        os.kill(pid, signal.SIGSTOP)
    try:
        with servers.start(home=frozen.home, env=ENV).client() as api:
            assert end_of(api, job_id)["status"] == "completed"
            rows = rows_of(api, job_id)
    finally:
        for pid in reversed(stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert [row["frame_index"] for row in rows] == list(range(FRAMES * LOOP))
    with frozen.client() as api:
        wait_until(lambda: api.get("/readyz").status_code == httpx.codes.OK, "the thawed server to be well")
        wait_until(
            lambda: files(frozen.home, {"job": job_id}) == counting(frozen.home, {"job": job_id}), "the rest to be removed"
        )
        assert rows_of(api, job_id) == rows
