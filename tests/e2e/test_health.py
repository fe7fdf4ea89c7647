"""Health through the door: a stage gets worse and better while its job runs, told live with the reason, and kept."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Server, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, submit
from tests.sse import follow

ENV = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def row_of(api: httpx.Client, job_id: str, stage: str) -> dict[str, Any]:
    rows = api.get(f"/v1/jobs/{job_id}").json()["breakdown"]
    return next(row for row in rows if row["stage"] == stage)


def healths(api: httpx.Client, job_id: str, stage: str) -> list[dict[str, Any]]:
    facts = api.get(f"/v1/jobs/{job_id}/facts").json()["items"]
    return [fact for fact in facts if fact["type"] == "health" and fact["stage"] == stage]


def test_a_budget_set_too_low_turns_the_plugin_degraded_live_with_its_reason_and_back(
    house: Server, api: httpx.Client, clip: Path
) -> None:
    job_id = submit(api, clip, {"plugin": "tired", "options": {"until": 120}}, loop="4")
    told: list[dict[str, Any]] = []
    with follow(f"{house.url}/v1/jobs/{job_id}/insights?types=health") as stream:
        for event in stream:
            if event.type == "health":
                told.append(event.json)
                if event.json["health"] == "degraded":
                    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "running"
                    wait_until(lambda: row_of(api, job_id, "tired")["health"] == "degraded", "the row to say so too")
                    assert "Degraded" in api.get(f"/jobs/{job_id}").text
                    assert api.get("/v1/plugins/tired").json()["record"]["health"] == "degraded"
    job = end_of(api, job_id)
    changes = [fact for fact in healths(api, job_id, "tired") if fact["previous"] is not None or fact["health"] != "ok"]
    assert [fact["health"] for fact in changes] == ["degraded", "ok"]
    assert {fact["plugin"] for fact in changes} == {"tired"}
    assert "frames took longer than the budget of 20 ms." in changes[0]["reason"]
    assert changes[1]["reason"].startswith("Well again: none of the last ")
    assert [change["health"] for change in told][-2:] == ["degraded", "ok"]
    assert (job["status"], row_of(api, job_id, "tired")["health"]) == ("completed", "ok")
    assert row_of(api, job_id, "tired")["over_budget"] >= 120
    assert api.get("/v1/plugins/tired").json()["record"]["health"] == "ok"


def test_a_plugin_that_takes_its_worker_down_is_degraded_until_enough_frames_went_well(api: httpx.Client, clip: Path) -> None:
    stage = {"plugin": "faulty", "options": {"what": "segfault", "every": 0, "frames": ["40"]}}
    job_id = submit(api, clip, stage, loop="3")
    assert end_of(api, job_id)["status"] == "completed_with_warnings"
    changes = [fact for fact in healths(api, job_id, "faulty") if fact["previous"] is not None or fact["health"] != "ok"]
    assert [fact["health"] for fact in changes] == ["degraded", "ok"]
    assert "took its worker down" in changes[0]["reason"]


def test_a_single_frame_that_is_well_is_told_as_well(api: httpx.Client, still: Path) -> None:
    job_id = submit(api, still, {"plugin": "brightness"})
    end_of(api, job_id)
    (fact,) = healths(api, job_id, "brightness")
    assert (fact["health"], fact["previous"], fact["reason"]) == ("ok", None, "")
    assert "brightness: It does well." in api.get(f"/jobs/{job_id}").text
