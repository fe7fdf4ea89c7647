"""Damaged and turned videos through the door: what can be decoded is in the result, what is lost is said, with its place."""

from pathlib import Path

import pytest

from tests.conftest import Servers, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, rows_of, submit
from tests.unit.media.clips import turn
from tests.unit.media.test_damage import overwritten


def env(workers: int) -> dict[str, str]:
    return {"SIGHTLINE_WORKERS": str(workers), "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS)}


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_a_video_with_its_middle_overwritten_gives_the_same_rows_with_one_and_two_workers(
    servers: Servers, shared: Path, tmp_path: Path
) -> None:
    clip = overwritten(shared / "video" / "vtest.avi", tmp_path / "damaged.avi", 1_577_724)
    jobs, rows = [], []
    for workers in (1, 2):
        with servers.start(env=env(workers)).client() as api:
            jobs.append(end_of(api, submit(api, clip, {"plugin": "brightness"})))
            rows.append(rows_of(api, jobs[-1]["id"]))
    assert rows[0] == rows[1]
    assert len(rows[0]) >= 790
    told = [[(w["code"], w["count"], w["first_frame_index"], w["last_frame_index"]) for w in job["warnings"]] for job in jobs]
    assert told[0] == told[1]
    assert ("frames_lost", 2, 414, 415) in told[0]  # their packets are gone, so that they have no index: others stand there
    (doubtful,) = [(first, last) for code, _, first, last in told[0] if code == "pictures_doubtful"]
    assert 414 <= doubtful[0] <= doubtful[1] < 498  # up to the next keyframe
    for job in jobs:
        assert (job["status"], job["progress"], job["frames_done"]) == ("completed_with_warnings", 100, job["frames_total"])
    assert [row["frame_index"] for row in rows[0]] == list(range(793))


def test_a_video_recorded_with_the_camera_turned_is_upright_everywhere(servers: Servers, tmp_path: Path) -> None:
    lying = write_clip(tmp_path / "lying.mp4", frames=30)
    turned = turn(lying, tmp_path / "turned.mp4", 90)
    with servers.start(env=env(1)).client() as api:
        means, sizes = [], []
        for path in (lying, turned):
            job_id = submit(api, path, {"plugin": "brightness"}, {"plugin": "follower", "needs": ["brightness"]})
            source = end_of(api, job_id)["source"]
            sizes.append((source["width"], source["height"]))
            rows = rows_of(api, job_id)
            means.append([row["outputs"]["brightness"]["measurements"][0]["value"] for row in rows])
            picture = wait_until(lambda job_id=job_id: api.get(f"/v1/jobs/{job_id}/frames/3.jpg").content, "a picture")
            sizes.append(_jpeg_size(picture))
        assert sizes == [(160, 120), (160, 120), (120, 160), (120, 160)]
        assert means[0] == pytest.approx(means[1])


def _jpeg_size(jpeg: bytes) -> tuple[int, int]:
    import cv2
    import numpy as np

    height, width = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    return width, height
