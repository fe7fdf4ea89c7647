"""Tells the feed how a running job does: progress, metrics and overlays, each at most so often."""

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import Final, Protocol

import msgspec

from app.domain.insight import Insight, Overlay
from app.domain.output import Output
from app.engine.executor import Executor
from app.engine.job_run import JobRun
from app.engine.messages import Picture, Watch

_PROGRESS_S: Final = 0.2
_decode_outputs = msgspec.json.Decoder(dict[str, Output]).decode


class Pictures(Protocol):
    """Where previews are kept for whoever asks for them by frame."""

    def put(self, job_id: str, frame_index: int, jpeg: bytes) -> None:
        """Keep a JPEG of a frame."""


class Teller:
    """Publishes latest-wins insights, overlays and metrics of a job at most so many a second.

    `is_watched(job_id)` says whether anybody looks at a job's overlays.
    """

    def __init__(
        self,
        publish: Callable[[Insight], None],
        is_watched: Callable[[str], bool],
        pictures: Pictures,
        overlays_per_s: float,
        metrics_per_s: float,
    ) -> None:
        self._publish, self._is_watched, self._pictures = publish, is_watched, pictures
        self._overlay_s, self._metrics_s = 1 / overlays_per_s, 1 / metrics_per_s
        self._told: dict[tuple[str, str], float] = {}

    def progress(self, run: JobRun, now: float, *, full: bool = False, force: bool = False) -> None:
        """Tell how far a job is."""
        if force or full or self._due("progress", run.job.id, now, _PROGRESS_S):
            self._publish(run.progress(full=full))

    def metrics(self, run: JobRun, now: float, queue_depth: int) -> None:
        """Tell how fast a job goes."""
        if self._due("metrics", run.job.id, now, self._metrics_s):
            self._publish(run.metrics(now, queue_depth))

    def picture(self, run: JobRun, worker: int, picture: Picture) -> None:
        """Show a frame, where it is the playhead's and newer than the last one shown."""
        earliest = run.earliest()
        if earliest is None or earliest.worker != worker or picture.frame_index <= run.last_overlay:
            return
        run.last_overlay, run.pictured_ns = picture.frame_index, perf_counter_ns()
        if run.trail.stages:
            run.album.keep(picture)
        else:
            self._show(run, picture)

    def turn_pages(self, run: JobRun, now: float) -> None:
        """Show the next picture whose followers have been there, at the pace they were taken."""
        if self._due("overlay", run.job.id, now, self._overlay_s) and (picture := run.album.next()) is not None:
            self._show(run, picture)

    def close_album(self, run: JobRun) -> None:
        """Show the last picture of a job whose stages are done."""
        if (picture := run.album.last()) is not None:
            self._show(run, picture)

    def _show(self, run: JobRun, picture: Picture) -> None:
        self._pictures.put(run.job.id, picture.frame_index, picture.jpeg)
        self._publish(
            Overlay(
                at=datetime.now(UTC), job_id=run.job.id, frame_index=picture.frame_index, t_s=picture.t_s,
                width=picture.width, height=picture.height,
                image_url=f"/v1/jobs/{run.job.id}/frames/{picture.frame_index}.jpg",
                outputs=_decode_outputs(picture.outputs), delay_ms=round((perf_counter_ns() - picture.decoded_ns) / 1e6, 1),
            )
        )  # fmt: skip

    def aim(self, run: JobRun, executor: Executor) -> None:
        """Have pictures made by the worker on the earliest segment, and by nobody while nobody watches."""
        earliest = run.earliest()
        wanted = earliest.worker if earliest is not None and self._is_watched(run.job.id) else None
        if wanted == run.watched_on:
            return
        if run.watched_on is not None:
            executor.order(run.watched_on, Watch(run.job.id, 0.0))
        if wanted is not None:
            begin_ns = run.pictured_ns + round(self._overlay_s * 1e9)  # the rate holds for the job, whoever pictures it
            executor.order(wanted, Watch(run.job.id, self._overlay_s, begin_ns=begin_ns))
        run.watched_on = wanted

    def forget(self, job_id: str) -> None:
        """Let go of an ended job."""
        self._told = {key: at for key, at in self._told.items() if key[1] != job_id}

    def _due(self, what: str, job_id: str, now: float, every_s: float) -> bool:
        if now - self._told.get((what, job_id), 0.0) < every_s:
            return False
        self._told[what, job_id] = now
        return True
