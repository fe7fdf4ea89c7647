"""Stages that follow: they go over what parallel stages gave, in frame order, as if they had run with them."""

import json
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.domain.geometry import Size
from app.domain.output import Output
from tests.conftest import Server, Servers, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, in_flight, rows_of, submit
from tests.sse import follow

ENV = {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}
LEADER = {"plugin": "brightness", "options": {"ms": 1}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def follower(*needs: str, ms: float = 0, **options: int) -> dict[str, Any]:
    return {"plugin": "follower", "needs": needs or ["brightness"], "options": {"ms": ms, **options}}


def followed_right(rows: list[dict[str, Any]], missed: int = -1) -> bool:
    """Reckon the follower's checksums again from the rows it stands in."""
    checksum, size = 0, Size(160, 120)
    for row in rows:
        if row["frame_index"] == missed:
            assert "follower" not in row["outputs"]
            continue
        seen = [("brightness", msgspec.convert(row["outputs"]["brightness"], Output))]
        checksum = zlib.crc32(f"{row['frame_index']} {row['t_s']} {size} {seen}".encode(), checksum)
        if row["outputs"]["follower"]["measurements"][0]["value"] != checksum:
            return False
    return True


def kill_workers(house: Server) -> None:
    for process in house.processes():
        if "app.engine.worker" in " ".join(process.cmdline()):
            process.kill()


def test_a_follower_sees_every_frame_in_order_behind_stages_that_run_on_every_worker(
    servers: Servers, api: httpx.Client, clip: Path
) -> None:
    stages = ({"plugin": "faulty"}, LEADER, follower(), {"plugin": "faulty", "id": "late", "needs": ["brightness"]})
    job = end_of(api, submit(api, clip, *stages))
    rows = rows_of(api, job["id"])
    assert [row["frame_index"] for row in rows] == list(range(300))
    assert followed_right(rows)
    assert list(rows[1]["outputs"]) == ["faulty", "brightness", "follower", "late"]
    found = {row["stage"]: row for row in job["breakdown"]}
    assert [found[stage]["frames"] for stage in ("brightness", "follower", "decode", "write")] == [300] * 4
    assert found["follower"]["summary"] == {
        "checksum": rows[-1]["outputs"]["follower"]["measurements"][0]["value"],
        "frames": 300,
    }
    assert found["prepare"]["frames"] == 2 * 3 + 1  # the others on both workers, the follower on one
    assert (job["frames_done"], job["progress"]) == (300, 100)
    with servers.start(env=ENV | {"SIGHTLINE_WORKERS": "1"}).client() as lone:
        assert rows_of(lone, end_of(lone, submit(lone, clip, *stages))["id"]) == rows


def test_followers_may_follow_each_other_and_a_stage_on_pixels_waits_for_none(api: httpx.Client, clip: Path) -> None:
    second = {**follower("brightness", "follower"), "id": "second"}
    chain = rows_of(api, end_of(api, submit(api, clip, LEADER, follower(), second))["id"])
    assert followed_right(chain)
    # A stage on pixels goes by the follower: it must run with the others, on one worker, and gives the very same.
    late = {"plugin": "brightness", "id": "late", "needs": ["second"]}
    job = end_of(api, submit(api, clip, LEADER, follower(), second, late))
    rows = rows_of(api, job["id"])
    for row in rows:
        assert row["outputs"].pop("late")
    assert rows == chain


def test_rows_are_the_same_when_every_worker_is_killed_in_the_middle(house: Server, api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, LEADER, follower(ms=4))
    wait_until(in_flight(api, job_id, 100), "a hundred frames to be followed")
    kill_workers(house)
    job = end_of(api, job_id)
    assert (job["status"], job["frames_done"], job["warnings"]) == ("completed", 300, [])
    assert followed_right(rows_of(api, job_id))
    assert {row["stage"]: row["frames"] for row in job["breakdown"]}["follower"] == 300


def test_a_stopped_job_ends_with_the_frames_its_followers_have_seen(api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, LEADER, follower(ms=8))
    wait_until(in_flight(api, job_id, 60), "sixty frames")
    api.post(f"/v1/jobs/{job_id}/stop")
    job = end_of(api, job_id)
    rows = rows_of(api, job_id)
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", len(rows))
    assert 60 <= len(rows) < 300
    assert followed_right(rows)


def test_a_frame_that_kills_the_follower_costs_that_frame_only(api: httpx.Client, clip: Path) -> None:
    job = end_of(api, submit(api, clip, LEADER, follower(die=100)))
    rows = rows_of(api, job["id"])
    assert (job["status"], job["frames_done"]) == ("completed_with_warnings", 300)
    assert [(row["frame_index"], row["errors"][0]["stage"]) for row in rows if row["errors"]] == [(100, "follower")]
    assert followed_right(rows, missed=100)


def test_a_plugin_that_says_it_needs_no_pixels_is_told_so_when_it_asks(api: httpx.Client, clip: Path) -> None:
    for more in ([], [{"plugin": "brightness", "id": "late", "needs": ["follower"]}]):  # following, and among the others
        job = end_of(api, submit(api, clip, LEADER, follower(look=7), *more))
        warning, *others = job["warnings"]
        assert (warning["code"], warning["stage"], warning["first_frame_index"]) == ("exception", "follower", 7)
        assert [(other["code"], other["stage"], other["count"]) for other in others] == [("skipped", "late", 1)] * len(more)
        assert "NoPixels: This frame has no pixels, for plugin.toml says needs_pixels = false" in warning["message"]


def test_a_plugin_that_declares_a_warm_up_sees_only_so_much_again_and_it_is_said(
    servers: Servers, clip: Path, tmp_path: Path
) -> None:
    on_pixels = shutil.copytree(TEST_PLUGINS / "recent", tmp_path / "plugins" / "serial")
    declared = (on_pixels / "plugin.toml").read_text()
    declared = declared.replace("needs_pixels = false", "needs_pixels = true").replace('id = "recent"', 'id = "serial"')
    (on_pixels / "plugin.toml").write_text(declared)
    house = servers.start(env=ENV | {"SIGHTLINE_PLUGINS_PATH": f"{TEST_PLUGINS}:{on_pixels.parent}"})
    with house.client() as api:
        for plugin in ("recent", "serial"):
            job_id = submit(api, clip, LEADER, {"plugin": plugin, "needs": ["brightness"], "options": {"ms": 4}})
            wait_until(in_flight(api, job_id, 100), "a hundred frames")
            kill_workers(house)
            job = end_of(api, job_id)
            (warning,) = job["warnings"]
            assert job["status"] == "completed_with_warnings"
            assert (warning["code"], warning["stage"]) == ("approximate_resume", plugin)
            rows = rows_of(api, job_id)
            means = [row["outputs"]["brightness"]["measurements"][0]["value"] for row in rows]
            given = [row["outputs"][plugin]["measurements"] for row in rows]
            assert [recent["value"] for recent, _ in given] == pytest.approx(
                [sum(means[max(0, n - 9) : n + 1]) / min(n + 1, 10) for n in range(300)]
            )
            start, since = warning["first_frame_index"], int(re.findall(r"frames (\d+) to", warning["message"])[0])
            assert 0 < since <= start - 20
            assert [seen["value"] for _, seen in given] == [*range(1, start + 1), *range(start - since + 1, 301 - since)]


def test_overlays_show_what_the_followers_found_and_progress_never_falls(house: Server, api: httpx.Client, clip: Path) -> None:
    job_id = submit(api, clip, {"plugin": "brightness", "options": {"ms": 10}}, follower())
    overlays, told = [], []
    with follow(f"{house.url}/v1/jobs/{job_id}/insights?types=overlay,progress") as stream:
        for event in stream:
            if event.type == "overlay":
                overlays.append(event.json)
            elif event.type == "progress":
                told.append(event.json["frames_done"])
    rows = {row["frame_index"]: row["outputs"] for row in rows_of(api, job_id)}
    shown = [overlay["frame_index"] for overlay in overlays]
    assert len(shown) >= 3
    assert shown == sorted(set(shown))
    assert all(json.dumps(overlay["outputs"]) == json.dumps(rows[overlay["frame_index"]]) for overlay in overlays)
    assert told == sorted(told)
    assert told[-1] == 300
