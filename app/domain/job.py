"""Jobs: their status and its moves, their segments, where their time went, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.media import MediaInfo, PlannedSegment, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline
from app.domain.timing import Histogram


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    COMPLETED_WITH_WARNINGS = "completed_with_warnings"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Say whether nothing more happens to the job unless somebody asks."""
        return self in ENDED

    @property
    def succeeded(self) -> bool:
        """Say whether the job came to its end with a result."""
        return self in SUCCEEDED


_S = JobStatus
SUCCEEDED: Final = frozenset({_S.COMPLETED, _S.COMPLETED_WITH_WARNINGS})
ENDED: Final = SUCCEEDED | {_S.FAILED, _S.CANCELLED}
MOVES: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.PAUSED, _S.FINALIZING, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.QUEUED, _S.PAUSED, _S.FINALIZING, _S.FAILED, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.FINALIZING, _S.FAILED, _S.CANCELLED}),
    _S.FINALIZING: frozenset({_S.COMPLETED, _S.COMPLETED_WITH_WARNINGS, _S.FAILED, _S.CANCELLED}),
    _S.COMPLETED: frozenset(),
    _S.COMPLETED_WITH_WARNINGS: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset({_S.QUEUED}),
}


class Wanted(StrEnum):
    """What a person wants of a job; the dispatcher brings it about."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


class Pace(StrEnum):
    """How fast a source is read: as fast as it goes, or at its own speed."""

    MAX = "max"
    REALTIME = "realtime"


class SegmentState(StrEnum):
    """Where a segment stands; one in somebody's hands whose lease ran out may be claimed again.

    Where stages follow, a segment whose other stages have run awaits them, and is committed when they have gone over it.
    """

    PENDING = "pending"
    LEASED = "leased"
    AWAITING = "awaiting"
    FOLLOWING = "following"
    COMMITTED = "committed"


class SoftFailureCode(StrEnum):
    """Why a stage gave nothing on a frame."""

    EXCEPTION = "exception"
    BAD_OUTPUT = "bad_output"
    TIMEOUT = "timeout"
    CRASH = "crash"
    MEMORY = "memory"


class WarningCode(StrEnum):
    """Codes of warnings beside those of soft failures."""

    FRAMES_LOST = "frames_lost"
    PICTURES_DOUBTFUL = "pictures_doubtful"
    PREPARE_FAILED = "prepare_failed"
    STAGE_DISABLED = "stage_disabled"
    SKIPPED = "skipped"  # a stage was not run where one that it needs failed
    FINALIZE_FAILED = "finalize_failed"
    APPROXIMATE_RESUME = "approximate_resume"
    WORKER_LOST = "worker_lost"
    STOPPED_EARLY = "stopped_early"
    FRAMES_DROPPED = "frames_dropped"  # of a live source, since the stages are slower
    SOURCE_LOST = "source_lost"
    RECONNECTED = "reconnected"
    SOURCE_GONE = "source_gone"  # it was lost and did not come back


@dataclass(frozen=True, slots=True)
class Job:
    """A pipeline on a source, as it is stored and shown.

    `frames_done` counts frames handled (done, skipped or undecodable); `progress` is whole per cent, None while the length
    is unknown. A stored job's plan holds no segments: they are rows of their own. `runner` names the process that alone
    may run the job. `progress_told` is the most per cent anybody was told, frames of segments in flight counted.
    `versions` are those of the software the job was submitted to.
    """

    id: str
    name: str
    tags: tuple[str, ...]
    status: JobStatus
    wanted: Wanted
    priority: int
    pace: Pace
    loop: int
    source: SourceRef
    plan: SourcePlan | None
    pipeline: Pipeline
    device_requested: str
    strict_device: bool
    frames_total: int | None
    frames_done: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    runner: str | None = None
    progress_told: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def progress(self) -> int | None:
        """Whole per cent of frames handled: never less than was told before, 100 only when the job succeeded."""
        if self.status.succeeded:
            return 100
        if self.frames_total is None:
            return None
        committed = self.frames_done * 100 // self.frames_total if self.frames_total else 0
        return min(99, max(committed, self.progress_told))

    @property
    def media(self) -> MediaInfo | None:
        """Measured facts of the source, once they are known."""
        return self.plan.media if self.plan else None


class RowsPlace(NamedTuple):
    """Where rows lie: `size` bytes of a file from byte `start` on; all from there on where `size` is None."""

    file: str
    start: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames `[start, end)` of a job, the unit of claim, commit and retry. `term` grows with each claim.

    `planned` is its place in one pass over the source; `pass_number` counts the passes of a looped job from 0. `rows` is
    where its rows lie in the job's folder, once there are any.
    """

    job_id: str
    index: int
    start: int
    end: int
    pass_number: int
    planned: PlannedSegment
    state: SegmentState = SegmentState.PENDING
    term: int = 0
    rows: RowsPlace | None = None


@dataclass(slots=True)
class StageBreakdown:
    """Where a job's time went for one stage, or for one of the rows beside the stages (`plugin` is None there).

    Durations are per frame in `timing`; `over_budget` counts frames slower than `budget_ms`.
    """

    stage: str
    plugin: str | None = None
    version: str | None = None
    device: DeviceDecision | None = None
    frames: int = 0
    soft_failures: int = 0
    timing: Histogram = field(default_factory=Histogram)
    budget_ms: float | None = None
    over_budget: int = 0
    health: Health = Health.OK
    health_reason: str = ""
    disabled: bool = False
    summary: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class JobWarning:
    """Something a person should know about a job, counted; `detail` keeps the first traceback."""

    code: str
    stage: str | None
    message: str
    count: int
    first_frame_index: int | None
    last_frame_index: int | None
    first_at: datetime
    last_at: datetime
    detail: str | None = None
