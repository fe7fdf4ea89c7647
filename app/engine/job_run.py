"""A job being run, as the dispatcher holds it: what is in flight, what was learnt, what to tell."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.health import Health
from app.domain.insight import Metrics, Progress
from app.domain.job import Job, Pace, Segment, StageBreakdown, Wanted
from app.domain.load import LatencyMs, StageMetrics
from app.domain.plugin import PluginMetadata
from app.domain.timing import Histogram
from app.engine.messages import Beat, Pass, StageTask
from app.engine.speed import Speed, gathered_since, histograms

_SHORT_SEGMENT_S: Final = 1.0  # below this a worker is given its next segment before it has done the last


@dataclass(slots=True)
class Flight:
    """A segment in the hands of a worker."""

    segment: Segment
    worker: int
    renewed_at: float
    frames: int = 0
    rows: dict[str, Histogram] = field(default_factory=dict)
    dropped_at: float | None = None


class JobRun:
    """What the dispatcher knows of a job between the database's rows."""

    def __init__(self, job: Job, stages: tuple[StageTask, ...]) -> None:
        self.job = job
        self.stages = stages
        self.serial = any(stage.stateful for stage in stages)
        self.flights: dict[int, Flight] = {}
        self.disabled: set[str] = set()
        self.unprepared: set[str] = set()  # disabled ones that never came up: there is nothing to sum up
        self.skips: list[tuple[int, str, str, str]] = []
        self.strikes: Counter[tuple[int, str]] = Counter()
        self.health: dict[str, Health] = {}
        self.over_budget: Counter[str] = Counter()
        self.soft_failures: Counter[str] = Counter()
        self.prepared_on: set[int] = set()
        self.state_at: tuple[int, int] | None = None  # (worker, next frame) of a serial job
        self.watched_on: int | None = None
        self.last_overlay = -1
        self.told_progress = 0
        self.marked_at = 0.0  # when the progress told was last stored
        self.exhausted = False  # no segment is left to claim
        self.ending = False
        self.speed = Speed()
        self._segment_s: float | None = None
        self._origin: float | None = None  # wall-clock second at which a paced job's frame 0 was due
        self._next_due_s = 0.0

    def depth(self) -> int:
        """How many segments one worker may hold."""
        return 2 if self._segment_s is not None and self._segment_s < _SHORT_SEGMENT_S else 1

    def worker_for_next(self, load: dict[int, int], now: float) -> int | None:
        """The worker that should do the next segment, or None while none should. `now`: wall-clock seconds."""
        if self.job.wanted is not Wanted.RUN or self.exhausted or self.ending:
            return None
        holding = {flight.worker for flight in self.flights.values()}
        free = {worker: held for worker, held in load.items() if held < self.depth()}
        in_step = self.serial or (self._origin is not None and self._origin + self._next_due_s > now)
        if in_step and holding:
            free = {worker: held for worker, held in free.items() if worker in holding}
        elif self.serial and self.state_at is not None and self.state_at[0] in load:
            free = {worker: held for worker, held in free.items() if worker == self.state_at[0]}
        order = sorted(free, key=lambda worker: (free[worker], worker not in self.prepared_on, worker))
        return order[0] if order else None

    def claimed(self, segment: Segment, now: float) -> float | None:
        """Note a claimed segment; give the wall-clock second at which frame 0 is due, for a paced job."""
        start = segment.planned.start_t_s
        media = self.job.media
        if self.job.pace is not Pace.REALTIME or start is None or media is None:
            return None
        offset = segment.pass_number * (media.duration_s or 0.0)
        if self._origin is None:
            self._origin = now - offset - start
        frames = segment.end - segment.start
        self._next_due_s = offset + start + (frames / media.fps if media.fps else 0.0)
        return self._origin

    def part(self, segment: Segment) -> Pass:
        """A segment as the worker needs it: its place in a pass, and where that pass begins."""
        seconds = self.job.media.duration_s if self.job.media and self.job.media.duration_s else 0.0
        return Pass(segment.planned, segment.start - segment.planned.start, segment.pass_number * seconds)

    def restart_clock(self) -> None:
        """Let a paced job that stood still go on from where it is."""
        self._origin = None

    def beat(self, flight: Flight, beat: Beat, now: float) -> None:
        """Take in a worker's beat."""
        rows = histograms(beat.tallies)
        self.speed.add(now, beat.frames - flight.frames, gathered_since(rows, flight.rows))
        flight.frames, flight.rows = beat.frames, rows

    def learn(self, row: StageBreakdown) -> None:
        """Take over what the stored breakdown says of a stage."""
        if row.plugin is not None:
            self.health[row.stage] = row.health
            self.over_budget[row.stage] = row.over_budget
            self.soft_failures[row.stage] = row.soft_failures
            if row.disabled:
                self.disabled.add(row.stage)

    def out_of_stages(self) -> bool:
        """Say whether every stage is disabled."""
        return all(task.stage.id in self.disabled for task in self.stages)

    def lost_worker(self, worker: int) -> None:
        """Forget what a worker held that is gone."""
        self.state_at = None
        self.prepared_on.discard(worker)
        self.watched_on = None if self.watched_on == worker else self.watched_on

    def finished(self, seconds: float) -> None:
        """Note how long a segment took."""
        self._segment_s = seconds

    def earliest(self) -> Flight | None:
        """The flight nearest to the start: the one whose frames are shown."""
        return min(self.flights.values(), key=lambda flight: flight.segment.start, default=None)

    @property
    def told_percent(self) -> int | None:
        """Whole per cent that was told last; None while the length is unknown."""
        total = self.job.frames_total
        if total is None:
            return None
        return min(99, max(self.job.progress_told, self.told_progress * 100 // total if total else 0))

    def progress(self, *, full: bool = False) -> Progress:
        """How far the job is; never less than what was told before."""
        job, total = self.job, self.job.frames_total
        flying = sum(min(flight.frames, flight.segment.end - flight.segment.start) for flight in self.flights.values())
        handled = max(self.told_progress, job.frames_done + flying)
        handled = handled if total is None else min(handled, total)
        self.told_progress = handled
        now = datetime.now(UTC)
        elapsed = (now - job.started_at).total_seconds() if job.started_at else 0.0
        percent = 100 if full else self.told_percent
        eta = None if not total or not handled or full else elapsed / handled * (total - handled)
        return Progress(
            at=now, job_id=job.id, progress=percent, frames_done=handled, frames_total=total,
            elapsed_s=round(elapsed, 3), eta_s=0.0 if full else None if eta is None else round(eta, 1),
        )  # fmt: skip

    def metrics(self, now: float, queue_depth: int) -> Metrics:
        """How fast the job goes; `now` in seconds of the clock that beats were taken in with."""
        fps, rows = self.speed.read(now)
        whole = [rows.get(stage.stage.id, Histogram()) for stage in self.stages] + [rows.get("decode", Histogram())]
        stages = []
        for task in self.stages:
            seen = rows.get(task.stage.id, Histogram())
            share = seen.count / max(1, rows["decode"].count) if "decode" in rows else 1.0
            stages.append(
                StageMetrics(
                    task.stage.id, round(fps * min(1.0, share), 2), seen.percentile_ms(50), seen.percentile_ms(95),
                    task.budget_ms, self.over_budget[task.stage.id], self.soft_failures[task.stage.id],
                    self.health.get(task.stage.id, Health.OK),
                )
            )  # fmt: skip
        latency = LatencyMs(
            round(sum(row.percentile_ms(50) for row in whole), 3), round(sum(row.percentile_ms(95) for row in whole), 3)
        )
        workers = len({flight.worker for flight in self.flights.values()})
        return Metrics(
            at=datetime.now(UTC), job_id=self.job.id, fps=fps, latency_ms=latency, stages=tuple(stages),
            workers=workers, queue_depth=queue_depth,
        )  # fmt: skip


def stage_tasks(
    job: Job,
    metadata: dict[str, tuple[PluginMetadata, Path]],
    placed: Callable[[str, Mapping[str, Any]], Mapping[str, Any]],
) -> tuple[StageTask, ...]:
    """What a worker needs to run a job's stages.

    `metadata` gives each plugin's declaration and folder by id, `placed` puts the paths of model files into its options.
    """
    tasks = []
    for stage in job.pipeline.stages:
        declared, folder = metadata[stage.plugin]
        tasks.append(
            StageTask(
                stage=msgspec.structs.replace(stage, options=dict(placed(stage.plugin, stage.options))),
                version=declared.version, folder=str(folder), entry=declared.entry, output=declared.output,
                device=stage.device or job.device_requested, strict_device=job.strict_device,
                budget_ms=declared.latency_budget_ms, stateful=declared.stateful, targets=tuple(declared.devices),
            )
        )  # fmt: skip
    return tuple(tasks)
