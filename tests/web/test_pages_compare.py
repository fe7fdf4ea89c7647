"""Two jobs side by side: the same, different, of different lengths, and not two at all."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.geometry import Box
from app.domain.output import Detection, Detections
from app.engine.rows import Row, RowFile
from app.store import segments
from tests.web.conftest import Api, problem
from tests.web.html import Page


def change_frame(api: Api, job_id: str, index: int, *detections: Detection) -> None:
    """Write another output for one frame of an ended job, as a new version of its plugin would have."""
    with api.parts.store.read() as tx:
        (segment,) = segments.committed(tx, job_id, index, index + 1)
    path = api.parts.storage.outputs_folder(job_id) / segment.rows.file
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if json.loads(line)["frame_index"] == index)
    rows = RowFile(str(path) + ".new")
    rows.add(Row(index, index / 30, {"people_hog": Detections(detections)}, []))
    rows.place()
    lines[place] = Path(str(path) + ".new").read_bytes()
    path.write_bytes(b"".join(lines))


@pytest.fixture
def two(api: Api, make_clip: Callable[..., Path]) -> list[str]:
    """Two ended jobs on the same clip that found the same."""
    clip = make_clip("clip.mp4", frames=20)
    made = [str(api.submit(clip, name=name).json()["id"]) for name in ("before", "after")]
    for job in made:
        api.work_off(job)
    return made


def test_jobs_that_found_the_same_say_so(api: Api, two: list[str]) -> None:
    page = Page(api.client.get(f"/compare?job={two[0]}&job={two[1]}").text)
    assert page["comparison-verdict"].text == "The jobs found the same on each of 20 frames."
    told = api.client.get(f"/v1/jobs/{two[0]}/compare/{two[1]}").json()
    assert (told["frames_in_both"], told["frames_differing"], told["differing"]) == (20, 0, [])
    assert told["stages"][0]["first_labels"] == told["stages"][0]["second_labels"] == {"circle": 20, "square": 20}


def test_frames_that_differ_are_named_counted_and_shown_side_by_side(api: Api, two: list[str]) -> None:
    circle = Detection("circle", 0.97, Box(0.2, 0.3, 0.1, 0.15), track_id=4)
    change_frame(api, two[1], 7, circle)
    change_frame(api, two[1], 9, circle, Detection("square", 0.5, Box(0.6, 0.1, 0.2, 0.2)), Detection("dog", 0.9, circle.box))
    told = api.client.get(f"/v1/jobs/{two[0]}/compare/{two[1]}").json()
    assert told["frames_differing"] == 2
    assert told["differing"] == [
        {"frame_index": 7, "stages": {"people_hog": {"only_first": 1, "only_second": 0, "changed": 0}}},
        {"frame_index": 9, "stages": {"people_hog": {"only_first": 0, "only_second": 1, "changed": 1}}},
    ]
    assert told["stages"][0]["second_labels"] == {"circle": 20, "square": 19, "dog": 1}
    page = Page(api.client.get(f"/compare?job={two[0]}&job={two[1]}").text)
    assert page["comparison-verdict"].text == "2 frames of 20 differ (10 %), in people_hog."
    assert [e["src"] for e in page.all("img")] == [f"/v1/jobs/{job}/frames/7.jpg" for job in two]
    links = [e["href"] for e in page.all("a") if e.text.startswith("Frame ")]
    assert len(links) == 2
    page = Page(api.client.get(links[1]).text)
    assert [len([r for r in page.all("rect") if "rx" in r])] == [5]
    assert api.client.get(page.all("img")[0]["src"]).status_code == 200


def test_jobs_of_different_lengths_are_compared_where_both_have_frames(
    api: Api, two: list[str], make_clip: Callable[..., Path]
) -> None:
    longer = str(api.submit(make_clip("longer.mp4", frames=30), name="longer").json()["id"])
    api.work_off(longer)
    told = api.client.get(f"/v1/jobs/{two[0]}/compare/{longer}").json()
    assert (told["frames_in_both"], told["frames_only_in_first"], told["frames_only_in_second"]) == (20, 0, 10)
    waiting = str(api.submit(make_clip("waiting.mp4", frames=5)).json()["id"])
    page = Page(api.client.get(f"/compare?job={waiting}&job={longer}").text)
    assert "no frame in common" in page["comparison-verdict"].text


def test_a_choice_that_is_not_two_jobs_is_explained(api: Api, two: list[str]) -> None:
    assert "No job is chosen" in api.client.get("/compare").text
    assert "it takes two" in api.client.get(f"/compare?job={two[0]}&job={two[0]}").text
    assert api.client.get(f"/compare?job={two[0]}&job={two[1]}&job=x").status_code == 400
    assert api.client.get(f"/compare?job={two[0]}&job=nothing").status_code == 404
    assert api.client.get(f"/compare?job={two[0]}&job={two[1]}&frame=first").status_code == 400
    problem(api.client.get(f"/v1/jobs/{two[0]}/compare/nothing"), 404)
