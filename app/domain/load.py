"""How fast stages are and how busy the machine is: the numbers that metrics and usage carry."""

import msgspec

from app.domain.health import Health


class LatencyMs(msgspec.Struct, frozen=True):
    """Latency of a whole frame, in milliseconds."""

    p50: float
    p95: float


class StageMetrics(msgspec.Struct, frozen=True):
    """Speed of one stage, over the last moments."""

    stage: str
    fps: float
    p50_ms: float
    p95_ms: float
    budget_ms: float | None
    over_budget: int
    soft_failures: int
    health: Health


class WorkerUsage(msgspec.Struct, frozen=True):
    """One worker process: what it is doing, for which job, and its resident memory."""

    id: int
    state: str
    job_id: str | None
    rss_mb: float


class GpuUsage(msgspec.Struct, frozen=True):
    """Load of one GPU; None for what it does not tell."""

    name: str
    utilisation_percent: float | None
    memory_used_mb: float | None
    memory_total_mb: float | None
