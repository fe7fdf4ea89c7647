"""The probe: what a file is, told by a child process, and clear refusals of what is no picture or video."""

import asyncio
import os
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest

from app.domain.errors import EmptyMedia, SightlineError, UnreadableMedia, UnsupportedSource
from app.domain.media import SourceKind, SourceRef
from app.media.child import ChildFailed, run_child
from app.media.planning import plan_source
from app.media.probe import identify, probe
from tests.unit.media.clips import CLIPS, sound_only
from tests.unit.media.conftest import ClipPath, video


def refused(ref: SourceRef, **options: float) -> SightlineError:
    """Give the error that a probe ends with."""
    with pytest.raises(SightlineError) as caught:
        asyncio.run(probe(ref, **options))
    return caught.value


def test_the_child_gives_the_same_plan_as_planning_here(clip: ClipPath) -> None:
    ref = video(clip("h264_open"))
    assert asyncio.run(probe(ref)) == plan_source(ref)


def test_the_child_is_found_from_any_folder(clip: ClipPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "av.py").write_text("raise RuntimeError('a file of the folder one stands in was imported')")
    assert asyncio.run(probe(video(clip("one_frame")))).media.frames == 1


def test_a_text_file_named_mp4_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("This is not a video, it is a shopping list.\n" * 20)
    error = refused(video(tmp_path / "notes.mp4"))
    assert isinstance(error, UnreadableMedia)
    assert str(error) == "notes.mp4 cannot be read as an image or a video: it is text, not media."


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    error = refused(video(tmp_path / "empty.mp4"))
    assert isinstance(error, EmptyMedia)
    assert str(error) == "empty.mp4 holds no frames: the file is empty."


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(video(tmp_path / "gone.mp4"))
    assert isinstance(error, UnreadableMedia)
    assert "no such file" in str(error)


def test_a_file_with_sound_only_is_refused(tmp_path: Path) -> None:
    error = refused(video(sound_only(tmp_path / "song.m4a")))
    assert isinstance(error, EmptyMedia)
    assert str(error) == "song.m4a holds no frames: it holds sound only."


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "bare.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    error = refused(video(tmp_path / "bare.mkv"))
    assert isinstance(error, EmptyMedia)
    assert str(error) == "bare.mkv holds no frames: the file ends before its first picture."


def test_an_mp4_that_ends_with_its_index_is_refused(clip: ClipPath, tmp_path: Path) -> None:
    data = clip("h264_faststart").read_bytes()
    (tmp_path / "bare.mp4").write_bytes(data[: data.index(b"mdat") + 4])
    error = refused(video(tmp_path / "bare.mp4"))
    assert isinstance(error, EmptyMedia)
    assert str(error) == "bare.mp4 holds no frames: its video track has no pictures."


def test_an_address_is_refused_for_now() -> None:
    error = refused(SourceRef(SourceKind.STREAM, "camera", None, url="rtsp://192.0.2.1/a"))
    assert isinstance(error, UnsupportedSource)


def test_a_probe_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless")  # reading it blocks until somebody writes
    ref = SourceRef(SourceKind.FOLDER, "endless", str(tmp_path))
    assert "no images" in str(refused(ref))  # it is never opened as a file of the folder
    with pytest.raises(ChildFailed, match=r"longer than 0\.3 s"):
        asyncio.run(run_child("timeit", ["-n", "1", "-s", "import time", "time.sleep(60)"], timeout_s=0.3))


def test_a_child_that_dies_is_told_by_its_signal() -> None:
    with pytest.raises(ChildFailed, match="the decoder died of SIGSEGV"):
        asyncio.run(run_child("timeit", ["-n", "1", "import os; os.kill(os.getpid(), 11)"], timeout_s=30))


def test_a_probe_cut_short_leaves_no_child_behind(clip: ClipPath) -> None:
    async def cut() -> None:
        task = asyncio.create_task(probe(video(clip("one_frame"))))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = set(psutil.Process().children())  # a database of other tests may be among them
    asyncio.run(cut())
    assert set(psutil.Process().children()) <= before


def test_a_picture_with_absurd_measures_does_not_eat_the_machine(tmp_path: Path) -> None:
    _, png = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))
    data = bytearray(png.tobytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(data)
    error = refused(SourceRef(SourceKind.IMAGE, "bomb.png", str(tmp_path / "bomb.png")))
    assert isinstance(error, UnreadableMedia)


@pytest.mark.parametrize("name", CLIPS)
def test_every_clip_is_known_as_a_video_by_its_bytes(clip: ClipPath, name: str) -> None:
    assert identify(clip(name)) is SourceKind.VIDEO


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".ppm", ".jp2", ".avif"])
def test_every_image_is_known_by_its_bytes_whatever_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    assert cv2.imwrite(str(path), np.full((64, 96, 3), 90, np.uint8))
    plain = path.rename(tmp_path / "picture")
    assert identify(plain) is SourceKind.IMAGE
    plan = asyncio.run(probe(SourceRef(SourceKind.IMAGE, "picture", str(plain))))
    assert (plan.media.width, plan.media.height, plan.media.frames) == (96, 64, 1)


def test_a_folder_is_known(tmp_path: Path) -> None:
    assert identify(tmp_path) is SourceKind.FOLDER
