"""Pictures of frames: JPEG previews, a cache of them, and any frame of a source decoded on demand."""

import sys
import threading
from collections import OrderedDict

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from app.domain.errors import UnreadableMedia
from app.domain.geometry import Size
from app.domain.media import SourcePlan, SourceRef
from app.media.child import ChildFailed, confine, run_child


def encode_preview(pixels: NDArray[np.uint8], *, width: int = 640, quality: int = 80) -> tuple[bytes, Size]:
    """Encode a BGR picture (height, width, 3) as JPEG, at most `width` pixels wide; give it with its size."""
    high, wide = pixels.shape[:2]
    if wide > width:
        high, wide = max(1, round(high * width / wide)), width
        pixels = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA)
    done, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {wide}×{high} cannot be encoded as JPEG")
    return jpeg.tobytes(), Size(wide, high)


class PreviewCache:
    """Keeps the newest previews of all jobs within `max_bytes`; what was used longest ago goes first. Any thread may call."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, job_id: str, frame_index: int, jpeg: bytes) -> None:
        """Keep a preview; one that is larger than the whole cache is not kept."""
        with self._lock:
            self._bytes -= len(self._kept.pop((job_id, frame_index), b""))
            if len(jpeg) > self._max_bytes:
                return
            self._kept[job_id, frame_index] = jpeg
            self._bytes += len(jpeg)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._kept.popitem(last=False)[1])

    def get(self, job_id: str, frame_index: int) -> bytes | None:
        """Give a preview, None where it is not kept (any more)."""
        with self._lock:
            jpeg = self._kept.get((job_id, frame_index))
            if jpeg is not None:
                self._kept.move_to_end((job_id, frame_index))
            return jpeg

    def forget(self, job_id: str) -> None:
        """Drop a job's previews."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == job_id]:
                self._bytes -= len(self._kept.pop(key))


class _Wanted(msgspec.Struct, frozen=True):
    """What the child is asked for; the plan holds only the segment that has the first frame."""

    ref: SourceRef
    plan: SourcePlan
    index: int
    count: int
    width: int | None


class _Rendered(msgspec.Struct, frozen=True):
    """A frame as JPEG, on its way from the child."""

    index: int
    jpeg: bytes


async def render_frame(
    ref: SourceRef, plan: SourcePlan, index: int, *, width: int | None = None, timeout_s: float = 20.0
) -> bytes:
    """Decode the frame with this index (rank within one pass over the source) in a child and give it as JPEG.

    At full size unless `width` (pixels) is smaller. Raises IndexError when the plan has no such frame, UnreadableMedia when
    it cannot be decoded.
    """
    return (await render_frames(ref, plan, index, 1, width=width, timeout_s=timeout_s))[index]


async def render_frames(
    ref: SourceRef, plan: SourcePlan, index: int, count: int, *, width: int | None = None, timeout_s: float = 20.0
) -> dict[int, bytes]:
    """Decode a frame as `render_frame` does, and of the same segment up to `count` frames in all; give them by index.

    Starting a child costs more than many frames, so whoever looks at one after the other saves by asking for some. Raises
    as `render_frame`; of the later frames, those that cannot be decoded are left out.
    """
    segment = next((segment for segment in plan.segments if segment.start <= index < segment.end), None)
    if segment is None:
        raise IndexError(f"the source has no frame {index}")
    wanted = _Wanted(ref, msgspec.structs.replace(plan, segments=(segment,)), index, count, width)
    try:
        told = await run_child("app.media.preview", [str(timeout_s)], timeout_s=timeout_s, given=msgspec.json.encode(wanted))
        rendered = {one.index: one.jpeg for one in msgspec.msgpack.decode(told, type=list[_Rendered])}
    except ChildFailed as failed:
        raise UnreadableMedia(name=ref.name, reason=f"frame {index} could not be decoded: {failed}") from failed
    if index not in rendered:
        raise UnreadableMedia(name=ref.name, reason=f"frame {index} could not be decoded")
    return rendered


def _main() -> None:
    """Child: read what is wanted from stdin, write the frames to stdout (without those that are lost)."""
    confine(float(sys.argv[1]))
    from app.media.sources import open_source  # noqa: PLC0415  # the decoders are loaded in the child alone

    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=_Wanted)
    source = open_source(wanted.ref, wanted.plan)
    rendered: list[_Rendered] = []
    for decoded in source.frames(wanted.plan.segments[0]):
        if decoded.index >= wanted.index + wanted.count:
            break
        if decoded.index >= wanted.index:
            width = wanted.width or decoded.pixels.shape[1]
            rendered.append(_Rendered(decoded.index, encode_preview(decoded.pixels, width=width, quality=90)[0]))
    source.close()
    sys.stdout.buffer.write(msgspec.msgpack.encode(rendered))


if __name__ == "__main__":
    _main()
