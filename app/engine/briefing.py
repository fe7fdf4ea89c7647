"""Makes the tasks for claimed segments: what a worker must know to do one, and what it must see again first."""

import time
from collections.abc import Sequence

import msgspec

from app.domain.job import Pace, RowsPlace, Segment
from app.domain.media import StreamRules
from app.engine.flight import Flight, Shared
from app.engine.job_run import JobRun
from app.engine.station import Station
from app.engine.tasks import FollowTask, SegmentTask
from app.engine.trail import replay_from
from app.store import segments


class Briefing:
    """Writes tasks, and notes in the run which worker will hold the state behind them."""

    def __init__(self, station: Station) -> None:
        self._at = station

    async def segment(self, run: JobRun, flight: Flight, task_id: int, threads: int) -> SegmentTask:
        """Make the task for a segment's frames."""
        job, plan, segment = run.job, run.plan, flight.segment
        replay: list[Segment] = []
        if run.open_ended:
            lost = segment.start and run.state_at != (flight.worker, segment.start)
            flight.replay_from = segment.start if lost and any(stage.stateful for stage in run.leaders) else 0
        elif run.serial:
            if segment.start and run.state_at != (flight.worker, segment.start):
                since = flight.replay_from = replay_from(run.leaders, segment.start)
                earlier = (await self._at.read(lambda tx: segments.states(tx, job.id)))[: segment.index]
                replay = [part for part in earlier if part.end > since]
            run.state_at = flight.worker, segment.end
        due_at = run.claimed(segment, time.time())
        # Where a worker was lost, the recorder must tell the frame it is lost on again: one thread, one place.
        ahead = threads > 1 and due_at is None and not run.open_ended and not run.aftermath.troubled(segment)
        path = f"{run.folder}/{file_name(segment)}"
        kept = flight.kept = run.aftermath.hand_on(segment, path)
        return SegmentTask(
            task_id=task_id, job_id=job.id, segment_index=segment.index, term=segment.term, part=run.part(segment),
            source=job.source, plan=plan, stages=run.stages, outputs_path=path, threads=threads,
            serial=run.serial and not run.open_ended, rules=self._rules(run),
            disabled=tuple(run.disabled | set(kept.disabled if kept else ())),
            skips=run.aftermath.skips_in(segment, all_of=run.serial), replay=tuple(run.part(part) for part in replay),
            due_at=due_at, ahead=ahead, gpu=self._at.gpu_of(flight.worker), replay_from=flight.replay_from,
            following=run.trail.stages, resume_at=kept.resume_at if kept else None, kept_bytes=kept.size if kept else 0,
            shared_path=f"{run.folder}/{flight.shared.name}" if flight.shared else None,
        )  # fmt: skip

    async def followers(self, run: JobRun, flight: Flight, task_id: int, threads: int) -> FollowTask | None:
        """Make the task for the followers of a segment; None while what they must see again first is not whole."""
        job, segment, trail, media = run.job, flight.segment, run.trail, run.plan.media
        replay: list[Segment] = []
        if segment.start and trail.state_at != (flight.worker, segment.start):
            since = flight.replay_from = replay_from(run.followers, segment.start)
            replay = await self._at.read(lambda tx: segments.committed(tx, job.id, since, segment.start))
            if sum(part.end - max(since, part.start) for part in replay) != segment.start - since:
                return None  # the lease of one before it ran out while it waited to be committed
        trail.state_at = flight.worker, segment.end
        return FollowTask(
            task_id=task_id, job_id=job.id, segment_index=segment.index, term=segment.term, part=run.part(segment),
            size=(media.width, media.height), stages=run.stages, following=trail.stages,
            folder=run.folder, rows=segment.rows or RowsPlace(""), outputs_path=f"{run.folder}/{file_name(segment)}",
            threads=threads, disabled=tuple(run.disabled), skips=run.aftermath.skips_in(segment, all_of=True),
            replay=tuple(part.rows for part in replay if part.rows), replay_from=flight.replay_from,
            pictured=run.album.wanted(segment.start, segment.end), gpu=self._at.gpu_of(flight.worker),
        )  # fmt: skip

    def _rules(self, run: JobRun) -> StreamRules | None:
        if not run.open_ended:
            return None
        return msgspec.structs.replace(self._at.streams, realtime=run.job.pace is Pace.REALTIME)


def file_name(segment: Segment) -> str:
    """Name of the outputs file of one claim of a segment: a fenced holder can never overwrite another's."""
    return f"{segment.index:08d}-{segment.term}.ndjson"


def shared_by(run: JobRun, stretch: Sequence[Segment]) -> Shared | None:
    """Give the file that segments claimed together share, named by the first one's claim; None: each has its own.

    Followers write whole rows anew, and the old ones are then removed: file by file.
    """
    if len(stretch) <= 1 or run.trail.stages or run.open_ended:
        return None
    first, last = stretch[0], stretch[-1]
    return Shared(f"{first.index:08d}-{last.index:08d}-{first.term}.ndjson", len(stretch))
