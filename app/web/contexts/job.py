"""A job as its pages show it: status, what can be done with it, where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.domain.insight import Status
from app.domain.job import Job, JobStatus, Pace, Wanted
from app.domain.media import SourceKind
from app.web.contexts.progress import ProgressView, progress_of_job
from app.web.contexts.words import STATUS_SIGNS, Sign, ago, moment, seconds, size

KIND_ICONS: Final = {
    SourceKind.IMAGE: "image",
    SourceKind.FOLDER: "folder",
    SourceKind.VIDEO: "film",
    SourceKind.STREAM: "video",
}


@dataclass(frozen=True, slots=True)
class StatusView:
    """Where a job stands, as a sign with its reason (empty where there is nothing to explain)."""

    job_id: str
    status: JobStatus
    sign: Sign
    reason: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class ActionView:
    """A button of the job page; it is always there, and shown where it applies."""

    control: str
    verb: str
    label: str
    icon: str
    url: str
    shown: bool
    tone: str = ""


@dataclass(frozen=True, slots=True)
class FactView:
    """A named fact of a job: source, size, times."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in a list."""

    id: str
    name: str
    url: str
    picture: str
    icon: str
    status: StatusView
    progress: ProgressView
    plugins: tuple[str, ...]
    tags: tuple[str, ...]
    created: str
    created_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class JobView:
    """What stands at the head of a job's page."""

    id: str
    name: str
    tags: tuple[str, ...]
    ended: bool
    status: StatusView
    actions: tuple[ActionView, ...]
    progress: ProgressView
    facts: tuple[FactView, ...]
    error: str


def view_job(job: Job, now: datetime | None = None, queue_position: int | None = None) -> JobView:
    """Give the head of a job's page."""
    return JobView(
        id=job.id,
        name=job.name or job.source.name,
        tags=job.tags,
        ended=job.status.ended,
        status=view_status(job, queue_position),
        actions=view_actions(job.id, job.status, job.wanted, frames_done=job.frames_done),
        progress=progress_of_job(job, now, estimate=True),
        facts=tuple(_facts(job)),
        error=job.error or "",
    )


def view_row(job: Job, now: datetime | None = None) -> JobRow:
    """Give a job as a row of a list."""
    return JobRow(
        id=job.id,
        name=job.name or job.source.name,
        url=f"/jobs/{job.id}",
        picture=f"/v1/jobs/{job.id}/thumbnail.jpg",
        icon=KIND_ICONS[job.source.kind],
        status=view_status(job),
        progress=progress_of_job(job, now),
        plugins=tuple(dict.fromkeys(stage.plugin for stage in job.pipeline.stages)),
        tags=job.tags,
        created=ago(job.created_at, now),
        created_at=job.created_at,
        source=describe_source(job),
    )


def view_status(job: Job, queue_position: int | None = None) -> StatusView:
    """Give the status of a stored job, with what is being brought about."""
    return StatusView(
        job.id, job.status, STATUS_SIGNS[job.status], _reason(job, queue_position), _next_step(job.status, job.frames_done)
    )


def status_of(insight: Status) -> StatusView:
    """Give the status an insight tells of."""
    return StatusView(
        insight.job_id, insight.status, STATUS_SIGNS[insight.status], insight.reason or "", _next_step(insight.status, 1)
    )


def _reason(job: Job, queue_position: int | None) -> str:
    coming = {Wanted.CANCEL: "Cancelling…", Wanted.PAUSE: "Pausing after the frames in hand…", Wanted.STOP: "Stopping…"}
    if not job.status.ended and job.status is not JobStatus.PAUSED and job.wanted in coming:
        return coming[job.wanted]
    if job.status is JobStatus.QUEUED and queue_position:
        return "Next in the queue." if queue_position == 1 else f"Number {queue_position} in the queue."
    return job.error or ""


def _next_step(status: JobStatus, frames_done: int) -> str:
    if status is JobStatus.FAILED:
        return "Read the warnings below for the cause, then retry: what was committed is kept."
    if status is JobStatus.CANCELLED and frames_done:
        return "What was done before is kept; retry goes on from there."
    return ""


def view_actions(
    job_id: str, status: JobStatus, wanted: Wanted = Wanted.RUN, *, frames_done: int = 1
) -> tuple[ActionView, ...]:
    """Give every button of a job, each saying whether it applies now."""
    working = status in {JobStatus.QUEUED, JobStatus.RUNNING}
    pausing = working and wanted is Wanted.PAUSE
    cancelling = wanted is Wanted.CANCEL
    rules = (
        ("pause", "Pause", "pause", "", working and not pausing and not cancelling),
        ("resume", "Resume", "play", "accent", status is JobStatus.PAUSED or pausing),
        ("stop", "Finish now", "flag", "", working and bool(frames_done) and wanted is Wanted.RUN),
        ("cancel", "Cancel", "ban", "bad", not status.ended and not cancelling),
        ("again", "Run again", "repeat", "", True),
        ("retry", "Retry", "rotate-ccw", "accent", status in {JobStatus.FAILED, JobStatus.CANCELLED}),
    )
    return tuple(
        ActionView(f"{verb}-job", verb, label, icon, f"/jobs/{job_id}/{verb}", shown, tone)
        for verb, label, icon, tone, shown in rules
    )


def describe_source(job: Job) -> str:
    """Say in a few words what a job's source is."""
    media = job.media
    words = [job.source.kind.value]
    if media:
        words.append(f"{media.width} × {media.height}")
        if media.fps and job.source.kind is SourceKind.VIDEO:
            words.append(f"{media.fps:g} fps" if media.fps == int(media.fps) else f"{media.fps:.2f} fps")
        if media.duration_s and job.source.kind is SourceKind.VIDEO:
            words.append(seconds(media.duration_s))
    return " · ".join(words)


def _facts(job: Job) -> Sequence[FactView]:
    media = job.media
    facts = [("Source", job.source.name), ("Kind", describe_source(job))]
    if media:
        facts.append(("Encoding", " in ".join(filter(None, (media.codec, media.container)))))
    if job.source.size_bytes is not None:
        facts.append(("File size", size(job.source.size_bytes)))
    facts.append(("Device asked for", job.device_requested + (", nothing else" if job.strict_device else "")))
    if job.loop > 1 or job.pace is Pace.REALTIME:
        pace = "at its own speed" if job.pace is Pace.REALTIME else "as fast as it goes"
        facts.append(("Read", pace if job.loop == 1 else f"{pace}, {job.loop} times over"))
    times = (("Created", job.created_at), ("Started", job.started_at), ("Finished", job.finished_at))
    facts += [(name, moment(at)) for name, at in times if at]
    facts.append(("Job id", job.id))
    return [FactView(name, value) for name, value in facts if value]
