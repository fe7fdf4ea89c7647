"""A migrated database for each test, on every kind of database there is here, and jobs to put into it."""

import shutil
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
from app.store import jobs, segments, tables
from app.store.engine import Store, migrate
from tests.committing import commit_alone

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def migrations() -> Path:
    """Folder of the migrations."""
    return Path(__file__).parents[3] / "migrations"


@pytest.fixture(scope="session")
def migrated(migrations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the newest schema, to copy: that costs a hundredth of migrating another one. Read only."""
    file = tmp_path_factory.mktemp("migrated") / "sightline.db"
    migrate(f"sqlite:///{file}", migrations)
    return file


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database there is."""
    return str(request.param)


@pytest.fixture
def new_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Give the address of a database of this kind, with the newest schema or with nothing in it (`empty=True`)."""
    made: list[str] = []

    def new(*, empty: bool = False) -> str:
        if kind == "postgres":
            made.append(request.getfixturevalue("postgres").new(empty=empty))
            return made[-1]
        file = tmp_path / "sightline.db"
        if not empty:
            shutil.copyfile(request.getfixturevalue("migrated"), file)
        return f"sqlite:///{file}"

    yield new
    for address in made:
        request.getfixturevalue("postgres").drop(address)


@pytest.fixture
def empty_url(new_database: Callable[..., str]) -> str:
    """Address of a database with nothing in it."""
    return new_database(empty=True)


@pytest.fixture
def url(new_database: Callable[..., str]) -> str:
    """Address of a database with the newest schema."""
    return new_database()


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


def rows_of(store: Store, job_ids: tuple[str, ...]) -> list[Any]:
    """All that is stored of jobs' segments and how far they are."""
    with store.read() as tx:
        theirs = sa.select(tables.segments).where(tables.segments.c.job_id.in_(job_ids)).order_by(*tables.segments.c[:2])
        counted = sa.select(tables.jobs.c["frames_done", "moved_at"]).where(tables.jobs.c.id.in_(job_ids))
        return [*tx.execute(theirs), *tx.execute(counted.order_by(tables.jobs.c.id))]


@pytest.fixture
def neighbours(store: Store, add: Callable[..., Job]) -> Iterator[None]:
    """Two longer jobs that nothing is about, each with segments committed, in hand and pending: they stay as they are."""
    theirs = ("job-0", "job-z")  # by name before and behind all others
    for job_id in theirs:
        add(job_id, lengths=(4, 4, 2, 90, 90))
        with store.begin() as tx:
            first = segments.claim(tx, job_id, holder="neighbour", lease_s=10, now=NOON)
            assert first
            assert commit_alone(tx, first, outputs_file="theirs", frames=4, loop_ms=1000)
            segments.claim(tx, job_id, holder="neighbour", lease_s=1e9, now=NOON)
    before = rows_of(store, theirs)
    yield
    assert rows_of(store, theirs) == before
