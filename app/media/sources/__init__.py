"""Sources: what yields a job's frames, one protocol for images, folders and videos."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.errors import UnsupportedSource
from app.domain.media import Loss, PlannedSegment, SourceKind, SourcePlan, SourceRef


class DecodedFrame(NamedTuple):
    """A decoded frame, upright: `pixels` of shape (height, width, 3), uint8, BGR, read-only; rows may be strided.

    `index` is its rank within one pass over the source, `t_s` its media time in seconds (None where unknown).
    """

    pixels: NDArray[np.uint8]
    index: int  # type: ignore[assignment]  # hides the tuple's method of that name, which nobody needs
    t_s: float | None


class Source(Protocol):
    """Gives the frames of planned segments, each the same whatever was read before."""

    losses: list[Loss]
    """What was lost or may be wrong in the segment read last; whole once its frames have been read to the end."""

    def frames(self, planned: PlannedSegment) -> Iterator[DecodedFrame]:
        """Yield the segment's frames in order; those that cannot be decoded are left out and told in `losses`."""

    def close(self) -> None:
        """Close what is open."""


def open_source(ref: SourceRef, plan: SourcePlan) -> Source:
    """Open a source as it was planned; nothing is read before the first frame is asked for.

    Raises UnsupportedSource for a kind that cannot be read.
    """
    if ref.path is None or ref.kind is SourceKind.STREAM:
        raise UnsupportedSource(name=ref.name, reason="addresses cannot be read yet")
    if ref.kind is SourceKind.VIDEO:
        from app.media.sources.video import VideoSource  # noqa: PLC0415  # it uses DecodedFrame from here

        return VideoSource(ref.path, plan.decode)
    from app.media.sources.image import FolderSource, ImageSource  # noqa: PLC0415  # the same

    return FolderSource(ref.path) if ref.kind is SourceKind.FOLDER else ImageSource(ref.path)
