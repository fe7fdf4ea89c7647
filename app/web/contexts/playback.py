"""Playing a job back: where one can go from the frame shown, and the moments worth a look as marks on the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.domain.job import Job, JobWarning, SoftFailureCode
from app.web.contexts.words import number, plural
from app.web.moments import Moment, MomentKind

SHOWN_MOMENTS: Final = 60
STILL_FPS: Final = 2.0  # for pictures, which have no speed of their own
_BINS: Final = 250
_PLURALS: Final = {
    MomentKind.FAILURE: ("soft failure", "soft failures"),
    MomentKind.WARNING: ("warning", "warnings"),
    MomentKind.CROSSING: ("crossing", "crossings"),
}
_FAILURES: Final = frozenset(code.value for code in SoftFailureCode)


class TimelineMark(NamedTuple):
    """Moments of one kind close together: their place, 0 to 1000, and their kind."""

    x: float
    kind: str


class MomentView(NamedTuple):
    """A moment as a line of the list."""

    frame: int
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class PlaybackView:
    """The player of a job. `live` says that the page shows new frames as they come, and cannot be moved about in.

    `stops` are frames with moments, one for each mark.
    """

    job_id: str
    live: bool
    running: bool
    shown: int
    last: int
    fps: float
    before: int | None
    after: int | None
    moment_before: int | None
    moment_after: int | None
    marks: tuple[TimelineMark, ...]
    stops: tuple[int, ...]
    counts: tuple[tuple[str, str], ...]
    moments: tuple[MomentView, ...]
    more: str


def view_playback(
    job: Job, shown: int, moments: Sequence[Moment], warnings: Sequence[JobWarning], *, live: bool
) -> PlaybackView | None:
    """Give the player; None for a job of one frame, and before the length of the source is known."""
    last = max(job.frames_total or 0, job.frames_done) - 1
    if last < 1:
        return None
    every = sorted({*moments, *_first_frames(warnings)})
    places = _places(every, last)
    frames = [moment.frame_index for moment in every]
    return PlaybackView(
        job_id=job.id,
        live=live,
        running=not job.status.ended,
        shown=shown,
        last=last,
        fps=(job.media.fps if job.media and job.media.fps else STILL_FPS),
        before=shown - 1 if shown > 0 else None,
        after=shown + 1 if shown < last else None,
        moment_before=max((frame for frame in frames if frame < shown), default=None),
        moment_after=min((frame for frame in frames if frame > shown), default=None),
        marks=tuple(TimelineMark(round(1000 * frame / last, 1), kind.value) for kind, frame in places),
        stops=tuple(sorted({frame for _, frame in places})),
        counts=_counts(every),
        moments=tuple(_line(moment) for moment in every[:SHOWN_MOMENTS]),
        more=f"and {number(len(every) - SHOWN_MOMENTS)} more" if len(every) > SHOWN_MOMENTS else "",
    )


def _first_frames(warnings: Sequence[JobWarning]) -> list[Moment]:
    """Give the first frame of each warning that is not about stages failing on frames: those are moments of their own."""
    return [
        Moment(warning.first_frame_index, MomentKind.WARNING, warning.stage or "", f"{warning.code}: {warning.message}")
        for warning in warnings
        if warning.first_frame_index is not None and warning.code not in _FAILURES
    ]


def _places(moments: Sequence[Moment], last: int) -> list[tuple[MomentKind, int]]:
    """Give the first frame of each kind in each part of the timeline that is as wide as a mark."""
    first = {(moment.frame_index * _BINS // (last + 1), moment.kind): moment.frame_index for moment in reversed(moments)}
    return [(kind, frame) for (_, kind), frame in sorted(first.items())]


def _counts(moments: Sequence[Moment]) -> tuple[tuple[str, str], ...]:
    found = [moment.kind for moment in moments]
    return tuple((kind.value, plural(found.count(kind), *_PLURALS[kind])) for kind in MomentKind if kind in found)


def _line(moment: Moment) -> MomentView:
    where = f"{moment.stage}: " if moment.stage else ""
    return MomentView(moment.frame_index, moment.kind.value, f"{where}{moment.words}")
