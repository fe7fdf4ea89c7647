"""Two jobs as the comparison page shows them: a line for each thing worth comparing, and where their frames differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.difference import Difference
from app.domain.job import Job
from app.web.comparison import Comparison, StageComparison
from app.web.contexts.job import describe_source
from app.web.contexts.words import milliseconds, number, plural, seconds
from app.web.schemas import BreakdownDocument, JobDocument


@dataclass(frozen=True, slots=True)
class PairRow:
    """One thing of both jobs; `differs` says that a person should look, `change` says by how much in words."""

    name: str
    first: str
    second: str
    differs: bool
    change: str = ""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """How often each job found a label."""

    stage: str
    label: str
    first: str
    second: str
    differs: bool


@dataclass(frozen=True, slots=True)
class FrameDifferenceView:
    """A frame that differs, and how, in words."""

    index: int
    words: str


@dataclass(frozen=True, slots=True)
class Bin:
    """A part of the video on the strip: its place and height, both 0 to 100."""

    x: float
    height: float


_LABELS_SHOWN: Final = 12
_RARE: Final = ("prepare", "preview", "finalize")  # not done for every frame, so their percentiles compare nothing
_GOOD: Final = 0.05  # times within a twentieth of each other count as alike


def view_pair(first: tuple[Job, JobDocument], second: tuple[Job, JobDocument]) -> tuple[PairRow, ...]:
    """Give the lines about the jobs as wholes."""
    (job, told), (other_job, other) = first, second

    def row(name: str, words: Callable[[Job, JobDocument], str]) -> PairRow:
        one, two = words(job, told), words(other_job, other)
        return PairRow(name, one, two, one != two)

    elapsed, other_elapsed = _elapsed_ms(job), _elapsed_ms(other_job)
    return (
        row("Status", lambda _, d: d.status.value.replace("_", " ")),
        row("Source", lambda j, _: j.source.name),
        row("Kind", lambda j, _: describe_source(j)),
        row("Frames done", lambda j, _: number(j.frames_done)),
        row("Plugins", lambda _, d: ", ".join(f"{r.plugin} {r.version}" for r in d.breakdown if r.plugin)),
        row("Device asked for", lambda _, d: d.device_requested),
        row("Device used", lambda _, d: d.device_used or "–"),
        row("Warnings", lambda _, d: number(sum(w.count for w in d.warnings))),
        _timed("Took", elapsed, other_elapsed, lambda ms: seconds(ms / 1000)),
        _timed("Frames a second", _speed(job, elapsed), _speed(other_job, other_elapsed), lambda v: f"{v:.1f}"),
    )


def view_times(first: JobDocument, second: JobDocument) -> tuple[PairRow, ...]:
    """Give p50 and p95 of what both jobs did to every frame."""
    others = {row.stage: row for row in second.breakdown}
    rows: list[PairRow] = []
    for row in first.breakdown:
        other = others.get(row.stage)
        if other is not None and row.stage not in _RARE and row.frames and other.frames:
            rows += _stage_times(row, other)
    return tuple(rows)


def view_labels(found: Comparison) -> tuple[LabelRow, ...]:
    """Give the labels each stage found, the most frequent first."""
    rows = []
    for stage in found.stages.values():
        both = stage.first_labels + stage.second_labels
        for label, _ in both.most_common(_LABELS_SHOWN):
            one, two = stage.first_labels[label], stage.second_labels[label]
            rows.append(LabelRow(stage.stage, label, number(one), number(two), one != two))
    return tuple(rows)


def view_frames(found: Comparison) -> tuple[FrameDifferenceView, ...]:
    """Give the frames that differ, with words."""
    return tuple(FrameDifferenceView(index, _differences(told)) for index, told in found.differing)


def view_strip(found: Comparison) -> tuple[Bin, ...]:
    """Give where in the video frames differ; the fullest part is 100 high."""
    most = max(found.bins) or 1
    width = 100 / len(found.bins)
    return tuple(Bin(round(i * width, 2), round(100 * n / most, 1)) for i, n in enumerate(found.bins) if n)


def verdict(found: Comparison) -> tuple[str, str]:
    """Say what came of the comparison: a tone and a sentence."""
    if not found.both:
        return "warn", "These jobs have no frame in common, so there is nothing to compare."
    if not found.frames:
        return "ok", f"The jobs found the same on {'each of ' if found.both > 1 else ''}{plural(found.both, 'frame')}."
    share = 100 * found.frames / found.both
    shown = f"{share:.0f} %" if share >= 1 else "<1 %"
    stages = ", ".join(stage.stage for stage in found.stages.values() if stage.frames)
    return "warn", f"{plural(found.frames, 'frame')} of {number(found.both)} differ ({shown}), in {stages}."


def stage_words(stage: StageComparison) -> str:
    """Say what differs in a stage over the whole video."""
    if not stage.frames:
        return "the same on every frame"
    return f"{plural(stage.frames, 'frame')}: {_words(Difference(stage.only_first, stage.only_second, stage.changed))}"


def _differences(told: dict[str, Difference]) -> str:
    if len(told) == 1:
        return _words(next(iter(told.values())))
    return "; ".join(f"{stage}: {_words(apart)}" for stage, apart in told.items())


def _words(apart: Difference) -> str:
    parts = (
        (apart.only_first, "only in the first"),
        (apart.only_second, "only in the second"),
        (apart.changed, "changed"),
    )
    return ", ".join(f"{number(count)} {word}" for count, word in parts if count)


def _stage_times(row: BreakdownDocument, other: BreakdownDocument) -> Sequence[PairRow]:
    return [
        _timed(f"{row.stage}, p50", row.p50_ms, other.p50_ms, milliseconds),
        _timed(f"{row.stage}, p95", row.p95_ms, other.p95_ms, milliseconds),
    ]


def _timed(name: str, first: float | None, second: float | None, words: Callable[[float], str]) -> PairRow:
    if first is None or second is None:
        return PairRow(name, "–" if first is None else words(first), "–" if second is None else words(second), differs=False)
    ratio = second / first if first else 1.0
    alike = abs(ratio - 1) <= _GOOD
    return PairRow(name, words(first), words(second), not alike, "about the same" if alike else f"× {ratio:.2f}")


def _elapsed_ms(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds() * 1000


def _speed(job: Job, elapsed_ms: float | None) -> float | None:
    return job.frames_done / elapsed_ms * 1000 if elapsed_ms else None
