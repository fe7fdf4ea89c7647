"""Media times and turns: what a frame says beside its pixels."""

from pathlib import Path

import av
import numpy as np
import pytest

from app.media.planning import plan_source
from app.media.sources import open_source
from tests.unit.media.clips import CLIPS, turn
from tests.unit.media.conftest import ClipPath, planned, read_alone, video


def times(path: Path) -> list[float | None]:
    ref, plan = planned(path)
    return [frame[1] for segment in plan.segments for frame in read_alone(ref, plan, segment).frames]


VARYING = ["h264_vfr", "h264_vfr_mkv", "h264_vfr_ts", "hevc_vfr", "mpeg4_vfr", "mjpeg_vfr", "vp9_vfr"]


@pytest.mark.parametrize("name", [*VARYING, "h264_late", "h264_closed", "mpeg4_avi_b", "h264_negative_wtv"])
def test_media_times_are_the_files_own_counted_from_the_first_frame(clip: ClipPath, name: str) -> None:
    made = CLIPS[name]
    wanted = [(made.times(n) - made.times(0)) / 25 for n in range(made.frames)]
    assert times(clip(name)) == pytest.approx(wanted, abs=0.001)


@pytest.mark.parametrize("name", ["h264_avi", "h264_raw", "hevc_raw"])
def test_without_true_times_a_frames_time_is_its_index_over_the_rate(clip: ClipPath, name: str) -> None:
    assert times(clip(name)) == pytest.approx([n / 25 for n in range(200)], abs=1e-5)


@pytest.mark.parametrize("name", ["h264_negative", "hevc_negative"])
def test_frames_that_an_edit_list_hides_have_no_index(clip: ClipPath, name: str) -> None:
    assert times(clip(name)) == pytest.approx([n / 25 for n in range(170)], abs=1e-5)


def test_segments_say_when_they_begin(clip: ClipPath) -> None:
    for name in ("h264_vfr", "h264_avi"):
        ref, plan = planned(clip(name))
        for segment in plan.segments:
            assert read_alone(ref, plan, segment).frames[0][1] == segment.start_t_s


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_a_turned_video_comes_out_upright(clip: ClipPath, tmp_path: Path, degrees: int, turns: int) -> None:
    lying = clip("h264_closed")
    ref, plan = planned(turn(lying, tmp_path / "turned.mp4", degrees))
    assert (plan.media.width, plan.media.height) == ((96, 64) if degrees == 180 else (64, 96))
    with av.open(str(lying)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="bgr24")
    source = open_source(ref, plan)
    upright = next(iter(source.frames(plan.segments[0]))).pixels
    source.close()
    assert np.array_equal(upright, np.rot90(first, turns))
    assert upright.flags.c_contiguous
    assert not upright.flags.writeable


def test_the_probe_measures_rate_duration_codec_and_container(clip: ClipPath) -> None:
    media = plan_source(video(clip("h264_sound"))).media
    assert (media.width, media.height, media.frames, media.fps) == (96, 64, 200, 25.0)
    assert (media.container, media.codec, media.rotation) == ("mov", "h264", 0)
    assert media.duration_s == pytest.approx(8.0, abs=0.01)
