"""The port FactLog: one suite for the log in memory and for the facts of a real database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.insight import FACT_TYPES, INSIGHT_EXAMPLES, Insight, Status, Warned
from app.domain.job import Job, JobStatus, Pace, Wanted
from app.domain.media import SourceKind, SourceRef
from app.domain.pipeline import Pipeline, Stage
from app.insights.log import FactLog, MemoryFactLog
from app.store import facts, jobs
from app.store.engine import Store, migrate
from app.store.facts import StoredFacts

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "migrations"


@dataclass
class Kept:
    """A log under test: how a fact is written into it, and how a job's facts are let go."""

    log: FactLog
    write: Callable[[Insight], int]
    add_job: Callable[[str], object]
    drop_job: Callable[[str], object]


def in_memory() -> Iterator[Kept]:
    """Keep facts in memory; a new job writes that it is queued, as the store does."""
    log = MemoryFactLog()

    def add(job_id: str) -> None:
        log.append(Status(at=NOON, job_id=job_id, status=JobStatus.QUEUED, previous=None, reason=None))

    yield Kept(log, log.append, add, log.drop)


def in_database(url: str) -> Iterator[Kept]:
    """Keep facts in a migrated database."""
    store = Store(url)

    def write(insight: Insight) -> int:
        with store.begin() as tx:
            return facts.append(tx, insight)

    def add(job_id: str) -> None:
        with store.begin() as tx:
            jobs.insert(tx, _job(job_id), ())

    def drop(job_id: str) -> None:
        with store.begin() as tx:
            jobs.delete(tx, job_id)

    yield Kept(StoredFacts(store), write, add, drop)
    store.close()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Every implementation there is, empty."""
    if request.param == "memory":
        yield from in_memory()
    elif request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'sightline.db'}"
        migrate(url, MIGRATIONS)
        yield from in_database(url)
    else:
        server = request.getfixturevalue("postgres")
        url = server.new()
        yield from in_database(url)
        server.drop(url)


def _job(job_id: str) -> Job:
    return Job(
        id=job_id, name=job_id, tags=(), status=JobStatus.QUEUED, wanted=Wanted.RUN, priority=0, pace=Pace.MAX, loop=1,
        source=SourceRef(SourceKind.VIDEO, "clip.mp4", "/clip.mp4"), plan=None, pipeline=Pipeline((Stage("hog", "hog"),)),
        device_requested="auto", strict_device=False, frames_total=10, frames_done=0, created_at=NOON,
    )  # fmt: skip


def _warning(job_id: str, count: int) -> Warned:
    return Warned(at=NOON, job_id=job_id, code="exception", stage="hog", frame_index=None, message="é\n\x00", count=count)


def _numbers(found: list[tuple[int, Insight]]) -> list[int]:
    return [number for number, _ in found]


def test_a_new_log_is_at_0_and_has_nothing(kept: Kept) -> None:
    assert kept.log.head() == 0
    assert kept.log.oldest() is None
    assert kept.log.after(0, None, 10) == []
    assert kept.log.before(99, {"a"}, 9) == []


def test_facts_are_numbered_from_1_in_the_order_they_are_written(kept: Kept) -> None:
    kept.add_job("a")
    kept.add_job("b")
    assert [kept.write(_warning("a", 1)), kept.write(_warning("b", 1)), kept.write(_warning("a", 10))] == [3, 4, 5]
    assert kept.log.head() == 5
    assert kept.log.oldest() == 1
    assert _numbers(kept.log.after(0, None, 10)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", sorted(FACT_TYPES))
def test_every_kind_of_fact_comes_back_as_it_was(kept: Kept, kind: str) -> None:
    example = INSIGHT_EXAMPLES[kind]
    kept.add_job(example.job_id)
    number = kept.write(example)
    assert kept.log.after(number - 1, None, 10) == [(number, example)]
    assert kept.log.before(number + 1, {example.job_id}, 1) == [(number, example)]


def test_after_gives_what_comes_after_of_the_jobs_asked_for_and_no_more_than_asked(kept: Kept) -> None:
    for job_id in "abc":
        kept.add_job(job_id)
    for count in range(1, 4):
        for job_id in "abc":
            kept.write(_warning(job_id, count))
    assert _numbers(kept.log.after(3, None, 2)) == [4, 5]
    assert _numbers(kept.log.after(5, {"a"}, 10)) == [7, 10]
    assert _numbers(kept.log.after(4, ["a", "c"], 3)) == [6, 7, 9]
    assert _numbers(kept.log.after(4, frozenset({"unknown"}), 10)) == []
    assert _numbers(kept.log.after(4, [], 10)) == []
    assert kept.log.after(12, None, 10) == kept.log.after(99, None, 10) == []
    assert _numbers(kept.log.before(9, {"b"}, 2)) == [8, 5]
    assert _numbers(kept.log.before(6, None, 3)) == [5, 4, 3]
    assert _numbers(kept.log.before(12, {"b"}, 99)) == [11, 8, 5, 2]


def test_facts_of_a_deleted_job_are_gone_and_their_numbers_are_never_given_again(kept: Kept) -> None:
    kept.add_job("a")
    kept.add_job("b")
    kept.write(_warning("b", 1))
    kept.drop_job("a")
    assert kept.log.oldest() == 2
    kept.drop_job("b")
    assert kept.log.oldest() is None
    assert kept.log.head() == 3
    kept.add_job("c")
    assert _numbers(kept.log.after(0, None, 10)) == [4]


def test_many_threads_write_and_each_fact_has_its_own_number(kept: Kept) -> None:
    kept.add_job("a")
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda count: kept.write(_warning("a", count)), range(64)))
    assert sorted(numbers) == list(range(2, 66))
    assert _numbers(kept.log.after(0, {"a"}, 99)) == list(range(1, 66))
    assert {fact.count for _, fact in kept.log.after(1, None, 100)} == set(range(64))
