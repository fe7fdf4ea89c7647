"""Any planned segment, alone and in any order, is bit-identical to a straight decode of the file."""

import random
from pathlib import Path

import pytest

from app.domain.media import FrameClock
from app.media.planning import plan_source
from app.media.sources import open_source
from tests.unit.media.clips import CLIPS, without_depth
from tests.unit.media.conftest import ClipPath, planned, read, read_alone, read_in_order, straight, video

NOT_BY_TIME = {
    "h264_avi": FrameClock.POC,
    "h264_avi_open": FrameClock.POC,
    "h264_raw": FrameClock.POC,
    "h264_negative_asf": FrameClock.POC,
    "h264_timeless_mkv": FrameClock.POC,
    "h264_wrapped_flv": FrameClock.POC,
    "hevc_raw": FrameClock.COUNT,
}
CUT_OFF = {"h264_negative": 30, "hevc_negative": 30}  # frames an edit list hides


@pytest.mark.parametrize("name", CLIPS)
def test_segments_read_alone_and_in_any_order_equal_a_straight_decode(clip: ClipPath, name: str) -> None:
    path = clip(name)
    wanted = straight(path)
    assert len(wanted) == CLIPS[name].frames - CUT_OFF.get(name, 0)
    ref, plan = planned(path)
    assert plan.media.frames == len(wanted)
    assert [segment.start for segment in plan.segments] == [0, *(segment.end for segment in plan.segments)][:-1]

    alone = {segment.start: read_alone(ref, plan, segment) for segment in plan.segments}
    assert [frame[2] for start in sorted(alone) for frame in alone[start].frames] == wanted
    assert [frame[0] for start in sorted(alone) for frame in alone[start].frames] == list(range(len(wanted)))
    assert not any(found.losses for found in alone.values())

    shuffled = random.Random(3).sample(plan.segments, len(plan.segments))
    every_other = [*plan.segments[::2], *plan.segments[1::2]]
    for order in (plan.segments, shuffled, every_other, plan.segments[::-1]):
        assert read_in_order(ref, plan, order) == alone


@pytest.mark.parametrize("name", ["h264_closed", "h264_pyramid_open", "h264_long", "h264_avi", "h264_avi_open", "h264_ts"])
def test_a_stream_that_hides_how_deep_it_reorders_is_read_just_as_exactly(clip: ClipPath, tmp_path: Path, name: str) -> None:
    path = without_depth(clip(name), tmp_path / CLIPS[name].file)
    ref, plan = planned(path)
    alone = [read_alone(ref, plan, segment) for segment in plan.segments]
    assert [frame[2] for found in alone for frame in found.frames] == straight(path)
    assert not any(found.losses for found in alone)


@pytest.mark.parametrize("name", CLIPS)
def test_presentation_times_are_trusted_only_where_they_hold(clip: ClipPath, name: str) -> None:
    assert plan_source(video(clip(name))).decode.clock is NOT_BY_TIME.get(name, FrameClock.PTS)


@pytest.mark.parametrize("name", [name for name, made in CLIPS.items() if made.frames == 200])
def test_segments_hold_about_64_frames(clip: ClipPath, name: str) -> None:
    lengths = [segment.end - segment.start for segment in plan_source(video(clip(name))).segments]
    assert len(lengths) >= 3
    assert all(40 <= length <= 96 for length in lengths[:-1])


@pytest.mark.parametrize("name", ["h264_open", "h264_pyramid_open", "h264_ts", "hevc_open", "hevc_ts", "mpeg2_ts", "mpeg4_mp4"])
def test_leading_pictures_of_an_open_group_belong_to_the_run_before(clip: ClipPath, name: str) -> None:
    first = plan_source(video(clip(name))).segments[0]
    assert first.entry
    assert first.entry.feed > first.end - first.start


@pytest.mark.parametrize(
    "name", ["h264_long", "h264_refresh", "h264_avi_open", "hevc_long", "hevc_raw", "mpeg4_long", "vp9_mp4", "gif"]
)
def test_a_file_that_may_be_cut_nowhere_is_one_run(clip: ClipPath, name: str) -> None:
    plan = plan_source(video(clip(name)))
    keys = {(segment.entry.key_pos, segment.entry.key_size) for segment in plan.segments if segment.entry}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "name", ["h264_closed", "h264_open", "hevc_ts", "hevc_vfr", "mpeg4_avi", "mpeg4_avi_b", "vp9", "av1", "ffv1"]
)
def test_a_file_with_keyframes_is_cut_at_them(clip: ClipPath, name: str) -> None:
    plan = plan_source(video(clip(name)))
    keys = {(segment.entry.key_pos, segment.entry.key_size) for segment in plan.segments if segment.entry}
    assert len(keys) == len(plan.segments)


def test_the_plan_is_the_same_each_time(clip: ClipPath) -> None:
    for name in ("h264_open", "h264_avi", "hevc_ts", "mpeg4_avi_b"):
        assert plan_source(video(clip(name))) == plan_source(video(clip(name)))


def test_a_reader_that_stops_in_the_middle_of_a_segment_spoils_nothing(clip: ClipPath) -> None:

    ref, plan = planned(clip("h264_long"))
    wanted = read_alone(ref, plan, plan.segments[1])
    for stop in (0, 1, 30):
        source = open_source(ref, plan)
        for frame, _ in zip(source.frames(plan.segments[1]), range(stop), strict=False):
            assert frame.index >= plan.segments[1].start
        assert read(source, plan.segments[1]) == wanted
        source.close()


def test_pixels_are_read_only_bgr_of_the_upright_size(clip: ClipPath) -> None:

    ref, plan = planned(clip("h264_closed"))
    source = open_source(ref, plan)
    frame = next(iter(source.frames(plan.segments[0])))
    assert frame.pixels.shape == (plan.media.height, plan.media.width, 3) == (64, 96, 3)
    assert str(frame.pixels.dtype) == "uint8"
    assert not frame.pixels.flags.writeable
    source.close()
