"""The main job on a real video, by both doors: each frame once, the same rows from one worker and from two."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.store.engine import Store
from app.store.segments import loop_ms
from tests.conftest import Servers, wait_until
from tests.postgres import database_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
PLUGINS = "people_hog,motion_mog2"
FRAMES = 795


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_frame_of_a_real_video_is_handled_once_by_both_doors(
    shared: Path, servers: Servers, sightline: Callable[..., Any], tmp_path: Path
) -> None:
    clip, seen = shared / "video" / "vtest.avi", []
    out = tmp_path / "out"
    done = sightline("run", clip, "--plugin", PLUGINS, "--json", "--out", out, env={"SIGHTLINE_WORKERS": "1"}, patience_s=900)
    job = json.loads(done.stdout)
    assert (done.returncode, job["status"], job["frames_done"]) == (0, "completed", FRAMES)
    seen.append(rows_of((out / "frames.ndjson").read_text()))
    store = Store(database_of(tmp_path / "home"))
    with store.read() as tx:
        loop = loop_ms(tx, job["id"])
    store.close()
    assert sum(row["total_ms"] for row in job["breakdown"] if row["stage"] != "finalize") >= 0.9 * loop
    with servers.start(env={"SIGHTLINE_WORKERS": "2"}).client() as api, clip.open("rb") as file:
        job_id = api.post("/v1/jobs", files={"file": ("vtest.avi", file)}, data={"plugins": PLUGINS}).json()["id"]
        ended = {"completed", "completed_with_warnings", "failed", "cancelled"}
        wait_until(lambda: api.get(f"/v1/jobs/{job_id}").json()["status"] in ended, "the job to end", 900)
        assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "completed"
        seen.append(rows_of(api.get(f"/v1/jobs/{job_id}/frames", timeout=httpx.Timeout(60)).text))
    assert [row["frame_index"] for row in seen[0]] == list(range(FRAMES))
    assert seen[0] == seen[1]
    people = [frame for frame in seen[0] if frame["outputs"]["people_hog"]["detections"]]
    assert len(people) > FRAMES / 2
