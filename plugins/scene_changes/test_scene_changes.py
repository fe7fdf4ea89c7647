"""scene_changes by the harness, against the cuts known from its drawing, and at its limits."""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
import pytest

from app.sdk import Classification, Frame
from app.testing.harness import Harness


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def maker(harness: Harness) -> Any:
    """Import make_sample.py beside this file, the way a worker would."""
    return importlib.import_module(".make_sample", type(harness.trial().witness.plugin).__module__.rpartition(".")[0])


def cuts(harness: Harness, pictures: Iterable[np.ndarray], **options: Any) -> list[int]:
    trial, found = harness.trial(**options), []
    for index, picture in enumerate(pictures):
        output = trial.process(Frame(picture, index, None))
        assert isinstance(output, Classification), output
        found += [index for score in output.classes if score.label == "cut"]
    return found


def scene(seed: int, frames: int) -> list[np.ndarray]:
    """A shot of one colour with some texture and a little noise."""
    chance = np.random.default_rng(seed)
    ground = chance.integers(0, 256, 3) + chance.integers(-20, 20, (60, 80, 3))
    return [np.clip(ground + chance.normal(0, 3, ground.shape), 0, 255).astype(np.uint8) for _ in range(frames)]


def test_the_sample_is_what_its_script_draws_and_its_cuts_are_found_and_nothing_else(harness: Harness) -> None:
    drawn, stored = maker(harness), [frame.pixels for frame in harness.every_frame()]
    for one, other in zip(drawn.draw(), stored, strict=True):
        assert float(np.abs(one.astype(int) - other.astype(int)).mean()) < 8
    assert cuts(harness, stored) == list(drawn.CUTS)


@pytest.mark.parametrize("gap", [9, 17])
def test_a_cut_is_found_wherever_it_stands(harness: Harness, gap: int) -> None:
    assert cuts(harness, [*scene(1, gap), *scene(2, gap), *scene(3, gap)]) == [gap, 2 * gap]


def test_what_changes_too_soon_after_a_cut_is_none(harness: Harness) -> None:
    pictures = [*scene(1, 20), *scene(2, 4), *scene(3, 20)]
    assert cuts(harness, pictures) == [20]
    assert cuts(harness, pictures, shortest=3, ratio=1) == [20, 24]


def test_a_picture_that_brightens_slowly_is_no_cut_on_any_frame(harness: Harness) -> None:
    ground = np.random.default_rng(7).integers(0, 6, (60, 80, 3))
    assert cuts(harness, ((ground + level).astype(np.uint8) for level in range(0, 250, 4))) == []


def test_something_large_that_moves_through_the_picture_is_no_cut(harness: Harness) -> None:
    pictures = scene(4, 40)
    for index, picture in enumerate(pictures):
        cv2.rectangle(picture, (index * 6 - 80, 0), (index * 6 - 50, 59), (250, 20, 20), -1)
    assert cuts(harness, pictures) == []


def test_the_threshold_decides(harness: Harness) -> None:
    pictures = [*scene(1, 20), *scene(2, 20)]
    assert cuts(harness, pictures, threshold=0.99) == []
    assert cuts(harness, pictures, threshold=0.05) == [20]


def test_a_single_frame_has_no_cut(harness: Harness) -> None:
    assert cuts(harness, scene(1, 1)) == []
