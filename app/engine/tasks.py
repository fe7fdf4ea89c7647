"""Tasks: what a worker is given to carry out, with all that it needs for it."""

from typing import Final

import msgspec

from app.domain.job import RowsPlace
from app.domain.media import PlannedSegment, SourcePlan, SourceRef, StreamRules
from app.domain.pipeline import Stage

TOOK_DOWN: Final = "The plugin took its worker down"  # how the message of every skip begins


class StageTask(msgspec.Struct, frozen=True):
    """A stage with all that a worker needs to run it; `folder` and `entry` say where the plugin's code lies."""

    stage: Stage
    version: str
    folder: str
    entry: str
    output: str
    device: str
    strict_device: bool
    budget_ms: float
    stateful: bool
    targets: tuple[str, ...] = ()
    needs_pixels: bool = True
    warmup_frames: int | None = None


class Pass(msgspec.Struct, frozen=True):
    """A planned segment within one pass over a source; its frames count on from `offset`, its seconds from `t_offset_s`.

    From frame `until` of the job on nothing is decoded: the decoder took workers down there.
    """

    planned: PlannedSegment
    offset: int
    t_offset_s: float = 0.0
    until: int | None = None

    @property
    def start(self) -> int:
        """Index of the first frame, within the job."""
        return self.offset + self.planned.start

    @property
    def end(self) -> int:
        """Index behind the last frame, within the job."""
        return self.offset + self.planned.end

    @property
    def stop(self) -> int:
        """Index before which to stop decoding; behind the end where nothing speaks against reading all there is."""
        return self.end + 1 if self.until is None else self.until


class Skip(msgspec.Struct, frozen=True):
    """A frame that a stage must not see again, with the soft failure that stands for it."""

    frame: int
    stage: str
    code: str
    message: str
    detail: str | None = None


class SegmentTask(msgspec.Struct, frozen=True, tag="segment"):
    """Do one segment: decode it, run the stages, write its rows to `outputs_path`, or to the end of `shared_path` at once.

    `replay` are the passes a stateful stage must see again first, from frame `replay_from` on, their outputs discarded.
    `due_at` is the wall-clock second at which frame 0 of a paced job was due. `skips` names what is to be stepped over. `gpu`
    is the number of the GPU to use where a stage names none. The stages in `following` are not run here: they go over the
    rows later. `kept_bytes` of rows lie beside `outputs_path` already, of the frames before `resume_at`. `rules` say how the
    source may be read where it is an address; the segment's end is then found out on the way. `ahead`: frames may be decoded
    while the stages are at work on earlier ones.
    """

    task_id: int
    job_id: str
    segment_index: int
    term: int
    part: Pass
    source: SourceRef
    plan: SourcePlan
    stages: tuple[StageTask, ...]
    outputs_path: str
    serial: bool
    threads: int
    disabled: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    replay: tuple[Pass, ...] = ()
    due_at: float | None = None
    gpu: int | None = None
    replay_from: int = 0
    following: tuple[str, ...] = ()
    resume_at: int | None = None
    kept_bytes: int = 0
    rules: StreamRules | None = None
    ahead: bool = False
    shared_path: str | None = None

    @property
    def first(self) -> int:
        """Index of the first frame that is still to be done, within the job."""
        return self.part.start if self.resume_at is None else self.resume_at


class FollowTask(msgspec.Struct, frozen=True, tag="follow"):
    """Let the stages in `following` go over the rows at `rows` in `folder`, and write the whole rows to `outputs_path`.

    `replay` is where those of the frames before lie, which the stateful ones must see again first, from frame `replay_from` on,
    their outputs discarded. `size` is the frames' width and height. The outputs on frames in `pictured` are told on the way.
    """

    task_id: int
    job_id: str
    segment_index: int
    term: int
    part: Pass
    size: tuple[int, int]
    stages: tuple[StageTask, ...]
    following: tuple[str, ...]
    folder: str
    rows: RowsPlace
    outputs_path: str
    threads: int
    disabled: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    replay: tuple[RowsPlace, ...] = ()
    replay_from: int = 0
    pictured: tuple[int, ...] = ()
    gpu: int | None = None

    @property
    def serial(self) -> bool:
        """Followers see every frame in order."""
        return True


class FinalizeTask(msgspec.Struct, frozen=True, tag="finalize"):
    """Sum up one stage over its committed outputs, which lie at `rows` in `folder`, in frame order."""

    task_id: int
    job_id: str
    stage: StageTask
    folder: str
    rows: tuple[RowsPlace, ...]
    threads: int
    gpu: int | None = None


Task = SegmentTask | FollowTask | FinalizeTask
