"""What crosses between the dispatcher's side and a worker: tasks down, small facts up; never a frame."""

import struct
from typing import Final

import msgspec

from app.domain.device import DeviceDecision
from app.domain.media import Loss, PlannedSegment, SourcePlan, SourceRef
from app.domain.pipeline import Stage

_LENGTH: Final = struct.Struct("<I")


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


class Pass(msgspec.Struct, frozen=True):
    """A planned segment within one pass over a source; its frames count on from `offset`, its seconds from `t_offset_s`."""

    planned: PlannedSegment
    offset: int
    t_offset_s: float = 0.0

    @property
    def start(self) -> int:
        """Index of the first frame, within the job."""
        return self.offset + self.planned.start

    @property
    def end(self) -> int:
        """Index behind the last frame, within the job."""
        return self.offset + self.planned.end


class SegmentTask(msgspec.Struct, frozen=True, tag="segment"):
    """Do one segment: decode it, run the stages, write its rows to `outputs_path`.

    `replay` are the passes a stateful stage must see again first, their outputs discarded. `due_at` is the wall-clock
    second at which frame 0 of a paced job was due. `skips` names (frame, stage id, code, message) to be stepped over.
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
    skips: tuple[tuple[int, str, str, str], ...] = ()
    replay: tuple[Pass, ...] = ()
    due_at: float | None = None


class FinalizeTask(msgspec.Struct, frozen=True, tag="finalize"):
    """Sum up one stage over its committed outputs, read in frame order from `files`."""

    task_id: int
    job_id: str
    stage: StageTask
    files: tuple[str, ...]
    threads: int


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Send a picture of a job's frames every `interval_s` seconds; 0 sends none."""

    job_id: str
    interval_s: float
    width: int = 640


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Stop a task at its next frame."""

    task_id: int


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Let go of a job's prepared plugins."""

    job_id: str


class StageTally(msgspec.Struct, frozen=True):
    """What one breakdown row gathered over a segment; `buckets` is its histogram."""

    row: str
    frames: int
    soft_failures: int
    over_budget: int
    buckets: dict[int, int]
    count: int
    total_us: int
    max_us: int


class FailureTally(msgspec.Struct, frozen=True):
    """Soft failures of one stage and code over a segment, with the first message and traceback."""

    stage: str
    code: str
    message: str
    count: int
    first_frame_index: int
    last_frame_index: int
    detail: str | None


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The worker has started and can take tasks."""

    import_ms: float


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """A stage is prepared in this worker and its device decided."""

    task_id: int
    job_id: str
    stage: str
    decision: DeviceDecision


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """A task is alive: frames handled and what the rows gathered so far in its segment."""

    task_id: int
    frames: int
    tallies: tuple[StageTally, ...]


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """A JPEG of a frame with what the stages found on it; `outputs` is JSON.

    `decoded_ns` is when the frame was decoded, by the machine's monotonic clock.
    """

    task_id: int
    job_id: str
    frame_index: int
    t_s: float | None
    width: int
    height: int
    jpeg: bytes
    outputs: bytes
    decoded_ns: int


class SegmentDone(msgspec.Struct, frozen=True, tag="segment_done"):
    """A segment's rows lie in its outputs file; nothing of it counts before the commit."""

    task_id: int
    frames: int
    tallies: tuple[StageTally, ...]
    failures: tuple[FailureTally, ...]
    losses: tuple[Loss, ...]
    disabled: tuple[str, ...]
    loop_us: int


class FinalizeDone(msgspec.Struct, frozen=True, tag="finalize_done"):
    """A stage's summary as JSON, or the error that kept it from being made."""

    task_id: int
    summary: bytes | None
    error: str | None
    detail: str | None
    took_us: int


class TaskFailed(msgspec.Struct, frozen=True, tag="task_failed"):
    """A task could not be done: `code` is `prepare`, `device`, `policy`, `source` or `state`; `stage` where one is to blame."""

    task_id: int
    code: str
    stage: str | None
    message: str
    detail: str | None


class Dropped(msgspec.Struct, frozen=True, tag="dropped"):
    """A task was stopped as asked; nothing of it counts."""

    task_id: int


Task = SegmentTask | FinalizeTask
Order = SegmentTask | FinalizeTask | Watch | Drop | Forget
Report = Ready | Prepared | Beat | Picture | SegmentDone | FinalizeDone | TaskFailed | Dropped
Outcome = SegmentDone | FinalizeDone | TaskFailed | Dropped

_encoder = msgspec.msgpack.Encoder()
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
HEADER_BYTES: Final = _LENGTH.size


def pack(message: Order | Report) -> bytes:
    """One message as bytes: its length, then msgpack."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes) -> int:
    """Number of bytes that follow a header."""
    length: int = _LENGTH.unpack(header)[0]
    return length
