"""A migrated database for each test, on every kind of database there is here, and jobs to put into it."""

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from app.domain.job import Job, JobStatus, Pace, Segment, Wanted
from app.domain.media import DecodePlan, MediaInfo, PlannedSegment, SourceKind, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline, Stage, number_stage_ids
from app.store import jobs
from app.store.engine import Store, migrate

POSTGRES = os.environ.get("SIGHTLINE_TEST_POSTGRES")  # address of a Postgres where databases may be made and dropped
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def migrations() -> Path:
    """Folder of the migrations."""
    return Path(__file__).parents[3] / "migrations"


@pytest.fixture(params=["sqlite", *(["postgres"] if POSTGRES else [])])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'sightline.db'}"
        return
    name = f"test_{uuid.uuid4().hex}"
    admin = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def url(empty_url: str, migrations: Path) -> str:
    """Address of a database with the newest schema."""
    migrate(empty_url, migrations)
    return empty_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store with the newest schema and no job."""
    opened = Store(url)
    yield opened
    opened.close()


def plan_of(lengths: tuple[int, ...]) -> SourcePlan:
    """Plan a source whose segments have these lengths."""
    segments, start = [], 0
    for length in lengths:
        segments.append(PlannedSegment(start, start + length, start_t_s=start / 25))
        start += length
    media = MediaInfo(width=64, height=48, frames=start, duration_s=start / 25, fps=25.0, container="mp4", codec="h264")
    return SourcePlan(media, DecodePlan(), tuple(segments))


def make_job(
    job_id: str = "job-a", *, lengths: tuple[int, ...] = (4, 4, 2), plugins: tuple[str, ...] = ("hog",), **other: Any
) -> Job:
    """Build a queued job; `other` are fields of Job. Minutes between jobs: give `created_at`."""
    fields: dict[str, Any] = {
        "name": f"Job {job_id}",
        "tags": ("street", "night"),
        "status": JobStatus.QUEUED,
        "wanted": Wanted.RUN,
        "priority": 0,
        "pace": Pace.MAX,
        "loop": 1,
        "source": SourceRef(SourceKind.VIDEO, "clip.mp4", "/clips/clip.mp4"),
        "plan": plan_of(lengths),
        "pipeline": Pipeline(tuple(map(Stage, number_stage_ids(plugins), plugins))),
        "device_requested": "auto",
        "strict_device": False,
        "frames_total": sum(lengths),
        "frames_done": 0,
        "created_at": NOON,
    }
    return Job(id=job_id, **(fields | other))


def without_segments(job: Job) -> Job:
    """A job as it is read back: its segments are rows of their own."""
    return replace(job, plan=msgspec.structs.replace(job.plan, segments=()) if job.plan else None)


def segments_of(job: Job) -> list[Segment]:
    """Lay out a job's segments, one pass."""
    planned = job.plan.segments if job.plan else ()
    return [Segment(job.id, index, part.start, part.end, 0, part) for index, part in enumerate(planned)]


@pytest.fixture
def add(store: Store) -> Callable[..., Job]:
    """Store a job with its segments and give it: `add("job-b", priority=3, minute=5, key="k")`; later minutes are newer."""

    def add_job(job_id: str = "job-a", *, minute: int = 0, key: str | None = None, **fields: Any) -> Job:
        job = make_job(job_id, **{"created_at": NOON + timedelta(minutes=minute), **fields})
        with store.begin() as tx:
            jobs.insert(tx, job, segments_of(job), idempotency_key=key, fingerprint=key and f"print of {key}")
        return job

    return add_job


@pytest.fixture(name="make_job")
def _make_job() -> Callable[..., Job]:
    """Build a job that is not stored."""
    return make_job


@pytest.fixture(name="segments_of")
def _segments_of() -> Callable[..., list[Segment]]:
    """Lay out a job's segments."""
    return segments_of
