"""What a source is and how its frames are laid out: facts measured once, before any work starts."""

from enum import StrEnum

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


class DecodePlan(msgspec.Struct, frozen=True):
    """How every worker decodes this source; part of the stored plan, because it changes damaged pictures.

    `pts_trusted` says that presentation times identify frames; otherwise frames are counted from the segment's start.
    """

    stream_index: int = 0
    time_base: tuple[int, int] = (1, 1)
    first_pts: int = 0
    pts_trusted: bool = True
    thread_type: str = "NONE"
    thread_count: int = 1


class SegmentEntry(msgspec.Struct, frozen=True):
    """Where a segment of a video begins and ends, and the key packet from which it can be decoded.

    `start_pts` (inclusive) and `end_pts` (exclusive, None at the end) bound the frames; `skip` frames decoded from the key
    packet on come before the segment when presentation times are not trusted. `pts` maps the segment's frames to indices.
    """

    start_pts: int | None
    end_pts: int | None
    key_pts: int | None
    key_dts: int | None
    key_pos: int | None
    key_size: int
    skip: int = 0


class PlannedSegment(msgspec.Struct, frozen=True):
    """Frames `[start, end)` of one pass over a source, with the way into them (None where any frame can be opened alone)."""

    start: int
    end: int
    start_t_s: float | None = None
    entry: SegmentEntry | None = None


class SourcePlan(msgspec.Struct, frozen=True):
    """A source measured and cut into segments: depends on the file alone, never on the number of workers."""

    media: MediaInfo
    decode: DecodePlan
    segments: tuple[PlannedSegment, ...]


class Loss(msgspec.Struct, frozen=True):
    """Frames of a segment that could not be decoded, or may be wrong, with the reason."""

    code: str
    first_index: int
    count: int
    message: str
