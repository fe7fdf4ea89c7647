"""Jobs under control, with real workers: fair sharing, priority, a pause over a restart, deletion, and shared cores."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server, Servers, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, in_flight, rows_of, status_of, submit

ENV = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}
STUCK = {"plugin": "faulty", "frame_timeout_s": 3600, "options": {"what": "sleep", "every": 0, "frames": ["0"]}}
CORES = len(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def brightness(ms: float) -> dict[str, Any]:
    return {"plugin": "brightness", "options": {"ms": ms}}


def test_a_small_job_gets_the_next_free_worker_while_short_segments_are_given_out_ahead(
    api: httpx.Client, clip: Path, still: Path
) -> None:
    long_id = submit(api, clip, brightness(4), loop="100")
    wait_until(in_flight(api, long_id, 600), "600 frames")  # by now its segments are known to be short
    small = end_of(api, submit(api, still, brightness(0)))
    assert small["status"] == "completed"
    assert status_of(api, long_id) == "running"
    api.post(f"/v1/jobs/{long_id}/cancel")
    assert end_of(api, long_id)["status"] == "cancelled"


def test_queued_jobs_start_by_priority_and_say_what_they_wait_for(servers: Servers, clip: Path, still: Path) -> None:
    with servers.start(env=ENV | {"SIGHTLINE_WORKERS": "1"}).client() as api:
        first = submit(api, clip, STUCK)
        wait_until(lambda: status_of(api, first) == "running", "the first job to run")
        low = submit(api, still, brightness(0))
        high = submit(api, still, brightness(0), priority="1")
        queues = [api.get(f"/v1/jobs/{job_id}").json()["queue"] for job_id in (high, low)]
        assert [queue["position"] for queue in queues] == [1, 2]
        assert [queue["reason"] for queue in queues] == [
            "Next in line behind 1 running job: it starts as soon as a worker is free.",
            "1 job is ahead of it, and 1 is running.",
        ]
        api.post(f"/v1/jobs/{first}/cancel")
        assert end_of(api, high)["started_at"] < end_of(api, low)["started_at"]
        assert end_of(api, low)["queue"] is None


def test_a_job_paused_before_a_restart_stands_still_after_it_and_loses_nothing(servers: Servers, clip: Path) -> None:
    first = servers.start(env=ENV)
    with first.client() as api:
        job_id = submit(api, clip, brightness(5), {"plugin": "accumulate"})
        wait_until(in_flight(api, job_id, 60), "sixty frames")
        api.post(f"/v1/jobs/{job_id}/pause")
        wait_until(lambda: status_of(api, job_id) == "paused", "the job to pause")
        before = rows_of(api, job_id)
    first.stop()
    with servers.start(home=first.home, env=ENV).client() as api:
        paused = api.get(f"/v1/jobs/{job_id}").json()
        assert (paused["status"], paused["frames_done"]) == ("paused", len(before))
        assert rows_of(api, job_id) == before
        api.post(f"/v1/jobs/{job_id}/resume")
        assert end_of(api, job_id)["status"] == "completed"
        rows = rows_of(api, job_id)
        assert [row["frame_index"] for row in rows] == list(range(300))
        assert rows[: len(before)] == before
        calm = end_of(api, submit(api, clip, brightness(0), {"plugin": "accumulate"}))["id"]
        assert rows_of(api, calm) == rows


def test_a_job_paused_and_resumed_in_quick_succession_goes_on_to_its_end(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, brightness(4), loop="3")
    for _ in range(20):  # each resume may come while the dispatcher brings the pause about
        for verb in ("pause", "resume"):
            api.post(f"/v1/jobs/{job_id}/{verb}")
    assert end_of(api, job_id)["frames_done"] == 900


def test_a_deleted_job_leaves_nothing_and_its_upload_stays_while_another_uses_it(
    house: Server, api: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    own = write_clip(tmp_path / "own.mp4", frames=30)
    twins = [submit(api, own, stage) for stage in (STUCK, brightness(0))]
    assert api.delete(f"/v1/jobs/{twins[0]}").status_code == 409
    api.post(f"/v1/jobs/{twins[0]}/cancel")
    uploads, outputs = house.home / "uploads", house.home / "outputs"
    kept = {path.name for path in uploads.iterdir()}
    for job_id in twins:
        end_of(api, job_id)
        assert (outputs / job_id).is_dir()
        assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
        assert api.get(f"/v1/jobs/{job_id}").status_code == 404
        assert not (outputs / job_id).exists()
        still_there = {path.name for path in uploads.iterdir()}
        assert len(kept - still_there) == (0 if job_id == twins[0] else 1)


def threads_used(rows: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Threads promised and threads of OpenCV, row by row."""
    return [(given["promised"], given["opencv"]) for given in (_numbers(row) for row in rows)]


def _numbers(row: dict[str, Any]) -> dict[str, float]:
    return {number["name"]: number["value"] for number in row["outputs"]["threads"]["measurements"]}


def test_workers_and_their_threads_together_fit_the_cores(api: httpx.Client, clip: Path, still: Path) -> None:
    together = max(1, CORES // 2)
    lone = {"plugin": "accumulate"}  # in order: its job keeps to one worker
    alone = rows_of(api, end_of(api, submit(api, still, {"plugin": "threads"}))["id"])
    assert threads_used(alone) == [(CORES, CORES)]
    in_order = rows_of(api, end_of(api, submit(api, clip, {"plugin": "threads"}, lone))["id"])
    assert set(threads_used(in_order)) == {(CORES, CORES)}
    spread = rows_of(api, end_of(api, submit(api, clip, {"plugin": "threads", "options": {"ms": 3}}))["id"])
    assert len({_numbers(row)["process"] for row in spread}) == 2
    assert (together, together) in set(threads_used(spread[:200]))
    assert threads_used(spread)[0] == (together, together)
    both = [submit(api, clip, {"plugin": "threads", "options": {"ms": 10}}, lone) for _ in range(2)]
    side_by_side = [threads_used(rows_of(api, end_of(api, job_id)["id"])) for job_id in both]
    assert all(any(opencv == together for _, opencv in used) for used in side_by_side)


def test_plugins_stay_prepared_between_the_segments_of_a_job(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, brightness(3), {"plugin": "faulty", "options": {"every": 0}}, loop="3"))
    prepared = {row["stage"]: row["frames"] for row in job["breakdown"]}["prepare"]
    assert prepared <= 2 * 2  # each stage once on each worker, over fifteen segments


def test_a_job_killed_in_the_middle_leaves_no_rows_that_do_not_count(house: Server, api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, brightness(5))
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    for process in house.processes():
        if "app.engine.worker" in " ".join(process.cmdline()):
            process.kill()
    assert end_of(api, job_id)["frames_done"] == 300
    left = house.home / "outputs" / job_id
    wait_until(lambda: len(list(left.glob("*.ndjson*"))) == 5, "only the five files that count to be left")


def workers_of(house: Server) -> set[int]:
    return {process.pid for process in house.processes() if "app.engine.worker" in " ".join(process.cmdline())}


def test_cancelling_a_job_disturbs_no_other_that_is_in_a_long_frame(servers: Servers, clip: Path, still: Path) -> None:
    house = servers.start(env=ENV | {"SIGHTLINE_WORKERS": "1"})
    with house.client() as api:
        quick = submit(api, clip, brightness(2), loop="50")
        wait_until(in_flight(api, quick, 120), "120 frames")  # its segments are short: they are given out ahead
        slow = submit(api, still, brightness(3000))
        wait_until(lambda: status_of(api, slow) == "running", "the slow job to run")
        before = workers_of(house)
        api.post(f"/v1/jobs/{quick}/cancel")
        assert end_of(api, quick)["status"] == "cancelled"
        assert end_of(api, slow)["status"] == "completed"
        assert workers_of(house) == before
