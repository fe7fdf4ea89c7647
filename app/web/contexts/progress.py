"""How far a job is, as its pages show it: per cent, frames, time gone and time left."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.domain.insight import Progress
from app.domain.job import Job, JobStatus
from app.web.contexts.words import STATUS_SIGNS, number, plural, seconds


@dataclass(frozen=True, slots=True)
class ProgressView:
    """How far a job is. `fill` is 0 to 100; `percent` None says that the length is unknown."""

    job_id: str
    percent: int | None
    fill: int
    text: str
    frames: str
    elapsed: str
    eta: str
    tone: str
    moving: bool


def progress_of_job(job: Job, now: datetime | None = None, *, estimate: bool = False) -> ProgressView:
    """Give the progress of a stored job, on request with an estimate of what is left."""
    elapsed = None
    if job.started_at:
        until = job.finished_at or now or datetime.now(UTC)
        elapsed = max(0.0, (until - job.started_at).total_seconds())
    return ProgressView(
        job_id=job.id,
        tone=STATUS_SIGNS[job.status].tone,
        moving=job.status in {JobStatus.RUNNING, JobStatus.FINALIZING},
        **_how_far(job.progress, job.frames_done, job.frames_total),
        elapsed="" if elapsed is None else f"{seconds(elapsed)} {'after the start' if not job.finished_at else 'in all'}",
        eta=_left(job, elapsed) if estimate else "",
    )


def _left(job: Job, elapsed_s: float | None) -> str:
    """Estimate what is left of a running job from how far it came; empty where nothing can be said."""
    if job.status is not JobStatus.RUNNING or not elapsed_s or not job.frames_done or job.frames_total is None:
        return ""
    return f"about {seconds(elapsed_s * (job.frames_total - job.frames_done) / job.frames_done)} left"


def progress_of(insight: Progress) -> ProgressView:
    """Give the progress an insight tells of."""
    all_done = insight.frames_total is not None and insight.frames_done >= insight.frames_total
    return ProgressView(
        job_id=insight.job_id,
        tone="accent",
        moving=True,
        **_how_far(insight.progress, insight.frames_done, insight.frames_total),
        elapsed=f"{seconds(insight.elapsed_s)} elapsed",
        eta="" if insight.eta_s is None or all_done else f"about {seconds(insight.eta_s)} left",
    )


def _how_far(percent: int | None, done: int, total: int | None) -> dict[str, Any]:
    frames = f"{number(done)} of {plural(total, 'frame')}" if total is not None else f"{plural(done, 'frame')} so far"
    text = f"{percent} %, {frames}" if percent is not None else f"{frames}; the length is unknown"
    return {"percent": percent, "fill": percent or 0, "text": text, "frames": frames}
