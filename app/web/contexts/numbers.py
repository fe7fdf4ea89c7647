"""A job's numbers in tiles: of the last moments while it runs, of the whole once it has ended."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.domain.insight import Metrics
from app.domain.job import Job
from app.store.spans import Span
from app.web.contexts.curve import NO_CURVE, CurveView, latencies_of, speeds_of, speeds_over_source
from app.web.contexts.words import milliseconds, number, plural, seconds


class NumberView(NamedTuple):
    """A number with its name, and how it has gone where that is drawn."""

    name: str
    value: str
    curve: CurveView | None = None


NOT_YET: Final = (
    NumberView("Speed", "–", NO_CURVE),
    NumberView("Frame, p95", "–", NO_CURVE),
    NumberView("Frame, p50", "–"),
    NumberView("Working", "–"),
    NumberView("Waiting", "–"),
)


def metric_numbers(insight: Metrics, trend: Sequence[Metrics] = ()) -> tuple[NumberView, ...]:
    """Give the numbers of the last moments; `trend` holds the metrics before and these, oldest first."""
    return (
        NumberView("Speed", f"{number(round(insight.fps, 1))} fps", speeds_of(trend)),
        NumberView("Frame, p95", milliseconds(insight.latency_ms.p95), latencies_of(trend)),
        NumberView("Frame, p50", milliseconds(insight.latency_ms.p50)),
        NumberView("Working", plural(insight.workers, "worker")),
        NumberView("Waiting", plural(insight.queue_depth, "segment")),
    )


def numbers_of_job(job: Job, spans: Sequence[Span], trend: Sequence[Metrics]) -> tuple[NumberView, ...]:
    """Give the numbers a job's page opens with, in as many tiles as the live ones."""
    if not job.status.ended:
        return metric_numbers(trend[-1], trend) if trend else NOT_YET
    done = [span for span in spans if span.committed and span.frames and span.loop_ms]
    frames, worked_ms = sum(span.frames or 0 for span in done), sum(span.loop_ms or 0.0 for span in done)
    took = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else None
    speed = f"{number(round(job.frames_done / took, 1))} fps" if took and job.frames_done else "–"
    by_worker = f"{number(round(1000 * frames / worked_ms, 1))} fps" if worked_ms else "–"
    return (
        NumberView("Speed, over all", speed),
        NumberView("A worker's speed over the source", by_worker, speeds_over_source(done)),
        NumberView("Took", seconds(took)),
        NumberView("Frames done", number(job.frames_done)),
        NumberView("Segments done", f"{number(len(done))} of {number(len(spans))}"),
    )
