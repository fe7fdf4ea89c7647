"""Two jobs side by side: which frames differ, in which stage, and what each job found by label."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from app.domain.difference import Difference, difference, labels
from app.domain.job import Job
from app.web.parts import Parts
from app.web.stored_rows import FrameRow, lines_of, read_row

TOLD_FRAMES: Final = 200
BINS: Final = 100


@dataclass(slots=True)
class StageComparison:
    """One stage of both jobs: frames on which it differs, findings told apart, and labels counted in each job."""

    stage: str
    frames: int = 0
    only_first: int = 0
    only_second: int = 0
    changed: int = 0
    first_labels: Counter[str] = field(default_factory=Counter)
    second_labels: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Comparison:
    """What differs between two jobs; `differing` holds the first frames that do, `bins` counts all of them by their place."""

    stages: dict[str, StageComparison]
    both: int = 0
    only_first: int = 0
    only_second: int = 0
    frames: int = 0
    differing: list[tuple[int, dict[str, Difference]]] = field(default_factory=list)
    bins: list[int] = field(default_factory=lambda: [0] * BINS)


def compare_jobs(parts: Parts, first: Job, second: Job) -> Comparison:
    """Read the rows of both jobs once, side by side; memory stays flat. Blocks: call it in a thread."""
    stages = dict.fromkeys((*first.pipeline.ids, *second.pipeline.ids))
    found = Comparison({stage: StageComparison(stage) for stage in stages})
    longest = max(job.frames_total or job.frames_done for job in (first, second)) or 1
    for one, other in _side_by_side(_rows(parts, first), _rows(parts, second)):
        _count(found, one, other)
        if one is None or other is None:
            found.only_first += other is None
            found.only_second += one is None
            continue
        found.both += 1
        told = {stage: apart for stage in stages if (apart := difference(one.outputs.get(stage), other.outputs.get(stage)))}
        if told:
            _tell(found, one.frame_index, told, longest)
    return found


def _count(found: Comparison, one: FrameRow | None, other: FrameRow | None) -> None:
    for stage in found.stages.values():
        if one and (output := one.outputs.get(stage.stage)):
            stage.first_labels.update(labels(output))
        if other and (output := other.outputs.get(stage.stage)):
            stage.second_labels.update(labels(output))


def _tell(found: Comparison, index: int, told: dict[str, Difference], longest: int) -> None:
    found.frames += 1
    found.bins[min(BINS - 1, index * BINS // longest)] += 1
    if len(found.differing) < TOLD_FRAMES:
        found.differing.append((index, told))
    for name, apart in told.items():
        stage = found.stages[name]
        stage.frames += 1
        stage.only_first += apart.only_first
        stage.only_second += apart.only_second
        stage.changed += apart.changed


def _rows(parts: Parts, job: Job) -> Iterator[FrameRow]:
    return map(read_row, lines_of(parts, job))


def _side_by_side(first: Iterator[FrameRow], second: Iterator[FrameRow]) -> Iterator[tuple[FrameRow | None, FrameRow | None]]:
    """Pair the rows of two streams by their frame; a frame that one lacks comes with None."""
    one, other = next(first, None), next(second, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.frame_index < other.frame_index):
            yield one, None
            one = next(first, None)
        elif one is None or other.frame_index < one.frame_index:
            yield None, other
            other = next(second, None)
        else:
            yield one, other
            one, other = next(first, None), next(second, None)
