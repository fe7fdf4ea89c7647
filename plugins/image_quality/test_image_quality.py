"""image_quality by the harness, against what its sample is known to show, and its formulas against pictures made to measure."""

import importlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from app.sdk import Frame, Measurements
from app.testing.harness import Harness


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def maker(harness: Harness) -> Any:
    """Import make_sample.py beside this file, the way a worker would."""
    return importlib.import_module(".make_sample", type(harness.trial().witness.plugin).__module__.rpartition(".")[0])


def measure(harness: Harness, *pictures: np.ndarray, **options: Any) -> list[dict[str, float]]:
    trial, rows = harness.trial(**options), []
    for index, picture in enumerate(pictures):
        output = trial.process(Frame(picture, index, None))
        assert isinstance(output, Measurements), output
        rows.append({item.name: item.value for item in output.measurements})
    return rows


def of_sample(harness: Harness) -> list[dict[str, float]]:
    return measure(harness, *(frame.pixels for frame in harness.every_frame()))


def test_the_sample_is_what_its_script_draws(harness: Harness) -> None:
    for drawn, frame in zip(maker(harness).draw(), harness.every_frame(), strict=True):
        assert float(np.abs(drawn.astype(int) - frame.pixels.astype(int)).mean()) < 12


def test_each_stretch_of_the_sample_shows_what_is_wrong_with_it_and_nothing_else(harness: Harness) -> None:
    drawn, rows = maker(harness), of_sample(harness)
    sharp = rows[4]
    for index, row in enumerate(rows):
        assert bool(row["black"]) == (index in drawn.BLACK), index
        still = index in drawn.BLACK[1:] or index in drawn.FROZEN[1:]
        assert bool(row.get("frozen", 0)) == still, index
        assert (row["noise"] > 4) == (index in drawn.NOISY), index
        assert (row["brightness"] < 20) == (index in drawn.DARK or index in drawn.BLACK), index
        assert (row["brightness"] > 80) == (index in drawn.BRIGHT), index
    assert all(rows[index]["sharpness"] < sharp["sharpness"] / 5 for index in drawn.BLURRED)
    assert "change" not in rows[0]


def test_a_frame_seen_after_one_frame_of_warm_up_is_measured_as_if_all_were_seen(harness: Harness) -> None:
    assert harness.metadata.warmup_frames == 1
    pictures = [frame.pixels for frame in harness.every_frame()]
    straight = measure(harness, *pictures)
    for begin in (7, 13, 33, 46):
        assert measure(harness, *pictures[begin - 1 :])[1:] == straight[begin:]


@pytest.mark.parametrize("sigma", [1.0, 4.0, 16.0])
def test_noise_is_measured_as_it_was_made(harness: Harness, sigma: float) -> None:
    dirt = np.random.default_rng(1).normal(128, sigma, (240, 320)).clip(0, 255).round().astype(np.uint8)
    (row,) = measure(harness, cv2.cvtColor(dirt, cv2.COLOR_GRAY2BGR))
    assert row["noise"] == pytest.approx((sigma**2 + 1 / 12) ** 0.5, rel=0.05)  # rounding to whole levels is noise too


def test_sharpness_is_the_same_for_one_scene_at_two_sizes_and_falls_with_blur(harness: Harness) -> None:
    scene = cv2.resize(np.random.default_rng(2).integers(0, 255, (90, 160, 3)).astype(np.uint8), (1280, 720))
    small = cv2.resize(scene, (640, 360), interpolation=cv2.INTER_AREA)
    blurred = [cv2.GaussianBlur(scene, (0, 0), sigma) for sigma in (2, 5)]
    values = [row["sharpness"] for row in measure(harness, scene, small, *blurred)]
    assert values[1] == pytest.approx(values[0], rel=0.01)
    assert values[1:] == sorted(values[1:], reverse=True)


def test_exposure_tells_how_bright_and_how_much_is_lost(harness: Harness) -> None:
    half = np.zeros((100, 200, 3), np.uint8)
    half[:, 100:] = 255
    (row,) = measure(harness, half)
    assert (row["brightness"], row["too_dark"], row["too_bright"], row["black"]) == (50.0, 50.0, 50.0, 0.0)
    assert measure(harness, half, black_share=50)[0]["black"] == 1.0


def test_a_frame_that_changes_a_little_is_frozen_only_where_that_is_asked_for(harness: Harness) -> None:
    one = np.full((100, 100, 3), 100, np.uint8)
    other = one.copy()
    other[:10] = 120  # a tenth of the picture by 20 of 255 levels: 0.78 %
    assert [row.get("frozen") for row in measure(harness, one, other, other)] == [None, 0.0, 1.0]
    assert [row.get("frozen") for row in measure(harness, one, other, frozen_change=0.8)] == [None, 1.0]
