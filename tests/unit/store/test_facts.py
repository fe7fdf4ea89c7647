"""Facts: numbered in the order of their commits, never twice, and the same insight again when read."""

from collections.abc import Callable

import pytest

from app.domain.insight import FACT_TYPES, INSIGHT_EXAMPLES, INSIGHT_TYPES, Insight
from app.domain.job import Job
from app.store import facts, jobs
from app.store.engine import Store

EXAMPLE_JOB = INSIGHT_EXAMPLES["status"].job_id


def append(store: Store, *kinds: str) -> list[int]:
    with store.begin() as tx:
        return [facts.append(tx, INSIGHT_EXAMPLES[kind]) for kind in kinds]


@pytest.mark.parametrize("kind", sorted(FACT_TYPES))
def test_every_kind_of_fact_comes_back_as_it_went_in(store: Store, add: Callable[..., Job], kind: str):
    add(EXAMPLE_JOB)
    (number,) = append(store, kind)
    with store.read() as tx:
        ((read_number, read),) = facts.after(tx, number - 1)
    assert (read_number, read) == (number, INSIGHT_EXAMPLES[kind])
    assert type(read) is type(INSIGHT_EXAMPLES[kind])


@pytest.mark.parametrize("kind", sorted({kind.type for kind in INSIGHT_TYPES} - FACT_TYPES))
def test_an_insight_that_is_not_a_fact_is_not_stored(store: Store, kind: str):
    with store.begin() as tx, pytest.raises(ValueError, match=f"'{kind}' is not a fact"):
        facts.append(tx, INSIGHT_EXAMPLES[kind])
    with store.read() as tx:
        assert facts.head(tx) == 0


def test_an_empty_database_has_head_0_and_no_oldest_fact(store: Store):
    with store.read() as tx:
        assert (facts.head(tx), facts.oldest(tx), facts.head_of_job(tx, "job-a"), facts.after(tx, 0)) == (0, None, None, [])


def test_facts_are_read_after_a_number_by_job_and_up_to_a_limit(store: Store, add: Callable[..., Job]):
    add("job-a")
    add(EXAMPLE_JOB)
    append(store, "device", "warning", "health")
    with store.read() as tx:
        assert [number for number, _ in facts.after(tx, 0)] == [1, 2, 3, 4, 5]
        assert [number for number, _ in facts.after(tx, 2, limit=2)] == [3, 4]
        assert [number for number, _ in facts.after(tx, 0, job_id="job-a")] == [1]
        assert [fact.type for _, fact in facts.of_job(tx, EXAMPLE_JOB)] == ["status", "device", "warning", "health"]
        assert (facts.head(tx), facts.oldest(tx), facts.head_of_job(tx, "job-a")) == (5, 1, 1)


def test_numbers_are_never_used_again_whatever_is_deleted(store: Store, add: Callable[..., Job]):
    add("job-a")
    add("job-b")
    with store.begin() as tx:
        jobs.delete(tx, "job-b")
    with store.read() as tx:
        assert (facts.head(tx), facts.oldest(tx), len(facts.after(tx, 0))) == (2, 1, 1)
    with store.begin() as tx:
        jobs.delete(tx, "job-a")
    with store.read() as tx:
        assert (facts.head(tx), facts.oldest(tx)) == (2, None)
    add("job-c")
    with store.read() as tx:
        assert [number for number, _ in facts.after(tx, 0)] == [3]


def test_a_fact_whose_transaction_is_rolled_back_leaves_no_gap(store: Store, add: Callable[..., Job]):
    add(EXAMPLE_JOB)

    def append_and_fail() -> None:
        with store.begin() as tx:
            facts.append(tx, INSIGHT_EXAMPLES["device"])
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError):
        append_and_fail()
    assert append(store, "warning") == [2]


def test_the_feed_reads_the_same_facts_through_its_port(store: Store, add: Callable[..., Job]):
    log = facts.StoredFacts(store)
    assert (log.head(), log.oldest(), log.after(0, None, 10), log.before(9, None, 10)) == (0, None, [], [])
    add("job-a")
    add("job-b")
    add(EXAMPLE_JOB)
    append(store, "device", "health")
    assert (log.head(), log.oldest()) == (5, 1)

    def numbers(found: list[tuple[int, Insight]]) -> list[int]:
        return [number for number, _ in found]

    assert numbers(log.after(1, None, 3)) == [2, 3, 4]
    assert numbers(log.after(0, {"job-a", EXAMPLE_JOB}, 10)) == [1, 3, 4, 5]
    assert numbers(log.after(0, ["job-a", EXAMPLE_JOB], 2)) == [1, 3]
    assert numbers(log.after(0, [], 10)) == []
    told = [(5, INSIGHT_EXAMPLES["health"]), (4, INSIGHT_EXAMPLES["device"])]
    assert log.before(6, {EXAMPLE_JOB}, 2) == told
