"""A job being run, as the dispatcher holds it: what is in flight, what was learnt, what to tell."""

from collections import Counter
from datetime import UTC, datetime

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.insight import Metrics, Progress
from app.domain.job import Job, Pace, Segment, StageBreakdown, Wanted
from app.domain.load import LatencyMs, StageMetrics
from app.domain.media import UNMEASURED, SourceKind, SourcePlan
from app.domain.timing import Histogram
from app.engine.aftermath import Aftermath
from app.engine.album import Album
from app.engine.checkup import Checkup
from app.engine.flight import Flight, Strip
from app.engine.gpus import ON_CUDA
from app.engine.messages import Beat
from app.engine.speed import Speed, gathered_since, histograms
from app.engine.tasks import Pass, StageTask
from app.engine.trail import Trail


class JobRun:
    """What the dispatcher knows of a job between the database's rows; its outputs lie in `folder`."""

    def __init__(self, job: Job, stages: tuple[StageTask, ...], folder: str) -> None:
        self.job = job
        self.folder = folder
        self.stages = stages
        self.trail = Trail(stages)
        self.album = Album()
        self.open_ended = job.source.kind is SourceKind.STREAM
        self.serial = self.open_ended or any(stage.stateful for stage in self.leaders)  # one worker does it, in order
        self.flights: dict[int, Flight] = {}
        self.strip = Strip()
        self.disabled: set[str] = set()
        self.aftermath = Aftermath()
        self.checkup = Checkup(stages)
        self.health: dict[str, Health] = {}
        self.over_budget: Counter[str] = Counter()
        self.soft_failures: Counter[str] = Counter()
        self.prepared_on: set[int] = set()
        self.on_gpu: dict[str, bool] = {}  # stages whose device is decided: whether any worker runs them on a GPU
        self.state_at: tuple[int, int] | None = None  # (worker, next frame) of a serial job
        self.watched_on: int | None = None
        self.last_overlay = -1
        self.pictured_ns = 0  # when a picture last came
        self.told_progress = 0
        self.marked_at = 0.0  # when the progress told was last stored
        self.exhausted = False  # no segment is left to claim
        self.left = 1  # segments whose leaders are still to run, those in flight counted
        self.dry_until = 0.0  # second of the clock until which none need be asked for
        self.ending = False
        self.speed = Speed()
        self.segment_s: float | None = None  # how long the last one took
        self.measured: SourcePlan | None = None  # of an address that was opened
        self._origin: float | None = None  # wall-clock second at which a paced job's frame 0 was due
        self._next_due_s = 0.0

    @property
    def plan(self) -> SourcePlan:
        """The plan of the source; that of an address says nothing before its first frame came."""
        return self.measured or self.job.plan or UNMEASURED

    @property
    def leaders(self) -> tuple[StageTask, ...]:
        """The stages that run on the frames themselves."""
        return tuple(task for task in self.stages if task.stage.id not in self.trail.stages)

    @property
    def followers(self) -> tuple[StageTask, ...]:
        """The stages that go over the leaders' outputs."""
        return tuple(task for task in self.stages if task.stage.id in self.trail.stages)

    @property
    def going(self) -> bool:
        """Say whether there may be something to be done now."""
        return self.job.wanted is Wanted.RUN and not self.exhausted and not self.ending

    def in_step(self, now: float) -> bool:
        """Say whether one worker must do what comes next: in order, or since it is not due yet. `now`: wall-clock seconds."""
        return self.serial or (self._origin is not None and self._origin + self._next_due_s > now)

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
        offset = segment.start - segment.planned.start
        return Pass(segment.planned, offset, segment.pass_number * seconds, self.aftermath.cut_short.get(segment.index))

    def restart_clock(self) -> None:
        """Let a paced job that stood still go on from where it is."""
        self._origin = None

    def beat(self, flight: Flight, beat: Beat, now: float) -> None:
        """Take in a worker's beat."""
        rows = histograms(beat.tallies)
        frames = 0 if flight.follows else beat.frames - flight.frames  # a frame that is followed was counted before
        self.speed.add(now, frames, gathered_since(rows, flight.rows))
        flight.frames, flight.rows = beat.frames, rows
        flight.counts = self.checkup.take_in(beat.tallies, flight.counts)

    def learn(self, row: StageBreakdown) -> None:
        """Take over what the stored breakdown says of a stage."""
        if row.plugin is not None:
            self.health.setdefault(row.stage, row.health)
            self.checkup.judged.setdefault(row.stage, row.health)
            self.over_budget[row.stage] = row.over_budget
            self.soft_failures[row.stage] = row.soft_failures
            if row.disabled:
                self.disabled.add(row.stage)
                self.health[row.stage] = row.health

    def may_lose_a_stage(self) -> bool:
        """Say whether a stage may soon be disabled: it fails more than half as often as it may at most."""
        running = (task.stage for task in self.stages if task.stage.id not in self.disabled)
        return any(self.checkup.failed_share(stage.id) > stage.policy.max_error_rate / 2 for stage in running)

    def out_of_stages(self) -> bool:
        """Say whether every stage is disabled."""
        return all(task.stage.id in self.disabled for task in self.stages)

    def decided(self, stage: str, decision: DeviceDecision) -> None:
        """Note where a worker runs a stage."""
        self.on_gpu[stage] = self.on_gpu.get(stage, False) or decision.used in ON_CUDA

    @property
    def gpu_stages(self) -> tuple[StageTask, ...]:
        """Stages that are not known to stay off the GPUs."""
        running = (task for task in self.stages if task.stage.id not in self.disabled)
        return tuple(task for task in running if self.on_gpu.get(task.stage.id, True))

    def lost_worker(self, worker: int) -> None:
        """Forget what a worker held that is gone."""
        self.state_at = None
        self.trail.lost_worker(worker)
        self.prepared_on.discard(worker)
        self.watched_on = None if self.watched_on == worker else self.watched_on

    def lost_state(self, flight: Flight) -> None:
        """Forget the state behind a segment that was not done."""
        if flight.follows:
            self.trail.state_at = None
        else:
            self.state_at = None

    def look_again(self) -> None:
        """Have segments claimed again: one may have come back, or have come in for its followers."""
        self.dry_until = 0.0
        self.trail.waiting = bool(self.trail.stages or self.trail.frames_behind)

    def finished(self, flight: Flight, seconds: float) -> None:
        """Note how long a segment took."""
        if flight.follows:
            self.trail.took(seconds)
        else:
            self.segment_s = seconds

    def leading(self) -> list[Flight]:
        """Flights on the frames themselves."""
        return [flight for flight in self.flights.values() if not flight.follows]

    def trailing(self) -> list[Flight]:
        """Flights of the followers."""
        return [flight for flight in self.flights.values() if flight.follows]

    def in_hand(self) -> list[Flight]:
        """Flights that workers are not done with."""
        return [flight for flight in self.flights.values() if not flight.landed]

    def earliest(self) -> Flight | None:
        """The flight nearest to the start that a worker is not done with: the one whose frames are shown."""
        return min(
            (flight for flight in self.in_hand() if not flight.follows), key=lambda flight: flight.segment.start, default=None
        )

    @property
    def told_percent(self) -> int | None:
        """Whole per cent that was told last; None while the length is unknown."""
        total = self.job.frames_total
        if total is None:
            return None
        return min(99, max(self.job.progress_told, self.told_progress * 100 // total if total else 0))

    def progress(self, *, full: bool = False) -> Progress:
        """How far the job is; never less than what was told before. A frame still to be followed counts for half."""
        job, total = self.job, self.job.frames_total
        flying = sum(flight.handled for flight in self.leading())
        if self.trail.stages:
            flying = (flying + self.trail.frames_behind) // 2
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
