"""Jobs through the door: submitted to a real server, run by real workers, read back over HTTP."""

import json
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.conftest import Server, Servers, wait_until, write_clip
from tests.sse import follow

TEST_PLUGINS = Path(__file__).parents[1] / "plugins"
ENDED = {"completed", "completed_with_warnings", "failed", "cancelled"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred frames in ten groups of pictures."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def submit(api: httpx.Client, clip: Path, *stages: dict[str, Any], **fields: str) -> str:
    """Submit a clip with a pipeline; give the job's id."""
    with clip.open("rb") as file:
        data = {"pipeline": json.dumps({"stages": stages}), **fields}
        answer = api.post("/v1/jobs", files={"file": (clip.name, file)}, data=data)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def status_of(api: httpx.Client, job_id: str) -> str:
    return str(api.get(f"/v1/jobs/{job_id}").json()["status"])


def end_of(api: httpx.Client, job_id: str) -> dict[str, Any]:
    """Wait for a job's end; give it."""
    wait_until(lambda: status_of(api, job_id) in ENDED, f"job {job_id} to end")
    job: dict[str, Any] = api.get(f"/v1/jobs/{job_id}").json()
    return job


def rows_of(api: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.get(f"/v1/jobs/{job_id}/frames").text.splitlines()]


def in_flight(api: httpx.Client, job_id: str, frames: int) -> Callable[[], bool]:
    return lambda: api.get(f"/v1/jobs/{job_id}").json()["frames_done"] >= frames


def test_every_frame_of_a_clip_is_handled_once_and_in_order(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, {"plugin": "brightness"}))
    assert (job["status"], job["progress"], job["frames_done"], job["frames_total"]) == ("completed", 100, 300, 300)
    rows = rows_of(api, job["id"])
    assert [row["frame_index"] for row in rows] == list(range(300))
    assert all(row["outputs"]["brightness"]["kind"] == "measurements" and row["errors"] == [] for row in rows)
    stages = {row["stage"]: row for row in job["breakdown"]}
    assert stages["brightness"]["frames"] == stages["write"]["frames"] == 300
    assert stages["brightness"]["summary"] == {"frames": 300}
    assert stages["brightness"]["device"]["used"] == job["device_used"] == "cpu"


def test_a_looped_job_goes_on_counting_frames_and_seconds(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, {"plugin": "brightness"}, loop="2"))
    rows = rows_of(api, job["id"])
    assert [row["frame_index"] for row in rows] == list(range(600))
    times = [row["t_s"] for row in rows]
    assert times == sorted(times)
    assert times[300] == pytest.approx(10.0, abs=0.05)
    assert rows[5]["outputs"] == rows[305]["outputs"]


def test_short_segments_that_are_done_together_share_a_file_of_rows(house: Server, api: httpx.Client, clip: Path) -> None:
    looped = end_of(api, submit(api, clip, {"plugin": "brightness"}, loop="30"))
    once = rows_of(api, end_of(api, submit(api, clip, {"plugin": "brightness"}))["id"])
    rows = rows_of(api, looped["id"])
    assert [row["frame_index"] for row in rows] == list(range(9000))
    assert all(row["outputs"] == once[index % 300]["outputs"] for index, row in enumerate(rows))
    assert {row["stage"]: row["summary"] for row in looped["breakdown"]}["brightness"] == {"frames": 9000}
    assert len(list((house.home / "outputs" / looped["id"]).glob("*.ndjson"))) < 9000 / 64 / 2
    part = api.get(f"/v1/jobs/{looped['id']}/frames?start=4990&end=5003").text.splitlines()
    assert [json.loads(line) for line in part] == rows[4990:5003]


def test_a_plugin_that_raises_on_every_tenth_frame_costs_those_frames_only(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, {"plugin": "faulty", "options": {"what": "raise", "every": 10}}))
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", 300)
    (warning,) = job["warnings"]
    assert (warning["code"], warning["stage"], warning["count"]) == ("exception", "faulty", 30)
    assert (warning["first_frame_index"], warning["last_frame_index"]) == (0, 290)
    assert "ValueError: went wrong on purpose at frame 0" in warning["detail"]
    assert "Traceback" in warning["detail"]
    wrong = [row["frame_index"] for row in rows_of(api, job["id"]) if row["errors"]]
    assert wrong == list(range(0, 300, 10))
    told = [fact for fact in api.get(f"/v1/jobs/{job['id']}/facts").json()["items"] if fact["type"] == "warning"]
    assert [fact["count"] for fact in told][-1] == 30


def test_a_plugin_that_gives_what_it_did_not_declare_fails_softly(api: httpx.Client, clip: Path) -> None:
    for what in ("bad_output", "wrong_kind"):
        job = end_of(api, submit(api, clip, {"plugin": "faulty", "options": {"what": what, "every": 100}}))
        (warning,) = job["warnings"]
        assert (warning["code"], warning["count"]) == ("bad_output", 3)
        assert ("nan" if what == "bad_output" else "Classification") in warning["message"]


def test_a_stage_that_fails_too_often_is_disabled_and_a_job_without_stages_fails(api: httpx.Client, clip: Path) -> None:
    wrong = {"plugin": "faulty", "options": {"what": "raise", "every": 1}}
    job = end_of(api, submit(api, clip, wrong, {"plugin": "brightness"}, loop="4"))
    stages = {row["stage"]: row for row in job["breakdown"]}
    assert (job["status"], stages["brightness"]["frames"]) == ("completed_with_warnings", 1200)
    assert (stages["faulty"]["health"], stages["faulty"]["frames"]) == ("failing", 0)
    assert stages["faulty"]["soft_failures"] < 1200
    assert "stage_disabled" in {warning["code"] for warning in job["warnings"]}
    alone = end_of(api, submit(api, clip, wrong))
    assert (alone["status"], alone["progress"] < 100) == ("failed", True)
    assert "No stage is left" in alone["error"]


def test_a_stage_told_to_fail_the_job_fails_it_with_its_own_words(api: httpx.Client, clip: Path) -> None:
    stage = {"plugin": "faulty", "on_error": "fail_job", "options": {"what": "raise", "every": 0, "frames": ["150"]}}
    job = end_of(api, submit(api, clip, stage))
    assert job["status"] == "failed"
    assert "went wrong on purpose at frame 150" in job["error"]


@pytest.mark.parametrize(("what", "said"), [("abort", "SIGABRT")])
def test_a_plugin_that_takes_its_worker_down_costs_the_frame_it_died_on(
    api: httpx.Client, clip: Path, what: str, said: str
) -> None:
    job = end_of(api, submit(api, clip, {"plugin": "faulty", "options": {"what": what, "every": 0, "frames": ["100", "101"]}}))
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", 300)
    wrong = {row["frame_index"]: row["errors"][0] for row in rows_of(api, job["id"]) if row["errors"]}
    assert sorted(wrong) == [100, 101]
    assert {error["code"] for error in wrong.values()} == {"crash"}
    assert said in wrong[100]["message"]
    assert end_of(api, submit(api, clip, {"plugin": "brightness"}))["status"] == "completed"


def test_a_summary_that_cannot_be_made_is_a_warning_and_never_a_lost_job(api: httpx.Client, clip: Path) -> None:
    for what in ("raise", "exit"):
        job = end_of(api, submit(api, clip, {"plugin": "faulty", "options": {"what": what, "where": "finalize"}}))
        assert (job["status"], [w["code"] for w in job["warnings"]]) == ("completed_with_warnings", ["finalize_failed"])
        assert job["breakdown"][0]["summary"] is None
        assert len(rows_of(api, job["id"])) == 300


def test_what_a_plugin_prints_is_in_the_jobs_log(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, {"plugin": "faulty", "options": {"what": "print", "every": 100}}))
    wanted = {f"printed at frame {frame}\n" for frame in (0, 100, 200)}
    log = f"/v1/jobs/{job['id']}/log"  # two workers print, each down a pipe of its own
    wait_until(lambda: wanted <= set(api.get(log).text.splitlines(keepends=True)), "the log")
    assert sorted(api.get(log).text.splitlines(keepends=True)) == sorted(wanted)


def test_a_job_that_reads_earlier_frames_is_the_same_after_its_worker_was_killed(
    house: Server, api: httpx.Client, clip: Path
) -> None:
    calm = rows_of(api, end_of(api, submit(api, clip, {"plugin": "accumulate"}))["id"])
    job_id = submit(api, clip, {"plugin": "accumulate", "options": {"ms": 10}})
    wait_until(in_flight(api, job_id, 100), "a hundred frames")
    victim = next(worker for worker in api.get("/v1/devices").json()["workers"] if worker["job_id"] == job_id)
    workers = [p for p in house.processes() if "app.engine.worker" in " ".join(p.cmdline())]
    for process in workers:
        process.kill()
    assert victim["state"] == "busy"
    job = end_of(api, job_id)
    assert (job["status"], job["frames_done"]) == ("completed", 300)
    assert rows_of(api, job_id) == calm
    psutil.wait_procs(workers, timeout=5)


def test_a_cancelled_job_ends_within_a_frame_and_keeps_what_was_committed(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 20}})
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    assert api.post(f"/v1/jobs/{job_id}/cancel").status_code == 200
    job = end_of(api, job_id)
    assert (job["status"], job["progress"] < 100) == ("cancelled", True)
    assert len(rows_of(api, job_id)) == job["frames_done"] >= 60
    assert api.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"


def test_progress_stays_where_it_was_told_when_a_job_is_cancelled(house: Server, api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 40}})
    told: list[int] = []
    with follow(f"{house.url}/v1/jobs/{job_id}/insights?types=progress") as stream:
        for event in stream:
            if event.type == "progress":
                told.append(event.json["progress"])
                if told[-1] >= 10 and len(told) < 100:
                    api.post(f"/v1/jobs/{job_id}/cancel")
    assert told == sorted(told)
    assert api.get(f"/v1/jobs/{job_id}").json()["progress"] == told[-1] >= 10


def test_a_paused_job_stands_still_and_goes_on_where_it_was(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 10}})
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    api.post(f"/v1/jobs/{job_id}/pause")
    wait_until(lambda: status_of(api, job_id) == "paused", "the job to pause")
    assert api.post(f"/v1/jobs/{job_id}/pause").status_code == 200
    api.post(f"/v1/jobs/{job_id}/resume")
    job = end_of(api, job_id)
    assert job["status"] == "completed"
    assert [row["frame_index"] for row in rows_of(api, job_id)] == list(range(300))


def test_a_stopped_job_ends_with_what_is_committed_and_says_so(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 20}})
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    api.post(f"/v1/jobs/{job_id}/stop")
    job = end_of(api, job_id)
    assert (job["status"], job["progress"]) == ("completed_with_warnings", 100)
    assert [warning["code"] for warning in job["warnings"]] == ["stopped_early"]
    rows = rows_of(api, job_id)
    assert len(rows) == job["frames_done"] < 300
    assert job["breakdown"][0]["summary"] == {"frames": len(rows)}


def test_a_retried_job_keeps_its_id_and_what_was_committed(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 20}})
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    api.post(f"/v1/jobs/{job_id}/cancel")
    before = end_of(api, job_id)["frames_done"]
    assert api.post(f"/v1/jobs/{job_id}/retry").json()["id"] == job_id
    wait_until(lambda: status_of(api, job_id) == "completed", "the job to complete")
    facts = api.get(f"/v1/jobs/{job_id}/facts").json()["items"]
    assert [fact["status"] for fact in facts if fact["type"] == "status"][-4:] == [
        "queued",
        "running",
        "finalizing",
        "completed",
    ]
    assert before >= 60
    assert [row["frame_index"] for row in rows_of(api, job_id)] == list(range(300))


def test_a_server_killed_in_the_middle_goes_on_by_itself_when_it_is_back(servers: Servers, clip: Path) -> None:
    env = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}
    first = servers.start(env=env)
    with first.client() as api:
        job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 10}})
        wait_until(in_flight(api, job_id, 60), "sixty frames")
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not first.processes(), "the workers to notice")
    with servers.start(home=first.home, env=env).client() as api:
        job = end_of(api, job_id)
        assert (job["status"], job["frames_done"]) == ("completed", 300)
        assert [row["frame_index"] for row in rows_of(api, job_id)] == list(range(300))


def test_two_jobs_share_the_workers_and_the_small_one_is_not_stuck(api: httpx.Client, clip: Path, tmp_path: Path) -> None:
    long_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 20}}, loop="20")
    wait_until(in_flight(api, long_id, 60), "sixty frames")
    short = write_clip(tmp_path / "short.mp4", frames=2)
    job = end_of(api, submit(api, short, {"plugin": "brightness"}))
    assert (job["status"], job["frames_done"]) == ("completed", 2)
    assert status_of(api, long_id) == "running"
    api.post(f"/v1/jobs/{long_id}/cancel")
    assert end_of(api, long_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    "spoken", [b"BREW /v1/jobs HTTP/1.1\r\n\r\n", b"GET /v1/jobs HTTP/1.1\r\nHost: a\x1b\r\n\r\n", b"\x16\x03\x01\n"]
)
def test_what_is_no_http_is_refused_as_all_else_is(house: Server, spoken: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(house.url.rpartition(":")[2])), timeout=20) as connection:
        connection.sendall(spoken)
        answer = HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (told["type"], told["title"], told["status"]) == ("/problems/bad-request", "Bad request", 400)
    assert told["detail"]
