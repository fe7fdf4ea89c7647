"""The feed's messages: one typed union. Each class says how it is delivered, what replaces it, and has an example."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

import msgspec

from app.domain.device import EXAMPLE_DECISION, DeviceAttempt, FallbackCode, Target
from app.domain.health import Health
from app.domain.job import JobStatus
from app.domain.load import GpuUsage, LatencyMs, StageMetrics, WorkerUsage
from app.domain.output import EXAMPLES, Output


class Delivery(StrEnum):
    """How an insight reaches its subscribers."""

    FACT = "fact"  # stored, numbered by the database, never dropped
    LATEST = "latest"  # the newest of its key replaces what was not sent yet
    CONTROL = "control"  # about the connection itself


class Insight(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Fields every insight has; `snapshot` marks what was true before the connection was made."""

    type: ClassVar[str]
    delivery: ClassVar[Delivery]

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    job_id: str | None = None
    snapshot: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        """What a newer insight replaces: the one of the same type and job."""
        return self.type, self.job_id


class Status(Insight, frozen=True, kw_only=True):
    """A job moved from one status to another."""

    type = "status"
    delivery = Delivery.FACT

    job_id: str
    status: JobStatus
    previous: JobStatus | None
    reason: str | None


class Device(Insight, frozen=True, kw_only=True):
    """A stage's device was decided: what was asked for, what was tried, what really runs."""

    type = "device"
    delivery = Delivery.FACT

    job_id: str
    stage: str
    requested: str
    used: Target | None
    fallback: bool
    code: FallbackCode | None
    reason: str
    attempts: tuple[DeviceAttempt, ...]


class HealthChange(Insight, frozen=True, kw_only=True):
    """A stage's health changed."""

    type = "health"
    delivery = Delivery.FACT

    job_id: str
    plugin: str
    stage: str
    health: Health
    previous: Health | None
    reason: str


class Warned(Insight, frozen=True, kw_only=True):
    """Something a person should know; told at counts 1, 10, 100, … and at the end."""

    type = "warning"
    delivery = Delivery.FACT

    job_id: str
    code: str
    stage: str | None
    frame_index: int | None
    message: str
    count: int


class Progress(Insight, frozen=True, kw_only=True):
    """How far a job is; `progress` is whole per cent, null while the length is unknown."""

    type = "progress"
    delivery = Delivery.LATEST

    job_id: str
    progress: int | None
    frames_done: int
    frames_total: int | None
    elapsed_s: float
    eta_s: float | None


class Metrics(Insight, frozen=True, kw_only=True):
    """A job's speed over the last moments."""

    type = "metrics"
    delivery = Delivery.LATEST

    job_id: str
    fps: float
    latency_ms: LatencyMs
    stages: tuple[StageMetrics, ...]
    workers: int
    queue_depth: int


class Overlay(Insight, frozen=True, kw_only=True):
    """What the stages found on one frame, and where its picture is; `delay_ms` is the time from decoding to telling."""

    type = "overlay"
    delivery = Delivery.LATEST

    job_id: str
    frame_index: int
    t_s: float | None
    width: int
    height: int
    image_url: str
    outputs: dict[str, Output]
    delay_ms: float


class Usage(Insight, frozen=True, kw_only=True):
    """Load of this machine."""

    type = "usage"
    delivery = Delivery.LATEST

    cpu_percent: float
    memory_mb: float
    workers: tuple[WorkerUsage, ...]
    gpus: tuple[GpuUsage, ...]


class Hello(Insight, frozen=True, kw_only=True):
    """First message of a connection: the newest and oldest fact, where it resumed, and whether facts were lost on the way."""

    type = "hello"
    delivery = Delivery.CONTROL

    head: int
    oldest: int | None
    resumed_from: int | None
    gap: bool


class Gap(Insight, frozen=True, kw_only=True):
    """Facts this subscriber did not get; a snapshot follows. JSON names: `from`, `to`."""

    type = "gap"
    delivery = Delivery.CONTROL

    from_: int = msgspec.field(name="from")
    to: int
    count: int
    reason: str


class Close(Insight, frozen=True, kw_only=True):
    """Last message of a connection."""

    type = "close"
    delivery = Delivery.CONTROL

    reason: str


AnyInsight = Status | Device | HealthChange | Warned | Progress | Metrics | Overlay | Usage | Hello | Gap | Close
INSIGHT_TYPES: Final[tuple[type[Insight], ...]] = (
    Status, Device, HealthChange, Warned, Progress, Metrics, Overlay, Usage, Hello, Gap, Close,
)  # fmt: skip
BY_TYPE: Final = {kind.type: kind for kind in INSIGHT_TYPES}
FACT_TYPES: Final = frozenset(kind.type for kind in INSIGHT_TYPES if kind.delivery is Delivery.FACT)
LATEST_TYPES: Final = frozenset(kind.type for kind in INSIGHT_TYPES if kind.delivery is Delivery.LATEST)
FILTERABLE_TYPES: Final = FACT_TYPES | LATEST_TYPES

_AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
_JOB: Final[dict[str, Any]] = {"at": _AT, "job_id": "019b7d2f4a6e3c51"}
INSIGHT_EXAMPLES: Final[dict[str, Insight]] = {
    "status": Status(**_JOB, status=JobStatus.RUNNING, previous=JobStatus.QUEUED, reason=None),
    "device": Device(
        **_JOB, stage="shapes_dnn", requested=EXAMPLE_DECISION.requested, used=EXAMPLE_DECISION.used,
        fallback=EXAMPLE_DECISION.fallback, code=EXAMPLE_DECISION.code, reason=EXAMPLE_DECISION.reason,
        attempts=EXAMPLE_DECISION.attempts,
    ),
    "health": HealthChange(
        **_JOB, plugin="people_hog", stage="people_hog", health=Health.DEGRADED, previous=Health.OK,
        reason="p95 is 312.4 ms, over the budget of 150 ms.",
    ),
    "warning": Warned(
        **_JOB, code="exception", stage="people_hog", frame_index=120, message="ValueError: no contour", count=10
    ),
    "progress": Progress(**_JOB, progress=42, frames_done=334, frames_total=795, elapsed_s=12.4, eta_s=17.1),
    "metrics": Metrics(
        **_JOB, fps=26.9, latency_ms=LatencyMs(70.1, 88.0), workers=2, queue_depth=7,
        stages=(StageMetrics("people_hog", 26.9, 68.2, 84.5, 150.0, 0, 0, Health.OK),),
    ),
    "overlay": Overlay(
        **_JOB, frame_index=334, t_s=33.4, width=768, height=576, image_url="/v1/jobs/019b7d2f4a6e3c51/frames/334.jpg",
        outputs={"people_hog": EXAMPLES["detections"]}, delay_ms=81.3,
    ),
    "usage": Usage(
        at=_AT, cpu_percent=87.5, memory_mb=412.0,
        workers=(WorkerUsage(1, "busy", "019b7d2f4a6e3c51", 181.0), WorkerUsage(2, "idle", None, 85.2)),
        gpus=(GpuUsage("NVIDIA L4", 41.0, 1220.0, 23034.0),),
    ),
    "hello": Hello(at=_AT, head=1041, oldest=1, resumed_from=None, gap=False),
    "gap": Gap(at=_AT, from_=12, to=40, count=29, reason="evicted"),
    "close": Close(at=_AT, reason="completed"),
}  # fmt: skip
