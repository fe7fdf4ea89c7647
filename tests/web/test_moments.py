"""Moments of a job, found in its stored rows: failures and crossings, once read, and what a moment is not."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.store import jobs, spans
from app.web.moments import MomentKind, failed_frames, moments_of
from tests.web.conftest import Api

LINE = {"kind": "line", "points": [[0.5, 0.0], [0.5, 1.0]], "label": "middle"}


@pytest.fixture
def job_id(api: Api, clip: Path) -> str:
    """A job whose rows were written by a stage that finds two things on each frame, and draws none."""
    job = str(api.submit(clip).json()["id"])
    api.work_off(job)
    return job


def write(api: Api, job_id: str, rows: list[dict[str, Any]]) -> None:
    """Put rows in the place of those of the first segment."""
    with api.parts.store.read() as tx:
        first = spans.of_job(tx, job_id)[0]
    path = api.parts.storage.outputs_folder(job_id) / first.rows.file
    path.write_bytes(b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows))


def found(api: Api, job_id: str) -> list[tuple[int, str, str, str]]:
    """Give the job's moments."""
    with api.parts.store.read() as tx:
        job, stored = jobs.get(tx, job_id), spans.of_job(tx, job_id)
    return [
        (moment.frame_index, moment.kind.value, moment.stage, moment.words) for moment in moments_of(api.parts, job, stored)
    ]


def row(index: int, *, crossed: tuple[str, ...] = (), failed: str = "", label: str = "x") -> dict[str, Any]:
    """Give a row of a counter that draws its line on every frame, beside a stage that finds something named `label`."""
    boxes = [{"label": name, "confidence": 0.9, "box": [0.1, 0.1, 0.2, 0.2], "track_id": 7} for name in crossed]
    other = {"kind": "detections", "detections": [{"label": label, "confidence": 0.5, "box": [0.0, 0.0, 0.1, 0.1]}]}
    outputs = {"counter": {"kind": "detections", "detections": boxes, "shapes": [LINE]}, "other": other}
    errors = [{"stage": "other", "code": "exception", "message": failed}] if failed else []
    return {"frame_index": index, "t_s": index / 30, "outputs": outputs, "errors": errors}


def test_a_job_without_trouble_and_without_lines_has_no_moments(api: Api, job_id: str) -> None:
    assert found(api, job_id) == []


def test_failures_and_crossings_are_found_where_they_are(api: Api, job_id: str) -> None:
    write(
        api, job_id, [row(0), row(1, crossed=("person in",)), row(2, failed="no contour"), row(3), row(4, crossed=("a", "b"))]
    )
    assert found(api, job_id) == [
        (1, "crossing", "counter", "person in #7"),
        (2, "failure", "other", "no contour"),
        (4, "crossing", "counter", "a #7"),
        (4, "crossing", "counter", "b #7"),
    ]
    with api.parts.store.read() as tx:
        job, stored = jobs.get(tx, job_id), spans.of_job(tx, job_id)
    assert failed_frames(moments_of(api.parts, job, stored)) == [2]
    assert {kind.value for kind in MomentKind} == {"failure", "crossing", "warning"}


def test_words_that_look_like_a_row_are_no_moment_and_hide_none(api: Api, job_id: str) -> None:
    said = '"errors":[{"stage":"other"}]'
    write(api, job_id, [row(0, label=said), row(1, label='"errors":[]', failed="no contour"), row(2, label='"kind":"line"')])
    assert found(api, job_id) == [(1, "failure", "other", "no contour")]


def test_a_file_that_is_gone_has_no_moments(api: Api, job_id: str) -> None:
    for path in api.parts.storage.outputs_folder(job_id).glob("*.ndjson"):
        path.unlink()
    assert found(api, job_id) == []
