"""What a source is and how its frames are laid out: facts measured once, before any work starts."""

from enum import StrEnum
from typing import Final

import msgspec


class SourceKind(StrEnum):
    """Kinds of source."""

    IMAGE = "image"
    FOLDER = "folder"
    VIDEO = "video"
    STREAM = "stream"


class SourceRef(msgspec.Struct, frozen=True):
    """Where a job's frames come from: a file of this machine (`path`) or an address (`url`).

    `name` is what a person calls it; `upload` says that the file is ours, kept under its `sha256`.
    """

    kind: SourceKind
    name: str
    path: str | None
    url: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    upload: bool = False


class MediaInfo(msgspec.Struct, frozen=True):
    """Measured facts of a source. `width` and `height` are those of the upright frame; None means honestly unknown."""

    width: int
    height: int
    frames: int | None
    duration_s: float | None
    fps: float | None
    container: str
    codec: str
    rotation: int = 0


class FrameClock(StrEnum):
    """What tells the frames of a video apart and puts them in order."""

    PTS = "pts"  # presentation times: none missing, none repeated, and shown to rise in a trial decode
    POC = "poc"  # H.264's own picture order counts, where the container's times are false
    COUNT = "count"  # nothing but the order in which the decoder gives frames


class SeekBy(StrEnum):
    """How a demuxer is brought near a key packet."""

    PTS = "pts"
    DTS = "dts"
    NONE = "none"  # read from the start


class DecodePlan(msgspec.Struct, frozen=True):
    """How every worker decodes this source; part of the stored plan, because it changes damaged pictures.

    `time_base` is that of the stream's presentation times, `first_pts` the time of frame 0 (media time counts from there).
    `fps` gives the frames' times where the clock is not that of presentation times. `reorder_depth`, where it is known, spares
    each opening of the file the decoding that would find it out: how many pictures the decoder holds back to put them in order.
    """

    stream_index: int = 0
    time_base: tuple[int, int] = (1, 1)
    first_pts: int = 0
    clock: FrameClock = FrameClock.PTS
    fps: float | None = None
    reorder_depth: int | None = None
    seek_by: SeekBy = SeekBy.PTS
    thread_type: str = "NONE"
    thread_count: int = 1


class SegmentEntry(msgspec.Struct, frozen=True):
    """Where a segment of a video can be decoded from, and which of the frames decoded there are its own.

    `key_…` identify the key packet. Decoding it and what follows, `feed` packets in all, gives one run of frames in the order
    of the plan's clock; several segments may share a run. The segment's frames are those with `first <= clock < until`:
    presentation times (PTS), or ranks counted from the run's first packet (POC, COUNT). `gaps` are the numbers of the run's
    packets (0 is the key packet) before which others are missing from a damaged file.
    """

    key_pts: int | None
    key_dts: int | None
    key_pos: int | None
    key_size: int
    feed: int
    first: int
    until: int
    gaps: tuple[int, ...] = ()

    def shares_key(self, other: "SegmentEntry") -> bool:
        """Say whether another segment is decoded from the same key packet, with the same packets."""
        return (
            self.feed == other.feed
            and self.key_size == other.key_size
            and ((self.key_pos, self.key_pts, self.key_dts) == (other.key_pos, other.key_pts, other.key_dts))
        )


class Loss(msgspec.Struct, frozen=True):
    """Frames that could not be decoded, or may be wrong: `count` of them from `first_index` on, with the reason.

    `code` is one of `frames_lost` and `pictures_doubtful`; `frames_dropped` counts what a live source gave before the frame
    and nobody had time for, which has no index. Indices are ranks within one pass over the source.
    """

    code: str
    first_index: int
    count: int
    message: str

    @property
    def last_index(self) -> int:
        """Index of the last frame it is about."""
        return self.first_index if self.code == "frames_dropped" else self.first_index + self.count - 1


class StreamEntry(msgspec.Struct, frozen=True):
    """Where to go on with an address: `passed` frames of it were taken or dropped, the last at media time `t_s`.

    `epoch_s` is the wall-clock second at which frame 0 of the job came.
    """

    passed: int = 0
    t_s: float = 0.0
    epoch_s: float | None = None


class StreamRules(msgspec.Struct, frozen=True):
    """How an address may be read: on private networks or not, how long it may stay away, and at its own speed or not."""

    allow_private: bool = False
    patience_s: float = 60.0
    realtime: bool = False


class PlannedSegment(msgspec.Struct, frozen=True):
    """Frames `[start, end)` of one pass over a source, with the way into them.

    A video has its `entry`, a folder the names of its `files`, an image neither. `losses` were seen when the source was
    planned: packets that are missing from a damaged or truncated file, which therefore have no index. A part of an address
    has where to go on with it (`stream`), and until it is committed `end` is only how far it may come.
    """

    start: int
    end: int
    start_t_s: float | None = None
    entry: SegmentEntry | None = None
    files: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    stream: StreamEntry | None = None


class SourcePlan(msgspec.Struct, frozen=True):
    """A source measured and cut into segments: depends on the file alone, never on the number of workers."""

    media: MediaInfo
    decode: DecodePlan
    segments: tuple[PlannedSegment, ...]


UNMEASURED: Final = SourcePlan(MediaInfo(0, 0, None, None, None, "", ""), DecodePlan(), ())  # of an address before it is read
