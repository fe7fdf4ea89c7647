"""The trail of a job: which of its stages follow the others, how far they are, and who has their state."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from app.engine.tasks import StageTask

_MOST_IN_HAND: Final = 8
_AHEAD_S: Final = 0.5  # a worker is given as many segments to follow as it can do in about this time


def following(stages: Sequence[StageTask]) -> tuple[str, ...]:
    """Ids of the stages that go over the others' outputs behind them, in the order of the pipeline.

    They are the stateful ones that read no pixels, with what reads them, as long as that reads no pixels either: a stage on
    pixels cannot wait for a follower, so what it goes by must run before it.
    """
    kept: set[str] = set()  # with the others, whatever they declare
    while True:
        found: set[str] = set()
        for task in stages:
            behind = task.stateful or found.intersection(task.stage.upstream)
            if behind and not task.needs_pixels and task.stage.id not in kept:
                found.add(task.stage.id)
        needed = {read for task in stages if task.stage.id not in found for read in task.stage.upstream} & found
        if not needed:
            return tuple(task.stage.id for task in stages if task.stage.id in found)
        kept |= needed


def replay_from(stages: Iterable[StageTask], start: int) -> int:
    """First frame that stateful stages must see again before they go on at `start`: 0 unless each declares a warm-up."""
    warmups = [task.warmup_frames for task in stages if task.stateful]
    known = [warmup for warmup in warmups if warmup is not None]
    return max(0, start - max(known)) if known and len(known) == len(warmups) else 0


class Trail:
    """How far a job's followers are, as the dispatcher holds it."""

    def __init__(self, stages: Sequence[StageTask]) -> None:
        self.stages = following(stages)
        self.state_at: tuple[int, int] | None = None  # (worker, frame that its followers must see next)
        self.frames_behind = 0  # frames that the other stages are done with and the followers are not
        self.waiting = bool(self.stages)  # a segment may wait to be claimed
        self.segment_s: float | None = None

    def worker_for_next(self, load: dict[int, int], holding: Collection[int]) -> int | None:
        """The worker that should follow over the next segment, or None while none should; `holding` are those that do."""
        if not self.waiting or not load or len(holding) >= self._most():
            return None
        if self.state_at is not None and self.state_at[0] in load:
            return self.state_at[0]
        if holding:  # the state is lost: what is in hand ends first, then all is gone through again
            return None
        return min(load, key=lambda worker: (load[worker], worker))

    def took(self, seconds: float) -> None:
        """Note how long the followers took for a segment."""
        self.segment_s = seconds

    def lost_worker(self, worker: int) -> None:
        """Forget the state that a worker held which is gone."""
        if self.state_at is not None and self.state_at[0] == worker:
            self.state_at = None

    def _most(self) -> int:
        if self.segment_s is None:
            return 1
        return max(1, min(_MOST_IN_HAND, int(_AHEAD_S / max(self.segment_s, 0.001))))
