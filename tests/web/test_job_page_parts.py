"""The parts of a job's page as its server draws them: the map of segments against what is stored."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from app.domain.health import Health
from app.domain.insight import HealthChange, Progress
from app.domain.job import JobStatus, SegmentState
from app.store import jobs, segments
from app.store.engine import utc_now
from app.store.spans import Span
from app.web.contexts.fact_log import view_fact, view_facts
from app.web.contexts.progress import progress_of
from app.web.contexts.segment_map import MOST_PARTS, standing_of, view_segments
from tests.web.conftest import Api
from tests.web.html import Page


@pytest.fixture
def job_id(api: Api, clip: Path) -> str:
    """A queued job of three segments on the clip with the square."""
    return str(api.submit(clip).json()["id"])


@pytest.fixture
def read(api: Api) -> Callable[[str], Page]:
    """Read a page or a part of one that must answer 200."""

    def get(path: str) -> Page:
        answer = api.client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200, answer.text
        return Page(answer.text)

    return get


def parts_of_map(page: Page) -> list[str]:
    """Give how each part of the map stands."""
    return [e["class"].removeprefix("part-") for e in page.all("rect") if e.within("segment-map") and "y" in e]


def test_the_map_shows_each_segment_as_it_is_stored(api: Api, job_id: str, read: Callable[[str], Page]) -> None:
    with api.parts.store.read() as tx:
        stored = segments.states(tx, job_id)
    count = len(stored)
    assert parts_of_map(read(f"/jobs/{job_id}")) == ["waiting"] * count
    api.work_off(job_id, most=1, to=None)
    with api.parts.store.begin() as tx:
        assert segments.claim(tx, job_id, holder="test", lease_s=60, now=utc_now()) is not None
    expected = ["done", "running", *["waiting"] * (count - 2)]
    page = read(f"/jobs/{job_id}")
    assert parts_of_map(page) == expected
    assert parts_of_map(read(f"/jobs/{job_id}/segments")) == expected
    drawing = next(e for e in page.all("svg") if e.within("segment-map"))
    assert drawing["aria-label"].startswith(f"Map of {count} segments: 1 done")
    with api.parts.store.begin() as tx:
        jobs.move(tx, job_id, JobStatus.FAILED, error="it broke")
    assert parts_of_map(read(f"/jobs/{job_id}")) == ["done", "failed", *["left"] * (count - 2)]


def test_a_segment_with_failed_frames_is_told_from_one_without(api: Api, job_id: str, read: Callable[[str], Page]) -> None:
    api.work_off(job_id)
    with api.parts.store.read() as tx:
        second = segments.states(tx, job_id)[1]
    path = api.parts.storage.outputs_folder(job_id) / second.rows.file
    failed = b'"errors":[{"stage":"people_hog","code":"exception","message":"no contour"}]'
    path.write_bytes(path.read_bytes().replace(b'"errors":[]', failed, 1))
    stands = parts_of_map(read(f"/jobs/{job_id}"))
    assert stands[:2] == ["done", "troubled"]
    assert set(stands[2:]) <= {"done"}


@pytest.mark.parametrize(("state", "status", "standing"), [
    (SegmentState.PENDING, JobStatus.RUNNING, "waiting"),
    (SegmentState.LEASED, JobStatus.RUNNING, "running"),
    (SegmentState.AWAITING, JobStatus.RUNNING, "awaiting"),
    (SegmentState.FOLLOWING, JobStatus.RUNNING, "running"),
    (SegmentState.COMMITTED, JobStatus.CANCELLED, "done"),
    (SegmentState.PENDING, JobStatus.CANCELLED, "left"),
])  # fmt: skip
def test_every_state_of_a_segment_has_its_look(state: SegmentState, status: JobStatus, standing: str) -> None:
    assert standing_of(status, Span(0, 60, state, True, None, None, None), ()) == standing


def test_a_job_of_very_many_segments_is_drawn_in_few_parts_and_hides_no_trouble() -> None:
    done = [Span(10 * at, 10 * at + 10, SegmentState.COMMITTED, True, "x", 10, 1.0) for at in range(5000)]
    told = view_segments(JobStatus.COMPLETED, done, (33_333,))
    assert len(told.parts) <= MOST_PARTS
    assert [part.standing for part in told.parts].count("troubled") == 1
    assert [(entry.number, entry.standing) for entry in told.legend] == [("4,999", "done"), ("1", "troubled")]
    assert all(part.x >= 0 and part.x + part.width <= 1000 for part in told.parts)


@pytest.mark.parametrize(("done", "told"), [(149, "about 3 s left"), (150, "")])
def test_nothing_is_said_to_be_left_once_every_frame_is_done(done: int, told: str) -> None:
    insight = Progress(at=utc_now(), job_id="a", progress=99, frames_done=done, frames_total=150, elapsed_s=9.0, eta_s=3.0)
    assert progress_of(insight).eta == told


def test_two_verdicts_on_a_stage_within_a_millisecond_are_two_lines_of_the_log_in_their_order() -> None:
    at = datetime(2026, 11, 29, 18, 0, 0, 123_400, UTC)
    told = [
        HealthChange(at=at + timedelta(microseconds=number), job_id="job", plugin="hog", stage="hog", health=health,
                     previous=previous, reason="so")
        for number, (health, previous) in enumerate([(Health.DEGRADED, Health.OK), (Health.OK, Health.DEGRADED)])
    ]  # fmt: skip
    first, then = view_facts(told)
    assert first.key < then.key
    assert view_fact(told[0]).key == first.key
    assert len({view_fact(msgspec.structs.replace(told[0], health=health)).key for health in Health}) == len(Health)
