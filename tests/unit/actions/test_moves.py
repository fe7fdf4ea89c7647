"""cancel, pause, resume, stop, retry: what each does to a job in each state, and that asking twice is asking once."""

from collections.abc import Callable

import pytest

from app.actions.cancel import cancel
from app.actions.pause import pause
from app.actions.resume import resume
from app.actions.retry import retry
from app.actions.stop import stop
from app.domain.errors import UnknownJob, WrongState
from app.domain.health import Health
from app.domain.job import Job, JobStatus, Wanted
from app.store import breakdowns, facts
from app.store.engine import Store

S, W = JobStatus, Wanted
VERBS = {"cancel": cancel, "pause": pause, "resume": resume, "stop": stop, "retry": retry}
DONE = (S.COMPLETED, S.COMPLETED_WITH_WARNINGS)
ENDED = (*DONE, S.FAILED, S.CANCELLED)
# verb, status, wanted before, whether a segment is leased; then status and wanted after
MOVES = [
    ("cancel", S.QUEUED, W.RUN, False, S.CANCELLED, W.CANCEL),
    ("cancel", S.QUEUED, W.RUN, True, S.QUEUED, W.CANCEL),
    ("cancel", S.PAUSED, W.PAUSE, False, S.CANCELLED, W.CANCEL),
    ("cancel", S.RUNNING, W.RUN, True, S.RUNNING, W.CANCEL),
    ("cancel", S.RUNNING, W.STOP, False, S.RUNNING, W.CANCEL),
    ("cancel", S.FINALIZING, W.RUN, False, S.FINALIZING, W.CANCEL),
    ("pause", S.QUEUED, W.RUN, False, S.PAUSED, W.PAUSE),
    ("pause", S.QUEUED, W.RUN, True, S.QUEUED, W.PAUSE),
    ("pause", S.RUNNING, W.RUN, True, S.RUNNING, W.PAUSE),
    ("resume", S.PAUSED, W.PAUSE, False, S.QUEUED, W.RUN),
    ("resume", S.RUNNING, W.PAUSE, True, S.RUNNING, W.RUN),
    ("stop", S.QUEUED, W.RUN, False, S.QUEUED, W.STOP),
    ("stop", S.RUNNING, W.RUN, True, S.RUNNING, W.STOP),
    ("stop", S.PAUSED, W.PAUSE, False, S.PAUSED, W.STOP),
    ("retry", S.FAILED, W.RUN, False, S.QUEUED, W.RUN),
    ("retry", S.CANCELLED, W.CANCEL, False, S.QUEUED, W.RUN),
]
NOTHING_TO_DO = [  # what is asked for is so already: the job is answered and nothing is written
    ("cancel", S.CANCELLED, W.CANCEL),
    ("cancel", S.RUNNING, W.CANCEL),
    ("pause", S.PAUSED, W.PAUSE),
    ("pause", S.RUNNING, W.PAUSE),
    ("resume", S.RUNNING, W.RUN),
    ("resume", S.QUEUED, W.RUN),
    ("resume", S.FINALIZING, W.RUN),
    ("stop", S.RUNNING, W.STOP),
    ("stop", S.FINALIZING, W.RUN),
    ("stop", S.COMPLETED_WITH_WARNINGS, W.STOP),
]
REFUSED = [
    *(("cancel", status, W.RUN) for status in (*DONE, S.FAILED)),
    *(("pause", status, W.RUN) for status in (S.FINALIZING, *ENDED)),
    ("pause", S.RUNNING, W.CANCEL),
    ("pause", S.RUNNING, W.STOP),
    *(("resume", status, W.RUN) for status in ENDED),
    ("resume", S.RUNNING, W.CANCEL),
    ("resume", S.PAUSED, W.STOP),
    *(("stop", status, W.RUN) for status in ENDED),
    ("stop", S.FAILED, W.STOP),
    ("stop", S.RUNNING, W.CANCEL),
    ("stop", S.FINALIZING, W.CANCEL),
    *(("retry", status, W.RUN) for status in (S.QUEUED, S.RUNNING, S.PAUSED, S.FINALIZING, *DONE)),
]
MakeJob = Callable[..., Job]


@pytest.mark.parametrize("move", MOVES, ids=lambda move: "-".join(map(str, move)))
def test_a_verb_moves_a_job_and_asked_again_changes_nothing(
    store: Store, make_job: MakeJob, move: tuple[str, S, W, bool, S, W]
) -> None:
    verb, status, wanted, leased, then, then_wanted = move
    job, rung = make_job(status, wanted, leased=leased), []
    for rings in (1, 1):
        after = VERBS[verb](job.id, store=store, wake=lambda: rung.append(1))
        assert (after.status, after.wanted) == (then, then_wanted)
        assert len(rung) == rings


@pytest.mark.parametrize(("verb", "status", "wanted"), NOTHING_TO_DO, ids=str)
def test_what_is_so_already_is_answered_and_nothing_is_written(
    store: Store, make_job: MakeJob, verb: str, status: S, wanted: W
) -> None:
    job, rung = make_job(status, wanted), []
    with store.read() as tx:
        before = facts.head(tx)
    assert VERBS[verb](job.id, store=store, wake=lambda: rung.append(1)) == job
    with store.read() as tx:
        assert facts.head(tx) == before
    assert rung == []


@pytest.mark.parametrize(("verb", "status", "wanted"), REFUSED, ids=str)
def test_a_verb_that_makes_no_sense_is_refused_and_changes_nothing(
    store: Store, make_job: MakeJob, verb: str, status: S, wanted: W
) -> None:
    job = make_job(status, wanted)
    with store.read() as tx:
        before = facts.head(tx)
    with pytest.raises(WrongState, match=f"Job {job.id} is {status}.*; {verb} needs a job that is "):
        VERBS[verb](job.id, store=store, wake=lambda: pytest.fail("nothing changed"))
    with store.read() as tx:
        assert facts.head(tx) == before


def test_a_refusal_says_what_is_under_way(store: Store, make_job: MakeJob) -> None:
    job = make_job(S.RUNNING, W.CANCEL)
    with pytest.raises(WrongState, match="is running and being cancelled; pause needs a job that is queued or running"):
        pause(job.id, store=store, wake=lambda: None)


@pytest.mark.parametrize("verb", VERBS)
def test_a_job_that_is_not_there_is_unknown(store: Store, verb: str) -> None:
    with pytest.raises(UnknownJob):
        VERBS[verb]("none", store=store, wake=lambda: None)


def test_a_job_that_failed_again_is_retried_again(store: Store, make_job: MakeJob) -> None:
    job = make_job(S.CANCELLED, W.CANCEL)
    retry(job.id, store=store, wake=lambda: None)
    cancel(job.id, store=store, wake=lambda: None)
    assert retry(job.id, store=store, wake=lambda: None).status is S.QUEUED


def test_a_retry_gives_a_disabled_stage_another_chance(store: Store, make_job: MakeJob) -> None:
    job = make_job(S.FAILED)
    with store.begin() as tx:
        breakdowns.set_health(tx, job.id, "people_hog", "people_hog", Health.FAILING, "Disabled.", disabled=True)
    retry(job.id, store=store, wake=lambda: None)
    with store.read() as tx:
        (row,) = breakdowns.of_job(tx, job.id)
    assert (row.disabled, row.health, row.health_reason) == (False, Health.OK, "")
