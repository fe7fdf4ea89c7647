"""People who cross a square, found, followed and counted on the real clip; and faces looked for only where there are people."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Servers
from tests.e2e.test_followers import kill_workers
from tests.e2e.test_jobs import ENDED, in_flight, rows_of, wait_until
from tests.e2e.test_tracking import summaries

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
FRAMES = 795
LINES = ["middle 0.5 0 0.5 1", "low 0 0.6 1 0.6"]


def write(path: Path, *stages: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"stages": stages}))
    return path


def run(sightline: Callable[..., Any], shared: Path, pipeline: Path, workers: int, out: Path) -> Any:
    clip = shared / "video" / "vtest.avi"
    env = {"SIGHTLINE_WORKERS": str(workers)}
    done = sightline("run", clip, "--pipeline", pipeline, "--json", "--out", out, env=env, patience_s=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), [json.loads(line) for line in (out / "frames.ndjson").read_text().splitlines()]


def detector(shared: Path, confidence: float) -> dict[str, Any]:
    model = str(shared / "models" / "yolox_nano_416.onnx")
    options = {"model": model, "confidence": confidence, "classes": ["person"]}
    return {"plugin": "onnx_detector", "options": options}


def test_tracks_and_counts_on_the_real_clip_are_the_same_with_one_and_two_workers_and_after_killed_workers(
    shared: Path, sightline: Callable[..., Any], servers: Servers, tmp_path: Path
) -> None:
    stages = (
        detector(shared, 0.1),
        {"plugin": "tracker", "needs": ["onnx_detector"]},
        {"plugin": "line_counter", "needs": ["tracker"], "options": {"lines": LINES}},
    )
    pipeline = write(tmp_path / "chain.json", *stages)
    one, rows = run(sightline, shared, pipeline, 1, tmp_path / "one")
    two, same = run(sightline, shared, pipeline, 2, tmp_path / "two")
    assert [row["frame_index"] for row in rows] == list(range(FRAMES))
    assert same == rows
    told = summaries(one)
    assert summaries(two) == told
    assert 15 <= told["tracker"]["tracks"] <= 60
    assert told["line_counter"]["crossings"] >= 20
    house = servers.start(env={"SIGHTLINE_WORKERS": "2", "SIGHTLINE_SOURCE_ROOTS": str(shared)})
    with house.client() as api:
        source = {"path": str(shared / "video" / "vtest.avi")}
        job_id = api.post("/v1/jobs", json={"source": source, "pipeline": {"stages": stages}}).json()["id"]
        for frames in (150, 400):
            wait_until(in_flight(api, job_id, frames), f"{frames} frames", 500)
            kill_workers(house)
        wait_until(lambda: api.get(f"/v1/jobs/{job_id}").json()["status"] in ENDED, "the job to end", 500)
        assert rows_of(api, job_id) == rows
        assert summaries(api.get(f"/v1/jobs/{job_id}").json()) == told


def test_faces_are_looked_for_only_where_a_person_was_found(
    shared: Path, sightline: Callable[..., Any], tmp_path: Path
) -> None:
    faces = {
        "plugin": "faces_yunet",
        "options": {"model": str(shared / "models" / "yunet_n_320_320.onnx")},
        "when": {"stage": "onnx_detector", "label": "person", "min_confidence": 0.85},
    }
    pipeline = write(tmp_path / "faces.json", detector(shared, 0.35), faces)
    job, rows = run(sightline, shared, pipeline, 2, tmp_path / "faces")
    sure = [
        row["frame_index"]
        for row in rows
        if any(found["confidence"] >= 0.85 for found in row["outputs"]["onnx_detector"]["detections"])
    ]
    assert [row["frame_index"] for row in rows if "faces_yunet" in row["outputs"]] == sure
    frames = {row["stage"]: row["frames"] for row in job["breakdown"]}
    assert 0 < frames["faces_yunet"] == len(sure) < frames["onnx_detector"] == FRAMES
