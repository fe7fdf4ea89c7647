"""The sample clip: its truth fits its pictures, and the script makes the same truth again."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from samples.make_shapes import COLOURS, LABELS, SEED, scenes, truth_document, write_clip, write_truth
from tests.unit.media.conftest import planned

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((SAMPLES / "shapes.truth.json").read_text())


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    with av.open(str(SAMPLES / "shapes.mp4")) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_the_clip_is_small_and_cut_into_several_segments() -> None:
    assert (SAMPLES / "shapes.mp4").stat().st_size < 1_000_000
    _, plan = planned(SAMPLES / "shapes.mp4")
    assert (plan.media.width, plan.media.height, plan.media.frames, plan.media.fps) == (480, 270, 150, 25.0)
    assert len(plan.segments) == 3


def test_the_truth_tells_of_every_frame(truth: dict, frames: list[np.ndarray]) -> None:
    assert (truth["seed"], truth["width"], truth["height"], truth["fps"]) == (SEED, 480, 270, 25)
    assert [frame["frame_index"] for frame in truth["frames"]] == list(range(len(frames)))
    objects = [each for frame in truth["frames"] for each in frame["objects"]]
    assert {each["label"] for each in objects} <= set(LABELS)
    for each in objects:
        x, y, w, h = each["box"]
        assert x >= 0 <= y
        assert x + w <= 1.0001 >= y + h
        assert w > 0 < h
        assert 0.1 <= each["visible"] <= 1


def test_the_middle_of_each_box_has_the_shapes_colour(truth: dict, frames: list[np.ndarray]) -> None:
    looked = 0
    for frame, pixels in zip(truth["frames"], frames, strict=True):
        for each in frame["objects"]:
            if each["visible"] < 0.99:
                continue
            x, y, w, h = each["box"]
            column, row = int((x + w / 2) * 480), int((y + h / 2) * 270)
            found = pixels[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).mean(0)
            assert np.abs(found - COLOURS[each["label"].split()[0]]).max() < 40, (frame["frame_index"], each)
            looked += 1
    assert looked > 500


def test_outside_all_boxes_no_pixel_has_a_shapes_colour(truth: dict, frames: list[np.ndarray]) -> None:
    for frame, pixels in list(zip(truth["frames"], frames, strict=True))[::25]:
        rest = np.ones(pixels.shape[:2], bool)
        for each in frame["objects"]:
            x, y, w, h = each["box"]
            rest[max(0, int(y * 270) - 3) : int((y + h) * 270) + 4, max(0, int(x * 480) - 3) : int((x + w) * 480) + 4] = False
        for colour in COLOURS.values():
            close = (np.abs(pixels.astype(int) - colour).max(2) < 25) & rest
            assert close.mean() < 0.005  # shapes of which less than a tenth can be seen have no truth


def test_shapes_overlap_and_leave_the_frame(truth: dict) -> None:
    behind = gone = 0
    for frame in truth["frames"]:
        for each in frame["objects"]:
            x, y, w, h = each["box"]
            inside = x > 0.001 and y > 0.001 and x + w < 0.999 and y + h < 0.999
            behind += inside and each["visible"] < 0.8
            gone += not inside and each["visible"] < 0.8
    assert behind > 50
    assert gone > 50


def test_the_script_makes_the_same_truth_again(truth: dict) -> None:
    assert truth_document(SEED) == truth


def test_a_seed_gives_the_same_scenes_and_another_gives_others() -> None:
    first, again, other = (list(scenes(seed, frames=2, width=160, height=120)) for seed in (7, 7, 8))
    assert np.array_equal(first[1][0], again[1][0])
    assert first[1][1] == again[1][1]
    assert not np.array_equal(first[1][0], other[1][0])
    assert first[0][0].shape == (120, 160, 3)


def test_a_clip_of_another_seed_can_be_written_with_its_truth(tmp_path: Path) -> None:
    write_clip(tmp_path / "other.mp4", 7, frames=5, width=160, height=120)
    write_truth(tmp_path / "other.truth.json", 7, frames=5, width=160, height=120)
    written = json.loads((tmp_path / "other.truth.json").read_text())
    assert written == truth_document(7, frames=5, width=160, height=120)
    _, plan = planned(tmp_path / "other.mp4")
    assert (plan.media.width, plan.media.height, plan.media.frames) == (160, 120, 5)
