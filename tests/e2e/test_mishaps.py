"""Plugins that crash, hang or eat memory, through the door: they cost the frames they fail on, and the page says why."""

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from markupsafe import escape

from tests.conftest import Server, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, rows_of, submit

ENV = {  # little patience with prepare
    "SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS),
    "SIGHTLINE_PREPARE_TIMEOUT_S": "3", "SIGHTLINE_WORKER_MEMORY_MB": "700",
}  # fmt: skip
POISON = [100, 101, 102]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred frames in ten groups of pictures."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def faulty(what: str, *frames: int, **options: Any) -> dict[str, Any]:
    """A stage that goes wrong on some frames."""
    options = {"what": what, "every": 0, "frames": [str(frame) for frame in frames], **options}
    return {"id": "faulty", "plugin": "faulty", "options": options}


def failed_in(rows: list[dict[str, Any]], stage: str = "faulty") -> dict[int, dict[str, Any]]:
    """The error of each frame on which a stage failed."""
    return {row["frame_index"]: error for row in rows for error in row["errors"] if error["stage"] == stage}


def test_poison_frames_cost_themselves_and_every_other_frame_is_done_once(
    api: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    calm = rows_of(api, end_of(api, submit(api, clip, faulty("segfault"), {"plugin": "brightness"}))["id"])
    stage = faulty("segfault", *POISON, journal=str(journal))
    job = end_of(api, submit(api, clip, stage, {"plugin": "brightness"}))
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", 300)
    begun = Counter(map(int, journal.read_text().split()))
    assert begun == {frame: 2 if frame in POISON else 1 for frame in range(300)}
    rows = rows_of(api, job["id"])
    wrong = failed_in(rows)
    assert sorted(wrong) == POISON
    assert {error["code"] for error in wrong.values()} == {"crash"}
    assert "SIGSEGV" in wrong[100]["message"]
    assert [row for row in rows if row["frame_index"] not in POISON] == [
        row for row in calm if row["frame_index"] not in POISON
    ]
    assert all("brightness" in rows[frame]["outputs"] for frame in POISON)


def test_what_was_counted_before_a_worker_was_lost_is_in_the_breakdown_once(api: httpx.Client, clip: Path) -> None:
    stages = {"plugin": "faulty", "id": "raises", "options": {"what": "raise", "every": 7}}, faulty("exit", *POISON)
    job = end_of(api, submit(api, clip, *stages))
    rows = {row["stage"]: row for row in job["breakdown"]}
    assert (rows["raises"]["frames"], rows["raises"]["soft_failures"]) == (300 - 43, 43)
    assert (rows["faulty"]["frames"], rows["faulty"]["soft_failures"]) == (297, 3)
    assert (rows["decode"]["frames"], rows["write"]["frames"]) == (300, 300)
    warned = {warning["code"]: warning for warning in job["warnings"]}
    assert {code: warning["count"] for code, warning in warned.items()} == {"exception": 43, "crash": 3}
    assert (warned["crash"]["first_frame_index"], warned["crash"]["last_frame_index"]) == (100, 102)
    assert "exit code 0" in warned["crash"]["message"]
    assert "went wrong on purpose at frame 0" in warned["exception"]["detail"]


def test_a_crash_that_the_second_try_survives_costs_nothing_and_is_told_of(
    api: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    calm = rows_of(api, end_of(api, submit(api, clip, faulty("abort")))["id"])
    job = end_of(api, submit(api, clip, faulty("abort", 50, once=str(tmp_path / "noted"))))
    assert rows_of(api, job["id"]) == calm
    assert job["status"] == "completed_with_warnings"
    (warning,) = job["warnings"]
    assert (warning["code"], warning["stage"], warning["first_frame_index"]) == ("worker_lost", "faulty", 50)
    assert "SIGABRT" in warning["message"]
    assert "nothing is missing" in warning["message"]
    assert "plugin.py" in warning["detail"]


def test_a_plugin_that_hangs_is_ended_and_the_line_it_hung_on_is_told(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, {**faulty("loop", 100), "frame_timeout_s": 2}, {"plugin": "brightness"}))
    rows = rows_of(api, job["id"])
    ((frame, error),) = failed_in(rows).items()
    assert (frame, error["code"]) == (100, "timeout")
    assert "no answer within 2 s (frame_timeout_s)" in error["message"]
    assert "brightness" in rows[100]["outputs"]
    (warning,) = job["warnings"]
    assert "plugin.py" in warning["detail"]
    assert "in go_wrong" in warning["detail"]


def test_a_worker_that_has_to_wait_for_its_turn_still_tells_the_line_it_hung_on(
    house: Server, api: httpx.Client, clip: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    job_id = submit(api, clip, {**faulty("loop", 100, journal=str(journal)), "frame_timeout_s": 2})
    for times in (1, 2):
        wait_until(lambda times=times: journal.exists() and journal.read_text().split().count("100") == times, "frame 100")
        workers = [process for process in house.processes() if "app.engine.worker" in process.cmdline()]
        for process in workers:
            process.suspend()
        time.sleep(2.75)  # a little longer than it may take: it is found to hang, and cannot say a word yet
        for process in workers:
            with suppress(psutil.NoSuchProcess):
                process.resume()
    (warning,) = end_of(api, job_id)["warnings"]
    assert warning["code"] == "timeout"
    assert "in go_wrong" in warning["detail"]


@pytest.mark.parametrize("what", ["memory", "memory_in_opencv", "memory_shared"])
def test_a_plugin_that_asks_for_eight_gigabytes_fails_on_that_frame_alone(api: httpx.Client, clip: Path, what: str) -> None:
    job = end_of(api, submit(api, clip, faulty(what, 100), {"plugin": "brightness"}))
    rows = rows_of(api, job["id"])
    ((frame, error),) = failed_in(rows).items()
    assert (frame, error["code"]) == (100, "memory")
    assert "a worker may use 700 MB (SIGHTLINE_WORKER_MEMORY_MB)" in error["message"]
    assert len(rows) == 300
    assert [warning["code"] for warning in job["warnings"]] == ["memory"]


def test_a_stateful_stage_is_the_same_beside_one_that_crashes(api: httpx.Client, clip: Path) -> None:
    calm = rows_of(api, end_of(api, submit(api, clip, {"plugin": "accumulate"}))["id"])
    job = end_of(api, submit(api, clip, {"plugin": "accumulate"}, faulty("segfault", 3, 100)))
    rows = rows_of(api, job["id"])
    assert sorted(failed_in(rows)) == [3, 100]
    assert [row["outputs"]["accumulate"] for row in rows] == [row["outputs"]["accumulate"] for row in calm]
    stages = {row["stage"]: row for row in job["breakdown"]}
    assert (stages["accumulate"]["frames"], stages["faulty"]["frames"]) == (300, 298)


@pytest.mark.parametrize(("what", "said"), [("loop", "no answer within 3 s"), ("memory", "700 MB")])
def test_a_prepare_that_does_not_come_to_an_end_leaves_its_stage_out(
    api: httpx.Client, clip: Path, what: str, said: str
) -> None:
    job = end_of(api, submit(api, clip, faulty(what, where="prepare"), {"plugin": "brightness"}))
    (warning,) = job["warnings"]
    assert (job["status"], warning["code"], warning["stage"]) == ("completed_with_warnings", "prepare_failed", "faulty")
    assert said in warning["message"]
    assert "tried twice" in warning["message"]
    assert all("brightness" in row["outputs"] and not row["errors"] for row in rows_of(api, job["id"]))


def test_a_job_whose_only_stage_cannot_be_prepared_fails_and_says_why(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, faulty("exit", where="prepare")))
    assert job["status"] == "failed"
    assert "No stage is left to run" in job["error"]
    assert "tried twice: the process ended itself with exit code 0" in job["error"]


def test_summing_up_that_crashes_is_tried_again_and_told_of_either_way(api: httpx.Client, clip: Path, tmp_path: Path) -> None:
    once = end_of(api, submit(api, clip, faulty("segfault", where="finalize", once=str(tmp_path / "noted"))))
    assert [warning["code"] for warning in once["warnings"]] == ["worker_lost"]
    assert once["breakdown"][0]["summary"] == {"frames": 300}
    always = end_of(api, submit(api, clip, faulty("exit", where="finalize")))
    (warning,) = always["warnings"]
    assert (always["status"], warning["code"]) == ("completed_with_warnings", "finalize_failed")
    assert "exit code 0" in warning["message"]


def test_the_page_says_what_happened_in_a_sentence_for_each_trouble(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, faulty("abort", 5), {**faulty("memory", 6), "id": "greedy"}))
    page = api.get(f"/jobs/{job['id']}").text
    assert {warning["code"] for warning in job["warnings"]} == {"crash", "memory"}
    for warning in job["warnings"]:
        assert escape(warning["message"]) in page
