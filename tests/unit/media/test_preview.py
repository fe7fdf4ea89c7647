"""Previews: encoding, the cache, and frames on demand."""

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.domain.errors import UnreadableMedia
from app.media.preview import PreviewCache, encode_preview, render_frame, render_frames
from app.media.sources import open_source
from tests.unit.media.clips import pictures
from tests.unit.media.conftest import ClipPath, planned


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_a_wide_picture_is_made_smaller_and_keeps_its_shape() -> None:
    [wide] = pictures(1, (1280, 722))
    jpeg, size = encode_preview(wide)
    assert size == (640, 361)
    assert decoded(jpeg).shape == (361, 640, 3)


def test_a_narrow_picture_keeps_its_size() -> None:
    narrow = np.repeat(np.tile(np.arange(97, dtype=np.uint8)[None, :, None], (63, 1, 1)), 3, axis=2)
    jpeg, size = encode_preview(narrow, width=640, quality=95)
    assert size == (97, 63)
    assert np.abs(decoded(jpeg).astype(int) - narrow).max() <= 6


def test_a_strided_read_only_picture_can_be_encoded() -> None:
    [wide] = pictures(1, (200, 100))
    part = wide[10:90, 20:180]
    part.setflags(write=False)
    assert encode_preview(part)[1] == (160, 80)


def test_the_cache_gives_what_was_put_and_forgets_what_was_used_longest_ago() -> None:
    cache = PreviewCache(30)
    for n in range(3):
        cache.put("job", n, bytes([n]) * 10)
    assert cache.get("job", 0) == b"\0" * 10
    cache.put("job", 3, b"3" * 10)
    assert cache.get("job", 1) is None
    assert [cache.get("job", n) is not None for n in (0, 2, 3)] == [True, True, True]


def test_the_cache_never_grows_beyond_its_limit() -> None:
    cache = PreviewCache(30)
    cache.put("job", 0, b"x" * 31)
    assert cache.get("job", 0) is None
    cache.put("job", 1, b"a" * 20)
    cache.put("job", 1, b"b" * 25)
    assert cache.get("job", 1) == b"b" * 25
    cache.put("job", 2, b"c" * 5)
    assert cache.get("job", 1) is not None


def test_the_cache_forgets_a_job_whole() -> None:
    cache = PreviewCache(100)
    cache.put("a", 0, b"x")
    cache.put("b", 0, b"y")
    cache.forget("a")
    assert (cache.get("a", 0), cache.get("b", 0)) == (None, b"y")


@pytest.mark.parametrize("index", [0, 79, 80, 199])
def test_any_frame_is_decoded_on_demand(clip: ClipPath, index: int) -> None:
    ref, plan = planned(clip("h264_open"))
    segment = next(segment for segment in plan.segments if segment.start <= index < segment.end)
    source = open_source(ref, plan)
    wanted = next(frame.pixels for frame in source.frames(segment) if frame.index == index)
    jpeg = asyncio.run(render_frame(ref, plan, index))
    assert jpeg == encode_preview(wanted, width=96, quality=90)[0]
    source.close()


def test_frames_decoded_together_are_those_decoded_alone_and_end_with_their_segment(clip: ClipPath) -> None:
    ref, plan = planned(clip("h264_open"))
    segment = plan.segments[0]
    together = asyncio.run(render_frames(ref, plan, segment.end - 3, 16))
    assert list(together) == [segment.end - 3, segment.end - 2, segment.end - 1]
    assert together[segment.end - 1] == asyncio.run(render_frame(ref, plan, segment.end - 1))
    assert len(asyncio.run(render_frames(ref, plan, segment.start, 4))) == 4


def test_a_frame_on_demand_can_be_made_smaller(clip: ClipPath) -> None:
    ref, plan = planned(clip("one_frame"))
    assert decoded(asyncio.run(render_frame(ref, plan, 0, width=48))).shape == (32, 48, 3)


def test_a_frame_that_is_not_there_is_an_index_error(clip: ClipPath) -> None:
    ref, plan = planned(clip("one_frame"))
    with pytest.raises(IndexError):
        asyncio.run(render_frame(ref, plan, 1))


def test_a_frame_whose_file_is_gone_is_unreadable(clip: ClipPath, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip("one_frame").read_bytes())
    ref, plan = planned(path)
    path.unlink()
    with pytest.raises(UnreadableMedia, match="frame 0"):
        asyncio.run(render_frame(ref, plan, 0))
