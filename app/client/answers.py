"""What the API answers, typed: a field that a newer server adds is left out, one that is missing is an error."""

from datetime import datetime
from typing import Any

import msgspec

from app.domain.device import DeviceDecision
from app.domain.health import Health
from app.domain.job import JobStatus, JobWarning
from app.domain.media import SourceKind
from app.domain.output import Output


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job's frames come from, with its measured facts; None where unknown. An upload has no path."""

    kind: SourceKind
    name: str
    path: str | None
    url: str | None
    sha256: str | None
    size_bytes: int | None
    width: int | None
    height: int | None
    fps: float | None
    duration_s: float | None
    frames: int | None
    codec: str | None
    rotation: int | None


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job's time went for one stage, or for one of the rows beside the stages (`plugin` is None there)."""

    stage: str
    plugin: str | None
    version: str | None
    device: DeviceDecision | None
    frames: int
    soft_failures: int
    total_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    budget_ms: float | None
    over_budget: int
    health: Health
    health_reason: str
    summary: dict[str, Any] | None


class Queue(msgspec.Struct, frozen=True):
    """Where a queued job stands: 1 is next."""

    position: int
    reason: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the API shows it; `progress` is whole per cent, None while the length is unknown."""

    id: str
    name: str
    tags: tuple[str, ...]
    status: JobStatus
    progress: int | None
    frames_done: int
    frames_total: int | None
    source: Source
    pipeline: dict[str, Any]
    device_requested: str
    device_used: str | None
    fallback: bool
    fallback_reasons: tuple[str, ...]
    breakdown: tuple[Breakdown, ...]
    warnings: tuple[JobWarning, ...]
    queue: Queue | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None


class JobPage(msgspec.Struct, frozen=True):
    """A page of jobs, newest first; `next_cursor` asks for the next page, None on the last."""

    items: tuple[Job, ...]
    next_cursor: str | None


class FrameError(msgspec.Struct, frozen=True):
    """Why a stage gave nothing on a frame."""

    stage: str
    code: str
    message: str


class FrameRow(msgspec.Struct, frozen=True):
    """What a job's stages gave for one frame; `t_s` is the frame's media time in seconds."""

    frame_index: int
    t_s: float | None
    outputs: dict[str, Output]
    errors: tuple[FrameError, ...]
