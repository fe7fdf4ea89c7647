"""Breakdowns: counts that add up, rows in the pipeline's order, health and decisions told when they change."""

from collections.abc import Callable

import msgspec
import pytest

from app.domain.device import EXAMPLE_DECISION, AttemptOutcome, DeviceAttempt, DeviceDecision, Target
from app.domain.errors import UnknownJob
from app.domain.health import Health
from app.domain.insight import Device, HealthChange, Insight
from app.domain.job import Job, StageBreakdown
from app.domain.timing import Histogram
from app.store import breakdowns, facts
from app.store.engine import Store

ON_CPU = DeviceDecision("auto", Target.CPU, False, None, "", (DeviceAttempt(Target.CPU, AttemptOutcome.USED, None, ""),), 3.0)


def timed(*microseconds: int) -> Histogram:
    histogram = Histogram()
    for value in microseconds:
        histogram.add(value)
    return histogram


def told(store: Store, kind: type[Insight]) -> list[Insight]:
    with store.read() as tx:
        return [fact for _, fact in facts.of_job(tx, "job-a") if isinstance(fact, kind)]


def row_of(store: Store, stage: str) -> StageBreakdown:
    with store.read() as tx:
        return next(row for row in breakdowns.of_job(tx, "job-a") if row.stage == stage)


def test_counts_and_histograms_of_segments_add_up(store: Store, add: Callable[..., Job]):
    add()
    first = StageBreakdown(
        "hog", "hog", "1.2.0", frames=3, soft_failures=1, timing=timed(5, 900, 70_000), budget_ms=50, over_budget=1
    )
    second = StageBreakdown("hog", "hog", "1.2.0", frames=2, timing=timed(900, 2_000_000), budget_ms=50, over_budget=1)
    for part in (first, second):
        with store.begin() as tx:
            breakdowns.merge(tx, "job-a", [part])
    row = row_of(store, "hog")
    assert (row.frames, row.soft_failures, row.over_budget, row.budget_ms) == (5, 1, 2, 50)
    assert (row.plugin, row.version) == ("hog", "1.2.0")
    assert row.timing == timed(5, 900, 70_000, 900, 2_000_000)


def test_rows_stand_in_the_pipeline_s_order_then_those_beside_the_stages(store: Store, add: Callable[..., Job]):
    add(plugins=("zebra", "ant", "ant"))
    names = ["write", "ant_2", "decode", "zebra", "finalize", "prepare", "preview"]
    with store.begin() as tx:
        breakdowns.merge(tx, "job-a", [StageBreakdown(name, frames=1) for name in names])
    with store.read() as tx:
        rows = breakdowns.of_job(tx, "job-a")
    assert [row.stage for row in rows] == ["zebra", "ant", "ant_2", "decode", "prepare", "preview", "write", "finalize"]


def test_a_stage_that_did_nothing_yet_has_an_empty_row_and_a_row_beside_the_stages_has_none(
    store: Store, add: Callable[..., Job]
):
    add()
    with store.read() as tx:
        assert breakdowns.of_job(tx, "job-a") == [StageBreakdown("hog", "hog")]


@pytest.mark.parametrize(
    "write",
    [
        lambda tx: breakdowns.merge(tx, "nobody", [StageBreakdown("hog")]),
        lambda tx: breakdowns.set_summary(tx, "nobody", "hog", {}),
        lambda tx: breakdowns.set_health(tx, "nobody", "hog", "hog", Health.OK, ""),
        lambda tx: breakdowns.decide(tx, "nobody", "hog", ON_CPU, "w1"),
        lambda tx: breakdowns.of_job(tx, "nobody"),
    ],
)
def test_a_breakdown_of_an_unknown_job_is_refused(store: Store, write: Callable[..., object]):
    with store.begin() as tx, pytest.raises(UnknownJob):
        write(tx)
    with store.read() as tx:
        assert facts.head(tx) == 0


def test_a_summary_is_kept_beside_the_counts_and_may_be_computed_again(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        breakdowns.merge(tx, "job-a", [StageBreakdown("hog", "hog", frames=4)])
        breakdowns.set_summary(tx, "job-a", "hog", {"people": 7})
    assert (row_of(store, "hog").summary, row_of(store, "hog").frames) == ({"people": 7}, 4)
    with store.begin() as tx:
        breakdowns.set_summary(tx, "job-a", "hog", {"people": {"most": 3}})
    assert row_of(store, "hog").summary == {"people": {"most": 3}}
    with store.begin() as tx:
        breakdowns.set_summary(tx, "job-a", "hog", None)
    assert row_of(store, "hog").summary is None


def test_health_is_told_at_the_first_verdict_and_when_it_changes(store: Store, add: Callable[..., Job]):
    add()
    verdicts = [
        (Health.OK, "", False),
        (Health.OK, "", False),
        (Health.DEGRADED, "2 of 90 failed.", False),
        (Health.DEGRADED, "3 of 95 failed.", False),
        (Health.FAILING, "60 of 100 failed.", False),
        (Health.FAILING, "Disabled.", True),
        (Health.FAILING, "Disabled.", True),
    ]
    for health, reason, disabled in verdicts:
        with store.begin() as tx:
            breakdowns.set_health(tx, "job-a", "hog", "people_hog", health, reason, disabled=disabled)
    changes = told(store, HealthChange)
    assert [(fact.previous, fact.health, fact.reason) for fact in changes] == [
        (None, "ok", ""),
        ("ok", "degraded", "2 of 90 failed."),
        ("degraded", "failing", "60 of 100 failed."),
        ("failing", "failing", "Disabled."),
    ]
    assert {(fact.plugin, fact.stage) for fact in changes} == {("people_hog", "hog")}
    row = row_of(store, "hog")
    assert (row.health, row.health_reason, row.disabled) == (Health.FAILING, "Disabled.", True)


def test_merging_more_frames_leaves_health_and_summary_alone(store: Store, add: Callable[..., Job]):
    add()
    with store.begin() as tx:
        breakdowns.set_health(tx, "job-a", "hog", "hog", Health.DEGRADED, "slow")
        breakdowns.set_summary(tx, "job-a", "hog", {"n": 1})
        breakdowns.merge(tx, "job-a", [StageBreakdown("hog", frames=4)])
    row = row_of(store, "hog")
    assert (row.health, row.health_reason, row.summary, row.frames, row.plugin) == (Health.DEGRADED, "slow", {"n": 1}, 4, "hog")


def test_a_device_decision_is_told_once_for_all_workers_that_decide_alike(store: Store, add: Callable[..., Job]):
    add()
    for worker, warmup_ms in (("w1", 12.5), ("w2", 13.75), ("w3", None)):
        with store.begin() as tx:
            breakdowns.decide(tx, "job-a", "hog", msgspec.structs.replace(EXAMPLE_DECISION, warmup_ms=warmup_ms), worker)
    (fact,) = told(store, Device)
    assert (fact.stage, fact.requested, fact.used, fact.fallback) == ("hog", "cuda", Target.CPU, True)
    assert (fact.code, fact.reason, fact.attempts) == (
        EXAMPLE_DECISION.code,
        EXAMPLE_DECISION.reason,
        EXAMPLE_DECISION.attempts,
    )
    with store.read() as tx:
        assert breakdowns.decisions(tx, "job-a") == [("hog", EXAMPLE_DECISION)]
    assert row_of(store, "hog").device == EXAMPLE_DECISION


def test_decisions_that_differ_are_all_kept_and_a_fallback_is_never_hidden_by_a_later_one(
    store: Store, add: Callable[..., Job]
):
    add(plugins=("hog", "mog2"))
    with store.begin() as tx:
        breakdowns.decide(tx, "job-a", "hog", ON_CPU, "w1")
        breakdowns.decide(tx, "job-a", "hog", EXAMPLE_DECISION, "w2")
        breakdowns.decide(tx, "job-a", "hog", msgspec.structs.replace(ON_CPU, reason="again"), "w3")
        breakdowns.decide(tx, "job-a", "mog2", ON_CPU, "w1")
        made = breakdowns.decisions(tx, "job-a")
    assert [stage for stage, _ in made] == ["hog", "hog", "hog", "mog2"]
    assert made[0][1] == ON_CPU
    assert len(told(store, Device)) == 4
    assert row_of(store, "hog").device == EXAMPLE_DECISION
    assert row_of(store, "mog2").device == ON_CPU
    newer = msgspec.structs.replace(EXAMPLE_DECISION, requested="opencl")
    with store.begin() as tx:
        breakdowns.decide(tx, "job-a", "hog", newer, "w4")
    assert row_of(store, "hog").device == newer
