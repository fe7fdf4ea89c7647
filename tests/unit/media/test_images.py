"""Images and folders of images as sources."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.domain.errors import EmptyMedia, UnreadableMedia
from app.domain.media import SourceKind, SourceRef
from app.media.planning import plan_source
from app.media.sources import DecodedFrame, open_source


def picture(value: int, width: int = 40, height: int = 30) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, np.uint8)


def frames_of(ref: SourceRef) -> list[DecodedFrame]:
    plan = plan_source(ref)
    source = open_source(ref, plan)
    frames = [frame for segment in plan.segments for frame in source.frames(segment)]
    source.close()
    return frames


def test_an_image_is_a_source_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture(77))
    ref = SourceRef(SourceKind.IMAGE, "a.png", str(path))
    [frame] = frames_of(ref)
    assert np.array_equal(frame.pixels, picture(77))
    assert (frame.index, frame.t_s, frame.pixels.flags.writeable) == (0, 0.0, False)
    assert plan_source(ref).media.container == "png"


@pytest.mark.parametrize(
    ("kind", "written"), [("grey", picture(50)[:, :, 0]), ("alpha", np.dstack([picture(50), picture(9)[:, :, 0]]))]
)
def test_grey_and_transparent_images_come_out_as_bgr(tmp_path: Path, kind: str, written: NDArray[np.uint8]) -> None:
    path = tmp_path / f"{kind}.png"
    cv2.imwrite(str(path), written)
    [frame] = frames_of(SourceRef(SourceKind.IMAGE, kind, str(path)))
    assert frame.pixels.shape == (30, 40, 3)


def test_a_photo_taken_sideways_comes_out_upright(tmp_path: Path) -> None:
    done, jpeg = cv2.imencode(".jpg", picture(120))
    assert done
    orientation = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = jpeg.tobytes()
    (tmp_path / "phone.jpg").write_bytes(data[:2] + orientation + data[2:])
    [frame] = frames_of(SourceRef(SourceKind.IMAGE, "phone.jpg", str(tmp_path / "phone.jpg")))
    assert frame.pixels.shape == (40, 30, 3)


def test_a_damaged_image_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50)
    with pytest.raises(UnreadableMedia, match="damaged"):
        plan_source(SourceRef(SourceKind.IMAGE, "broken.png", str(tmp_path / "broken.png")))


def test_an_image_gone_since_it_was_planned_is_a_lost_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), picture(7))
    ref = SourceRef(SourceKind.IMAGE, "a.png", str(path))
    plan = plan_source(ref)
    path.unlink()
    source = open_source(ref, plan)
    assert not list(source.frames(plan.segments[0]))
    assert [(loss.code, loss.first_index, loss.count) for loss in source.losses] == [("frames_lost", 0, 1)]


def test_a_folder_gives_its_images_in_natural_order_sixteen_to_a_segment(tmp_path: Path) -> None:
    for n in range(40):
        cv2.imwrite(str(tmp_path / f"frame{n}.png"), picture(n * 5))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_bytes((tmp_path / "frame0.png").read_bytes())
    (tmp_path / "folder.png").mkdir()
    ref = SourceRef(SourceKind.FOLDER, "shots", str(tmp_path))
    plan = plan_source(ref)
    assert [(segment.start, segment.end) for segment in plan.segments] == [(0, 16), (16, 32), (32, 40)]
    assert plan.media.frames == 40
    frames = frames_of(ref)
    assert [frame.index for frame in frames] == list(range(40))
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [n * 5 for n in range(40)]


def test_a_damaged_image_in_a_folder_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    for n in range(5):
        cv2.imwrite(str(tmp_path / f"{n}.png"), picture(n))
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:30])
    ref = SourceRef(SourceKind.FOLDER, "shots", str(tmp_path))
    plan = plan_source(ref)
    source = open_source(ref, plan)
    assert [frame.index for frame in source.frames(plan.segments[0])] == [0, 1, 3, 4]
    [loss] = source.losses
    assert (loss.code, loss.first_index, loss.count) == ("frames_lost", 2, 1)
    assert "2.png" in loss.message


def test_a_folder_without_images_is_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(EmptyMedia, match="no images"):
        plan_source(SourceRef(SourceKind.FOLDER, "shots", str(tmp_path)))


def test_the_plan_of_a_folder_stands_when_files_are_added(tmp_path: Path) -> None:
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"{n}.png"), picture(n))
    ref = SourceRef(SourceKind.FOLDER, "shots", str(tmp_path))
    plan = plan_source(ref)
    cv2.imwrite(str(tmp_path / "0a.png"), picture(99))
    source = open_source(ref, plan)
    assert [int(frame.pixels[0, 0, 0]) for frame in source.frames(plan.segments[0])] == [0, 1, 2]
