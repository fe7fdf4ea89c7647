"""Lists of jobs: pages and filters of the history, and the order of the queue."""

from collections.abc import Callable

import pytest

from app.domain.device import EXAMPLE_DECISION
from app.domain.errors import UnknownFilter
from app.domain.history import JobFilter, JobSort
from app.domain.job import Job, JobStatus
from app.domain.media import SourceKind, SourceRef
from app.store import breakdowns, jobs, listing
from app.store import warnings as stored_warnings
from app.store.engine import Store


def walk(store: Store, job_id: str, *ways: JobStatus) -> None:
    with store.begin() as tx:
        for status in ways:
            jobs.move(tx, job_id, status)


def test_pages_give_every_job_once_newest_first_also_when_jobs_come_in_between(store: Store, add: Callable[..., Job]):
    for number in range(7):
        add(f"job-{number}", minute=number // 2)  # two jobs share each moment
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        with store.read() as tx:
            found, cursor = listing.page(tx, limit=2, cursor=cursor)
        seen += [job.id for job in found]
        pages += 1
        add(f"late-{pages}", minute=60 + pages)
    assert seen == ["job-6", "job-5", "job-4", "job-3", "job-2", "job-1", "job-0"]
    assert pages == 4


def test_a_full_last_page_has_no_cursor(store: Store, add: Callable[..., Job]):
    add("job-a")
    add("job-b")
    with store.read() as tx:
        found, cursor = listing.page(tx, limit=2)
    assert (len(found), cursor) == (2, None)


def test_a_listed_job_has_everything_but_the_segments_of_its_plan(store: Store, add: Callable[..., Job]):
    job = add()
    with store.read() as tx:
        (listed,), _ = listing.page(tx)
    assert listed.media == job.media
    assert listed.plan.segments == ()


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "bm90aGluZw", "OTk5OS0xMi0zMVQyMzo1OTo1OS0yMzo1OSB4", "é"])
def test_a_bad_cursor_is_refused(store: Store, cursor: str):
    with store.read() as tx, pytest.raises(UnknownFilter, match="There is no cursor"):
        listing.page(tx, cursor=cursor)


def test_lists_filter_by_status_and_by_plugin(store: Store, add: Callable[..., Job]):
    add("job-a", plugins=("hog", "mog2"))
    add("job-b", plugins=("mog2", "mog2"))
    add("job-c", plugins=("hog_fast",))
    walk(store, "job-b", JobStatus.RUNNING)

    def listed(**filters: object) -> list[str]:
        with store.read() as tx:
            return [job.id for job in listing.page(tx, JobFilter(**filters))[0]]

    assert listed(statuses={JobStatus.RUNNING}) == ["job-b"]
    assert listed(statuses=[JobStatus.RUNNING, JobStatus.QUEUED]) == ["job-c", "job-b", "job-a"]
    assert listed(plugin="hog") == ["job-a"]
    assert listed(plugin="mog2", statuses={JobStatus.QUEUED}) == ["job-a"]
    assert listed(plugin="nothing") == []


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("STRASSE", ["job-b"]),
        ("straße", ["job-b"]),
        ("100%", ["job-a"]),
        ("%", ["job-a"]),
        ("_", []),
        ("Rainy", ["job-b"]),
        ("cam7.mkv", ["job-a"]),
        ("JOB-", ["job-b", "job-a"]),
        ("", ["job-b", "job-a"]),
    ],
)
def test_a_search_looks_in_ids_names_tags_and_sources_whatever_the_case(
    store: Store, add: Callable[..., Job], q: str, expected: list[str]
):
    add("job-a", name="100% done", tags=(), source=SourceRef(SourceKind.VIDEO, "Cam7.MKV", "/hidden"))
    add("job-b", name="Straße", tags=("rainy", "big"))
    with store.read() as tx:
        assert [job.id for job in listing.page(tx, JobFilter(q=q))[0]] == expected


def test_active_jobs_stand_in_the_order_of_the_queue(store: Store, add: Callable[..., Job]):
    add("old", minute=0)
    add("new", minute=5)
    add("urgent", minute=9, priority=5)
    add("ended", minute=1)
    add("other", minute=2, runner="cli:1")
    walk(store, "ended", JobStatus.CANCELLED)
    with store.read() as tx:
        assert [job.id for job in jobs.active(tx, None)] == ["urgent", "old", "new"]
        assert [job.id for job in jobs.active(tx, "cli:1")] == ["other"]
        assert jobs.active(tx, "cli:2") == []
        assert (jobs.waiting(tx), jobs.waiting(tx, "cli:1")) == (3, 1)


def test_the_queue_s_positions_count_only_queued_jobs_of_the_same_runner(store: Store, add: Callable[..., Job]):
    add("first", minute=0)
    add("second", minute=0)
    add("third", minute=1)
    add("urgent", minute=9, priority=1)
    add("other", minute=2, runner="cli:1")
    walk(store, "first", JobStatus.RUNNING)
    with store.read() as tx:
        places = {name: jobs.queue_position(tx, name) for name in ("first", "second", "third", "urgent", "other")}
    assert places == {"first": 0, "urgent": 1, "second": 2, "third": 3, "other": 1}


def test_lists_filter_by_tag_day_warnings_and_fallback(store: Store, add: Callable[..., Job]):
    add("job-a", minute=0, tags=("rain", "night"))
    add("job-b", minute=1, tags=("rainy",))
    add("job-c", minute=2, tags=())
    with store.begin() as tx:
        begun = jobs.get(tx, "job-b").created_at
        stored_warnings.warn(
            tx, "job-a", code="exception", stage="hog", message="It broke.", count=1, first_frame_index=0, last_frame_index=0
        )
        breakdowns.decide(tx, "job-c", "hog", EXAMPLE_DECISION, "1")

    def listed(**filters: object) -> list[str]:
        with store.read() as tx:
            return [job.id for job in listing.page(tx, JobFilter(**filters))[0]]

    assert listed(tag="rain") == ["job-a"]
    assert listed(tag="Rain") == []
    assert listed(since=begun) == ["job-c", "job-b"]
    assert listed(until=begun) == ["job-a"]
    assert (listed(warnings=True), listed(warnings=False)) == (["job-a"], ["job-c", "job-b"])
    assert (listed(fallback=True), listed(fallback=False)) == (["job-c"], ["job-b", "job-a"])
    with store.read() as tx:
        assert listing.tags(tx) == ["night", "rain", "rainy"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (JobSort.NEWEST, ["job-3", "job-2", "job-1", "job-0"]),
        (JobSort.OLDEST, ["job-0", "job-1", "job-2", "job-3"]),
        (JobSort.NAME, ["job-3", "job-1", "job-0", "job-2"]),
        (JobSort.LONGEST, ["job-0", "job-1", "job-3", "job-2"]),
    ],
)
def test_every_order_gives_every_job_once_over_its_pages(
    store: Store, add: Callable[..., Job], sort: JobSort, expected: list[str]
):
    for number, name in enumerate(("mole", "Lynx", "zebra", "ant")):
        add(f"job-{number}", name=name, minute=number)
    walk(store, "job-0", JobStatus.RUNNING)
    walk(store, "job-1", JobStatus.RUNNING, JobStatus.FAILED)
    walk(store, "job-0", JobStatus.FAILED)
    seen, cursor = [], None
    while not seen or cursor:
        with store.read() as tx:
            found, cursor = listing.page(tx, sort=sort, limit=1, cursor=cursor)
        seen += [job.id for job in found]
    assert seen == expected


def test_a_cursor_of_another_order_is_refused(store: Store, add: Callable[..., Job]):
    add("job-a")
    add("job-b")
    with store.read() as tx:
        _, cursor = listing.page(tx, sort=JobSort.NAME, limit=1)
        with pytest.raises(UnknownFilter, match="in the same order"):
            listing.page(tx, sort=JobSort.OLDEST, cursor=cursor)
