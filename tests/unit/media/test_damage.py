"""Damaged and truncated files: what is there comes out, what is lost is told, and the order of reading changes nothing."""

import random
import shutil
from pathlib import Path

import pytest

from app.domain.errors import EmptyMedia, SightlineError, UnreadableMedia
from app.domain.media import Loss
from app.media.planning import plan_source
from app.media.sources import open_source
from tests.unit.media.conftest import ClipPath, Read, planned, read, read_alone, read_in_order, straight, video

FRAIL = ["h264_open", "h264_ts", "h264_avi", "h264_flv", "hevc_open", "mpeg4_avi_b", "mpeg2_ps", "vp9", "mjpeg_avi"]


def overwritten(source: Path, target: Path, at: int, count: int = 4096) -> Path:
    """Copy a file with noise over a part of it."""
    data = bytearray(source.read_bytes())
    data[at : at + count] = random.Random(at).randbytes(len(data[at : at + count]))
    target.write_bytes(data)
    return target


def told(found: dict[int, Read], code: str) -> list[Loss]:
    return [loss for start in sorted(found) for loss in found[start].losses if loss.code == code]


def test_all_frames_of_an_undamaged_avi_come_out(shared: Path) -> None:
    ref, plan = planned(shared / "video" / "vtest.avi")
    found = read_in_order(ref, plan, plan.segments)
    assert [frame[0] for start in sorted(found) for frame in found[start].frames] == list(range(795))
    assert not any(each.losses for each in found.values())


@pytest.mark.parametrize("at", [949_982, 1_500_000])
def test_a_damaged_middle_costs_few_frames_the_same_in_any_order(shared: Path, tmp_path: Path, at: int) -> None:
    ref, plan = planned(overwritten(shared / "video" / "vtest.avi", tmp_path / "damaged.avi", at))
    found = read_in_order(ref, plan, plan.segments)
    assert sum(len(each.frames) for each in found.values()) >= 790
    # Read backwards no segment can go on from the one before it: each is decoded alone.
    assert read_in_order(ref, plan, plan.segments[::-1]) == found


def test_lost_and_doubtful_pictures_are_told_with_their_place(shared: Path, tmp_path: Path) -> None:
    ref, plan = planned(overwritten(shared / "video" / "vtest.avi", tmp_path / "damaged.avi", 1_577_724))
    assert plan.media.frames == 793
    found = read_in_order(ref, plan, plan.segments)
    assert [(loss.first_index, loss.count) for loss in told(found, "frames_lost")] == [(414, 2)]

    right = set(straight(shared / "video" / "vtest.avi"))
    wrong = {index for each in found.values() for index, _, picture in each.frames if picture not in right}
    doubted = {n for loss in told(found, "pictures_doubtful") for n in range(loss.first_index, loss.first_index + loss.count)}
    assert wrong
    assert wrong <= doubted <= set(range(414, 498))  # up to the next keyframe, which two lost frames have moved to 498


def test_frames_that_are_there_and_cannot_be_decoded_keep_their_index(clip: ClipPath, tmp_path: Path) -> None:
    path = clip("h264_closed")
    wanted = straight(path)
    data = bytearray(path.read_bytes())
    entry = plan_source(video(path)).segments[1].entry
    assert entry
    assert entry.key_pos
    data[entry.key_pos : entry.key_pos + entry.key_size] = bytes(entry.key_size)  # the key picture itself
    (tmp_path / "damaged.mp4").write_bytes(data)
    ref, plan = planned(tmp_path / "damaged.mp4")
    found = read_in_order(ref, plan, plan.segments)
    frames = {index: picture for each in found.values() for index, _, picture in each.frames}
    lost = {n for loss in told(found, "frames_lost") for n in range(loss.first_index, loss.first_index + loss.count)}
    assert plan.media.frames == 200
    assert 80 in lost
    assert set(frames) | lost == set(range(200))
    assert not set(frames) & lost
    assert all(frames[n] == wanted[n] for n in (*range(76), *range(160, 200)))


def test_a_truncated_mp4_with_its_index_first_gives_what_is_there(clip: ClipPath, tmp_path: Path) -> None:
    path = clip("h264_faststart")
    whole = straight(path)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    ref, plan = planned(cut)
    count = plan.media.frames
    assert count
    assert 60 < count < 190
    found = read_in_order(ref, plan, plan.segments)
    frames = {index: picture for each in found.values() for index, _, picture in each.frames}
    assert [frames.get(n) for n in range(count - 8)] == whole[: count - 8]
    assert told(found, "frames_lost")[-1].first_index >= count - 8
    missing = [loss for loss in plan.segments[-1].losses if loss.code == "frames_lost"]
    assert [(loss.first_index, loss.count) for loss in missing] == [(count, 200 - count)]


def test_an_mp4_cut_before_its_index_is_unreadable(clip: ClipPath, tmp_path: Path) -> None:
    path = clip("h264_closed")  # its index stands at its end
    (tmp_path / "cut.mp4").write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UnreadableMedia, match=r"cut off before its index \(moov\)"):
        plan_source(video(tmp_path / "cut.mp4"))


def test_a_file_that_changed_since_it_was_planned_loses_its_frames_and_says_so(clip: ClipPath, tmp_path: Path) -> None:
    path = shutil.copy(clip("h264_closed"), tmp_path / "clip.mp4")
    ref, plan = planned(path)
    shutil.copy(clip("h264_long"), path)
    last = plan.segments[-1]
    found = read_alone(ref, plan, last)
    assert not found.frames
    assert [(loss.code, loss.first_index, loss.count) for loss in found.losses] == [
        ("frames_lost", last.start, last.end - last.start)
    ]


@pytest.mark.parametrize(
    "name", ["h264_open", "h264_ts", "h264_avi", "h264_flv", "hevc_open", "mpeg4_avi_b", "mpeg2_ps", "vp9", "mjpeg_avi"]
)
def test_every_frame_of_a_damaged_file_is_found_or_lost_whatever_was_read_before(
    clip: ClipPath, tmp_path: Path, name: str
) -> None:
    whole = clip(name).read_bytes()
    read_any = 0
    for seed in range(6):
        chance = random.Random(f"{name}{seed}")
        data, count = bytearray(whole), chance.choice([1, 20, 300, 2000])
        at = chance.randrange(len(data) // 20, len(data) - count)
        data[at : at + count] = b"" if seed == 5 else chance.randbytes(count)
        path = tmp_path / f"{seed}{clip(name).suffix}"
        path.write_bytes(data)
        try:
            ref, plan = planned(path)
        except (UnreadableMedia, EmptyMedia):
            continue
        read_any += 1
        alone = {segment.start: read_alone(ref, plan, segment) for segment in plan.segments}
        for segment in plan.segments:
            found = alone[segment.start]
            lost = sum(loss.count for loss in found.losses[len(segment.losses) :] if loss.code == "frames_lost")
            assert len(found.frames) + lost == segment.end - segment.start
        source = open_source(ref, plan)
        for segment in chance.choices(plan.segments, k=6):
            assert read(source, segment) == alone[segment.start]
        source.close()
    assert read_any >= 3


def test_noise_in_place_of_a_file_is_refused_and_never_breaks(tmp_path: Path) -> None:
    heads = [b"", b"RIFF\x10\0\0\0AVI LIST", b"\0\0\0\x18ftypmp42", b"\x1aE\xdf\xa3", b"\0\0\0\1\x67", b"G" * 188]
    for seed, head in enumerate(heads):
        (tmp_path / "noise.mp4").write_bytes(head + random.Random(seed).randbytes(30_000))
        with pytest.raises(SightlineError):
            plan_source(video(tmp_path / "noise.mp4"))
