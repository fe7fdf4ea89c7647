"""Whose turn it is: which job is given a worker next, which worker that is, and how many cores it may use there."""

from collections.abc import Iterable, Mapping
from typing import Final

from app.domain.pipeline import OnError
from app.engine.job_run import JobRun

_SHORT_SEGMENT_S: Final = 0.5  # below this a worker is given its next segment before it has done the last
_STRETCH_S: Final = 1.0  # a worker is given as many short segments at once as take about this time
_IN_TURN_S: Final = 0.25  # and as this, while another job waits
_MOST: Final = 16
_HEAVY: Final = 0.25  # followers that take this share of the other stages' time keep a worker of their own busy


def place_in_line(run: JobRun) -> tuple[int, int, float]:
    """Key that sorts jobs: the highest priority first, then who has the fewest segments in flight, then the oldest."""
    return -run.job.priority, len(run.in_hand()), run.job.created_at.timestamp()


def worker_for_next(run: JobRun, load: Mapping[int, int], now: float, *, ahead: bool) -> int | None:
    """The worker that should do a job's next segments, or None while none should. `now`: wall-clock seconds.

    `ahead` allows a worker to be given short segments before it has done the last: not while others wait for their turn.
    """
    if not run.going or (run.may_lose_a_stage() and any(flight.landed for flight in run.leading())):
        return None  # or what is being committed may disable a stage
    most = depth(run, len(load), ahead=ahead)
    free = {worker: held for worker, held in load.items() if held < most}
    holding = {flight.worker for flight in run.leading()}
    if holding and run.in_step(now):
        free = {worker: held for worker, held in free.items() if worker in holding}
    elif run.serial and run.state_at is not None and run.state_at[0] in load:
        free = {worker: held for worker, held in free.items() if worker == run.state_at[0]}
    order = sorted(free, key=lambda worker: (free[worker], worker not in run.prepared_on, worker))
    return order[0] if order else None


def depth(run: JobRun, slots: int, *, ahead: bool) -> int:
    """A worker that holds fewer segments than this is given more."""
    short = run.segment_s is not None and run.segment_s < _SHORT_SEGMENT_S
    return max(2, 1 + _about(run, slots, _STRETCH_S) // 2) if ahead and short else 1


def stretch(run: JobRun, worker: int, slots: int, *, ahead: bool) -> int:
    """About how many segments a worker is given at once: fewer towards the end, so that all end together.

    One, as long as it is not known how long they take, or that the worker can prepare the stages at all.
    """
    if worker not in run.prepared_on or any(task.stage.policy.on_error is OnError.DISABLE_STAGE for task in run.stages):
        return 1
    return _about(run, slots, _STRETCH_S if ahead else _IN_TURN_S)


def _about(run: JobRun, slots: int, seconds: float) -> int:
    if run.segment_s is None or run.may_lose_a_stage():  # what was sent before a stage is disabled still runs it
        return 1
    return max(1, min(_MOST, int(seconds / max(run.segment_s, 0.001)), run.left // (2 * max(1, slots))))


def waits(run: JobRun, now: float) -> bool:
    """Say whether a job has a segment that it would give to the next worker that comes free."""
    if not run.going or run.left <= len(run.leading()):
        return False
    return not (run.leading() and run.in_step(now))  # it keeps to the worker it has


def threads(runs: Iterable[JobRun], slots: int, cores: int) -> int:
    """How many threads a worker may use, so that all that will be busy share the cores: all of them for a lone one."""
    return max(1, cores // max(1, min(slots, sum(_breadth(run) for run in runs))))


def _breadth(run: JobRun) -> int:
    """How many workers a job can keep busy now."""
    busy = len({flight.worker for flight in run.in_hand()})
    if not run.going:
        return busy
    leading = min(1, run.left) if run.serial else run.left
    behind = run.trail.segment_s or 0.0
    heavy = bool(run.trail.frames_behind) and (not leading or behind > _HEAVY * (run.segment_s or 0.0))
    return max(1, leading + heavy)
