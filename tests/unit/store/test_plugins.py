"""Plugins' records: summed over jobs, with the health of the newest use."""

from collections.abc import Callable

from app.domain.health import Health
from app.domain.job import Job, StageBreakdown
from app.domain.timing import Histogram
from app.store import breakdowns, jobs, plugins
from app.store.engine import Store


def test_a_record_sums_up_every_job_that_used_the_plugin(store: Store, add: Callable[..., Job]):
    slow, fast = Histogram(), Histogram()
    slow.add(9000)
    fast.add(10)
    for job_id, stages in (("job-a", ("hog", "hog_2")), ("job-b", ("hog",))):
        add(job_id, plugins=("hog", "hog"))
        with store.begin() as tx:
            rows = [StageBreakdown(stage, "hog", frames=5, soft_failures=1, timing=slow) for stage in stages]
            breakdowns.merge(tx, job_id, [*rows, StageBreakdown("decode", frames=5, timing=fast)])
    with store.begin() as tx:
        breakdowns.set_health(tx, "job-b", "hog", "hog", Health.DEGRADED, "slow")
    with store.read() as tx:
        record = plugins.record(tx, "hog")
        assert plugins.records(tx) == {"hog": record}
    assert (record.jobs, record.frames, record.soft_failures) == (2, 15, 3)
    assert (record.timing.count, record.timing.total_us, record.timing.max_us) == (3, 27_000, 9000)
    assert (record.health, record.health_reason, record.last_job_id) == (Health.DEGRADED, "slow", "job-b")
    assert record.last_at is not None


def test_a_plugin_nobody_used_has_an_empty_record(store: Store):
    with store.read() as tx:
        assert plugins.record(tx, "hog") == plugins.PluginRecord()
        assert plugins.records(tx) == {}


def test_health_is_that_of_the_newest_use_and_deleted_jobs_do_not_count(store: Store, add: Callable[..., Job]):
    for job_id, health in (("job-a", Health.OK), ("job-b", Health.FAILING)):
        add(job_id)
        with store.begin() as tx:
            breakdowns.merge(tx, job_id, [StageBreakdown("hog", "hog", frames=1)])
            breakdowns.set_health(tx, job_id, "hog", "hog", health, health.value)
    with store.begin() as tx:
        assert plugins.record(tx, "hog").health is Health.FAILING
        jobs.delete(tx, "job-b")
        record = plugins.record(tx, "hog")
    assert (record.jobs, record.frames, record.health, record.last_job_id) == (1, 1, Health.OK, "job-a")


def test_health_is_the_worst_of_the_stages_in_the_newest_job(store: Store, add: Callable[..., Job]):
    add("job-a", plugins=("hog", "hog"))
    with store.begin() as tx:
        breakdowns.merge(tx, "job-a", [StageBreakdown(stage, "hog", frames=1) for stage in ("hog", "hog_2")])
        breakdowns.set_health(tx, "job-a", "hog", "hog", Health.FAILING, "bad")
        breakdowns.set_health(tx, "job-a", "hog_2", "hog", Health.OK, "")
    with store.read() as tx:
        record = plugins.record(tx, "hog")
    assert (record.health, record.health_reason) == (Health.FAILING, "bad")
