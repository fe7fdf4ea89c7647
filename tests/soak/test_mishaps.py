"""Every way in which a plugin can fail, in every place; and ten poison frames while workers are killed at random."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from markupsafe import escape

from tests.conftest import Server, Servers, wait_until, write_clip
from tests.e2e.test_jobs import ENDED, TEST_PLUGINS, end_of, rows_of, status_of, submit
from tests.e2e.test_mishaps import POISON, failed_in, faulty

pytestmark = pytest.mark.soak

WAYS = {  # what a plugin does: the code of the soft failure, and what is said of it
    "reid": ("crash", "SIGSEGV"),
    "loop": ("timeout", "no answer within"),
    "sleep": ("timeout", "no answer within"),
    "memory": ("memory", "SIGHTLINE_WORKER_MEMORY_MB"),
    "memory_in_opencv": ("memory", "SIGHTLINE_WORKER_MEMORY_MB"),
    "memory_shared": ("memory", "SIGHTLINE_WORKER_MEMORY_MB"),
    "exit": ("crash", "exit code 0"),
    "kill": ("crash", "SIGKILL"),
}


@pytest.fixture(scope="module")
def house(module_servers: Servers) -> Server:
    """One server with two workers, a limit of memory, and little patience."""
    patience = {"SIGHTLINE_PREPARE_TIMEOUT_S": "5", "SIGHTLINE_FINALIZE_TIMEOUT_S": "5"}
    limits = {**patience, "SIGHTLINE_WORKER_MEMORY_MB": "700"}
    return module_servers.start(env={"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), **limits})


@pytest.fixture
def api(house: Server) -> Iterator[httpx.Client]:
    """A client of that server."""
    with house.client() as client:
        yield client


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred frames in ten groups of pictures."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


@pytest.fixture
def stage(request: pytest.FixtureRequest, shared: Path) -> Any:
    """Make a stage that goes wrong in one of the ways: `stage(what, where)`."""

    def make(what: str, where: str) -> dict[str, Any]:
        timeout = 2 if WAYS[what][0] == "timeout" else 30
        if what != "reid":
            return {**faulty(what, *POISON, where=where), "frame_timeout_s": timeout}
        model = shared / "models" / "person_reid_retail_0288.onnx"
        options = {"model": str(model), "frames": [str(frame) for frame in POISON], "where": where}
        return {"id": "faulty", "plugin": "reid", "options": options}

    return make


def workers_of(house: Server) -> set[int]:
    """Process ids of the workers."""
    return {process.pid for process in house.processes() if "app.engine.worker" in " ".join(process.cmdline())}


def both_workers_of(house: Server) -> set[int]:
    """Process ids of the two workers; the place of one that was just lost may be empty for a moment."""
    wait_until(lambda: len(workers_of(house)) == 2, "two workers")
    return workers_of(house)


@pytest.mark.parametrize("what", WAYS)
def test_a_plugin_that_fails_on_three_frames_costs_these_three(
    house: Server, api: httpx.Client, clip: Path, stage: Any, what: str
) -> None:
    code, said = WAYS[what]
    before = both_workers_of(house)
    job = end_of(api, submit(api, clip, stage(what, "process_frame"), {"plugin": "brightness"}))
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", 300)
    rows = rows_of(api, job["id"])
    wrong = failed_in(rows)
    assert [row["frame_index"] for row in rows] == list(range(300))
    assert sorted(wrong) == POISON
    assert {error["code"] for error in wrong.values()} == {code}
    assert all(said in error["message"] for error in wrong.values())
    assert all("brightness" in row["outputs"] for row in rows)
    (warning,) = job["warnings"]
    assert (warning["count"], warning["first_frame_index"], warning["last_frame_index"]) == (3, 100, 102)
    assert escape(warning["message"]) in api.get(f"/jobs/{job['id']}").text
    calm = end_of(api, submit(api, clip, {"plugin": "brightness"}))
    assert (calm["status"], calm["warnings"]) == ("completed", [])
    refused_within = what in {"memory", "memory_in_opencv"}
    assert (both_workers_of(house) == before) == refused_within


@pytest.mark.parametrize("what", WAYS)
def test_a_plugin_that_fails_to_prepare_is_left_out_and_the_rest_is_done(
    house: Server, api: httpx.Client, clip: Path, stage: Any, what: str
) -> None:
    job = end_of(api, submit(api, clip, stage(what, "prepare"), {"plugin": "brightness"}))
    (warning,) = job["warnings"]
    assert (job["status"], warning["code"], warning["stage"]) == ("completed_with_warnings", "prepare_failed", "faulty")
    assert WAYS[what][1] in warning["message"]
    assert escape(warning["message"]) in api.get(f"/jobs/{job['id']}").text
    assert all("brightness" in row["outputs"] and not row["errors"] for row in rows_of(api, job["id"]))
    alone = end_of(api, submit(api, clip, stage(what, "prepare")))
    assert alone["status"] == "failed"
    assert escape(alone["error"]) in api.get(f"/jobs/{alone['id']}").text
    assert end_of(api, submit(api, clip, {"plugin": "brightness"}))["status"] == "completed"
    both_workers_of(house)


def test_a_machine_that_stood_still_with_all_that_runs_on_it_is_held_against_no_plugin(
    servers: Servers, still: Path, tmp_path: Path
) -> None:
    house, noted = (
        servers.start(env={"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}),
        tmp_path / "noted",
    )
    stage = {**faulty("raise", ms=2500, journal=str(noted)), "frame_timeout_s": 5}
    with house.client() as api:
        job_id = submit(api, still, stage)
        wait_until(noted.exists, "the frame to be begun")
        frozen = [house.process.pid, *workers_of(house)]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(6)  # longer than a frame may take
        os.kill(frozen[0], signal.SIGCONT)
        assert api.get("/healthz").status_code == httpx.codes.OK
        os.kill(frozen[1], signal.SIGCONT)
        job = end_of(api, job_id)
        assert (job["status"], job["warnings"]) == ("completed", [])
        assert noted.read_text().split() == ["0"]


@pytest.mark.parametrize("what", ["loop", "sleep", "memory_shared", "segfault"])
def test_summing_up_that_fails_is_a_warning_and_never_a_lost_job(api: httpx.Client, clip: Path, what: str) -> None:
    job = end_of(api, submit(api, clip, faulty(what, where="finalize"), {"plugin": "brightness"}))
    assert [(warning["code"], warning["stage"]) for warning in job["warnings"]] == [("finalize_failed", "faulty")]
    summaries = {row["stage"]: row["summary"] for row in job["breakdown"]}
    assert (summaries["faulty"], summaries["brightness"]) == (None, {"frames": 300})
    assert len(rows_of(api, job["id"])) == 300


@pytest.mark.parametrize("stateful", [False, True], ids=["stateless", "stateful"])
def test_ten_poison_frames_cost_ten_frames_while_workers_are_killed_at_random(
    house: Server, api: httpx.Client, tmp_path: Path, stateful: bool
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    clip, beside = write_clip(tmp_path / "long.mp4", frames=600), {"plugin": "accumulate" if stateful else "brightness"}
    poison = sorted(dice.sample(range(600), 10))
    calm = rows_of(api, end_of(api, submit(api, clip, beside, faulty("segfault", ms=4)))["id"])
    job_id = submit(api, clip, beside, faulty("segfault", *poison, ms=4))
    kills = 0
    while status_of(api, job_id) not in ENDED:
        time.sleep(dice.uniform(0.3, 2.0))
        workers = sorted(workers_of(house))
        if workers and kills < 15:
            kills += 1
            psutil.Process(dice.choice(workers)).kill()
    job = end_of(api, job_id)
    rows = rows_of(api, job_id)
    print(f"{kills} kills, poison at {poison}")
    assert sorted(failed_in(rows)) == poison
    assert [warning["code"] for warning in job["warnings"]] == ["crash"]
    assert [row["frame_index"] for row in rows] == list(range(600))
    for row, expected in zip(rows, calm, strict=True):
        outputs = expected["outputs"]
        if row["frame_index"] in poison:
            outputs = {stage: output for stage, output in outputs.items() if stage != "faulty"}
        assert row["outputs"] == outputs
    counts = {row["stage"]: (row["frames"], row["soft_failures"]) for row in job["breakdown"]}
    assert counts["faulty"] == (590, 10)
    assert counts[beside["plugin"]] == (600, 0)
