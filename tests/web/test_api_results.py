"""What a job gave, over the API: rows, result, facts, log and pictures."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.job import JobStatus
from tests.conftest import moving_square
from tests.web.conftest import Api, problem, tell_of_trouble


@pytest.fixture
def job_id(api: Api, clip: Path) -> str:
    """A job on a clip of 90 frames, in two segments or more."""
    made: str = api.submit(clip).json()["id"]
    return made


def indices(text: str) -> list[int]:
    """Give the frame indices of NDJSON rows."""
    return [json.loads(line)["frame_index"] for line in text.splitlines()]


def test_rows_come_one_to_a_line_in_frame_order(api: Api, job_id: str) -> None:
    api.work_off(job_id)
    answer = api.client.get(f"/v1/jobs/{job_id}/frames")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    assert indices(answer.text) == list(range(90))
    row = json.loads(answer.text.splitlines()[7])
    assert list(row) == ["frame_index", "t_s", "outputs", "errors"]
    assert row["outputs"]["people_hog"]["kind"] == "detections"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("start=5", range(5, 90)),
        ("end=3", range(3)),
        ("start=28&end=33", range(28, 33)),
        ("start=7&end=7", range(0)),
        ("start=1000", range(0)),
        ("start=89&end=500", range(89, 90)),
    ],
)
def test_a_range_of_rows_is_half_open(api: Api, job_id: str, query: str, expected: range) -> None:
    api.work_off(job_id)
    assert indices(api.client.get(f"/v1/jobs/{job_id}/frames?{query}").text) == list(expected)


@pytest.mark.parametrize("query", ["start=-1", "start=x", "end=1.5", "start=5&end=4", "from=1", "start=99999999999999999999"])
def test_a_range_that_is_none_is_refused(api: Api, job_id: str, query: str) -> None:
    assert problem(api.client.get(f"/v1/jobs/{job_id}/frames?{query}"), 400)["type"] == "/problems/unknown-filter"


def test_a_running_job_gives_what_is_committed_so_far(api: Api, job_id: str) -> None:
    done = api.work_off(job_id, most=1, to=None).frames_done
    assert 0 < done < 90
    assert indices(api.client.get(f"/v1/jobs/{job_id}/frames").text) == list(range(done))
    result = api.client.get(f"/v1/jobs/{job_id}/result").json()
    assert result["complete"] is False
    assert [row["frame_index"] for row in result["frames"]] == list(range(done))
    assert result["result"] == {"people_hog": None}


def test_the_result_is_one_object_with_every_row_and_summary(api: Api, job_id: str) -> None:
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id)
    result = api.client.get(f"/v1/jobs/{job_id}/result").json()
    assert list(result) == ["job_id", "complete", "device_requested", "device_used", "fallback", "frames", "result"]
    assert (result["job_id"], result["complete"], result["device_used"], result["fallback"]) == (job_id, True, "cpu", True)
    rows = [json.loads(line) for line in api.client.get(f"/v1/jobs/{job_id}/frames").text.splitlines()]
    assert result["frames"] == rows
    assert result["result"] == {"people_hog": {"people": 3}}


def test_a_job_that_was_stopped_early_has_no_complete_result(api: Api, job_id: str) -> None:
    api.work_off(job_id, most=1, to=JobStatus.COMPLETED_WITH_WARNINGS)
    assert api.client.get(f"/v1/jobs/{job_id}/result").json()["complete"] is False


def test_a_looped_job_counts_its_rows_pass_after_pass(api: Api, make_clip: Callable[..., Path]) -> None:
    job_id = api.submit(make_clip("short.mp4", frames=6), loop=3).json()["id"]
    api.work_off(job_id)
    assert indices(api.client.get(f"/v1/jobs/{job_id}/frames").text) == list(range(18))
    again = api.client.get(f"/v1/jobs/{job_id}/frames/14.jpg")
    assert again.content == api.client.get(f"/v1/jobs/{job_id}/frames/2.jpg").content
    problem(api.client.get(f"/v1/jobs/{job_id}/frames/18.jpg"), 404)


def test_facts_carry_their_numbers_and_come_page_by_page(api: Api, job_id: str) -> None:
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id)
    every = api.client.get(f"/v1/jobs/{job_id}/facts").json()["items"]
    assert [fact["type"] for fact in every] == ["status", "device", "device", "health", "warning", "status", "status", "status"]
    assert all(fact["job_id"] == job_id and fact["at"].endswith("Z") for fact in every)
    numbers = [fact["id"] for fact in every]
    assert numbers == sorted(set(numbers))
    seen, cursor = [], ""
    while cursor is not None:
        page = api.client.get(f"/v1/jobs/{job_id}/facts", params={"limit": 3, "cursor": cursor}).json()
        seen += page["items"]
        cursor = page["next_cursor"]
    assert seen == every


def test_the_log_is_what_plugins_printed(api: Api, job_id: str) -> None:
    empty = api.client.get(f"/v1/jobs/{job_id}/log")
    assert (empty.status_code, empty.text) == (200, "")
    folder = api.parts.storage.outputs_folder(job_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("loaded ✓\n<b>not html</b>\n")
    told = api.client.get(f"/v1/jobs/{job_id}/log")
    assert told.text == "loaded ✓\n<b>not html</b>\n"
    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    assert told.headers["x-content-type-options"] == "nosniff"


def test_a_picture_is_the_frame_it_is_asked_for(api: Api, job_id: str) -> None:
    for index in (0, 41, 89):
        answer = api.client.get(f"/v1/jobs/{job_id}/frames/{index}.jpg")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        off = [np.abs(picture.astype(int) - moving_square(other, 160, 120)).mean() for other in range(90)]
        assert int(np.argmin(off)) == index
        assert api.parts.previews.get(job_id, index) == answer.content


def test_a_picture_comes_from_the_cache_where_it_is_there(api: Api, job_id: str) -> None:
    api.parts.previews.put(job_id, 3, b"a preview a worker sent")
    assert api.client.get(f"/v1/jobs/{job_id}/frames/3.jpg").content == b"a preview a worker sent"


def test_a_picture_of_an_ended_job_may_be_kept_for_ever(api: Api, job_id: str) -> None:
    running = api.client.get(f"/v1/jobs/{job_id}/frames/3.jpg")
    assert "immutable" not in running.headers["cache-control"]
    api.work_off(job_id)
    ended = api.client.get(f"/v1/jobs/{job_id}/frames/3.jpg")
    assert "immutable" in ended.headers["cache-control"]
    assert ended.headers["etag"] == running.headers["etag"]
    kept = api.client.get(f"/v1/jobs/{job_id}/frames/3.jpg", headers={"If-None-Match": ended.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")


def test_many_pictures_at_once_are_all_answered(api: Api, job_id: str) -> None:
    with ThreadPoolExecutor(6) as asking:
        answers = list(asking.map(lambda index: api.client.get(f"/v1/jobs/{job_id}/frames/{index}.jpg"), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.content for answer in answers}) == 6


@pytest.mark.parametrize("index", ["90", "9" * 24, "9" * 5000], ids=["next", "long", "longer than Python reads"])
def test_a_frame_that_is_not_there_is_not_found(api: Api, job_id: str, index: str) -> None:
    told = problem(api.client.get(f"/v1/jobs/{job_id}/frames/{index}.jpg"), 404)
    assert told["type"] == "/problems/unknown-frame"
    assert "90" in told["detail"]


@pytest.mark.parametrize("index", ["-1", "one", "1.0"])
def test_what_is_no_frame_index_is_not_found(api: Api, job_id: str, index: str) -> None:
    problem(api.client.get(f"/v1/jobs/{job_id}/frames/{index}.jpg"), 404)


def test_a_picture_whose_file_is_gone_is_not_found(start_api: Callable[..., Api], make_clip: Callable[..., Path]) -> None:
    path = make_clip("gone.mp4", frames=5)
    api = start_api(source_roots=(path.parent,))
    job_id = api.client.post("/v1/jobs", json={"source": {"path": str(path)}, "plugins": "people_hog"}).json()["id"]
    path.unlink()
    assert "gone.mp4" in problem(api.client.get(f"/v1/jobs/{job_id}/frames/1.jpg"), 404)["detail"]
