"""What crosses between the dispatcher's side and a worker: tasks down, small facts up; never a frame."""

import struct
from typing import Final

import msgspec

from app.domain.device import DeviceDecision
from app.domain.job import RowsPlace
from app.domain.media import Loss, MediaInfo, StreamEntry
from app.engine.tasks import Task

_LENGTH: Final = struct.Struct("<I")


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Send a picture of a job's frames every `interval_s` seconds, the first not before `begin_ns`; 0 sends none."""

    job_id: str
    interval_s: float
    width: int = 640
    begin_ns: int = 0  # of the clock that all processes of a machine share


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Stop a task at its next frame."""

    task_id: int


class Close(msgspec.Struct, frozen=True, tag="close"):
    """End the segment of an address at its next frame, and hand in what is done of it."""

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


class Followed(msgspec.Struct, frozen=True, tag="followed"):
    """What every stage found on a frame that was pictured, now that the followers have been there; `outputs` is JSON."""

    task_id: int
    frame_index: int
    outputs: bytes


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The first frame came from an address: its measured facts, and a small JPEG of that frame."""

    task_id: int
    media: MediaInfo
    jpeg: bytes


class Noticed(msgspec.Struct, frozen=True, tag="noticed"):
    """Something happened to an address before a frame: a warning's code and message."""

    task_id: int
    code: str
    message: str
    frame_index: int


class Reach(msgspec.Struct, frozen=True):
    """How far a segment of an address came: up to frame `end`, and whether that is the source's end, else where to go on."""

    end: int
    last: bool
    then: StreamEntry


class SegmentDone(msgspec.Struct, frozen=True, tag="segment_done"):
    """A segment's rows lie at `rows` in the job's folder; nothing of it counts before the commit."""

    task_id: int
    frames: int
    tallies: tuple[StageTally, ...]
    failures: tuple[FailureTally, ...]
    losses: tuple[Loss, ...]
    disabled: tuple[str, ...]
    loop_us: int
    rows: RowsPlace
    reach: Reach | None = None


class FinalizeDone(msgspec.Struct, frozen=True, tag="finalize_done"):
    """A stage's summary as JSON, or the error that kept it from being made."""

    task_id: int
    summary: bytes | None
    error: str | None
    detail: str | None
    took_us: int


class TaskFailed(msgspec.Struct, frozen=True, tag="task_failed"):
    """A task could not be done, of `stage` where it is one's fault.

    `code` is `prepare`, `device`, `policy`, `source`, `disk`, `state` or `stream`.
    """

    task_id: int
    code: str
    stage: str | None
    message: str
    detail: str | None


class Dropped(msgspec.Struct, frozen=True, tag="dropped"):
    """A task was stopped as asked; nothing of it counts."""

    task_id: int


Order = Task | Watch | Drop | Close | Forget
Report = Ready | Prepared | Beat | Picture | Followed | Opened | Noticed | SegmentDone | FinalizeDone | TaskFailed | Dropped
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
