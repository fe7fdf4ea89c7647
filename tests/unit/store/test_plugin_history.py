"""Plugins' history: version by version, use by use, with what fell back."""

from collections.abc import Callable

from app.domain.device import EXAMPLE_DECISION
from app.domain.health import Health
from app.domain.job import Job, StageBreakdown
from app.domain.timing import Histogram
from app.store import breakdowns
from app.store.engine import Store
from app.store.plugin_history import PluginHistory, history


def use(store: Store, job_id: str, version: str, ms: int, *, fallback: bool = False, stage: str = "hog") -> None:
    timing = Histogram()
    timing.add(ms * 1000)
    with store.begin() as tx:
        row = StageBreakdown(stage, "hog", version, frames=3, soft_failures=1, over_budget=2, timing=timing)
        breakdowns.merge(tx, job_id, [row])
        if fallback:
            breakdowns.decide(tx, job_id, stage, EXAMPLE_DECISION, "1")


def test_versions_are_summed_up_and_uses_stand_newest_first(store: Store, add: Callable[..., Job]) -> None:
    for job_id, version, ms in (("job-a", "1.0.0", 10), ("job-b", "1.0.0", 20), ("job-c", "1.1.0", 5)):
        add(job_id, plugins=("hog", "mog"))
        use(store, job_id, version, ms, fallback=job_id == "job-b")
    use(store, "job-a", "1.0.0", 10, stage="mog", fallback=False)
    with store.begin() as tx:
        breakdowns.set_health(tx, "job-c", "hog", "hog", Health.DEGRADED, "slow")
        breakdowns.decide(tx, "job-c", "mog", EXAMPLE_DECISION, "1")  # of a stage that is not this plugin's
    with store.read() as tx:
        told = history(tx, "hog")
        assert len(history(tx, "hog", most=1).uses) == 1
        assert history(tx, "nobody") == PluginHistory()
    newest, older = told.versions
    assert (newest.version, newest.uses, newest.fallbacks) == ("1.1.0", 1, 0)
    assert (older.version, older.uses, older.frames, older.soft_failures, older.over_budget) == ("1.0.0", 3, 9, 3, 6)
    assert (older.fallbacks, older.timing.count, older.timing.max_us) == (1, 3, 20_000)
    assert [one.job_id for one in told.uses] == ["job-c", "job-a", "job-b", "job-a"]
    assert told.uses[0].health is Health.DEGRADED
    assert [one.fallback for one in told.uses] == [False, False, True, False]
    assert told.uses[0].job_name == "Job job-c"
