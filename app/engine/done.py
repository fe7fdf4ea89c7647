"""Sums up a segment whose rows lie in their place, for the dispatcher."""

from time import perf_counter_ns

from app.domain.job import RowsPlace
from app.domain.media import Loss
from app.engine.follow import Follow
from app.engine.messages import Reach, SegmentDone
from app.engine.segment import SegmentReader
from app.engine.stages import StageSet
from app.engine.tasks import FollowTask, SegmentTask


def done(  # noqa: PLR0917  # what was done by whom, what was lost, and how far it came
    task: SegmentTask | FollowTask,
    reader: SegmentReader | Follow,
    stages: StageSet,
    rows: RowsPlace,
    losses: tuple[Loss, ...],
    started: int,
    reach: Reach | None = None,
) -> SegmentDone:
    """Sum up a segment whose rows lie at `rows`. `started`: when it was begun, by the performance counter."""
    stages.next_frame = reach.end if reach else task.part.end
    return SegmentDone(
        task.task_id,
        reader.frames,
        reader.tallies(),
        tuple(tally for run in stages.runs for tally in run.failures.values()),
        losses,
        tuple(run.id for run in stages.runs if run.disabled),
        (perf_counter_ns() - started) // 1000,
        rows,
        reach,
    )
