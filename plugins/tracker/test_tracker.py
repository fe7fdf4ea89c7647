"""tracker by the harness, against who is really who on its sample, and at its limits."""

import importlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from app.sdk import Box, Detection, Detections, Frame
from app.testing.harness import Harness

PIXELS = np.zeros((48, 64, 3), np.uint8)


def test_it_does_what_the_engine_relies_on(plugin_check: Callable[[], str]) -> None:
    plugin_check()


def module(harness: Harness, name: str) -> Any:
    """Import a file of the plugin's folder, the way a worker would."""
    plugin = harness.trial().witness.plugin
    return importlib.import_module(f".{name}", type(plugin).__module__.rpartition(".")[0])


def follow(harness: Harness, frames: Sequence[tuple[int, list[Detection]]], **options: Any) -> dict[int, list[Detection]]:
    """Give what the tracker tells of detections, by frame."""
    trial, told = harness.trial(**options), {}
    for index, found in frames:
        output = trial.process(Frame(PIXELS, index, index / 10, {"detector": Detections(tuple(found))}))
        assert isinstance(output, Detections), output
        told[index] = list(output.detections)
    return told


def thing(x: float, y: float = 0.4, *, label: str = "person", sure: float = 0.9, w: float = 0.1) -> Detection:
    return Detection(label, sure, Box(x, y, w, 0.2))


def walk(frames: int, *, hidden: range = range(0), step: float = 0.01, every: int = 1) -> list[tuple[int, list[Detection]]]:
    """Somebody who walks to the right, and is out of sight for a while."""
    return [(index, [] if index in hidden else [thing(0.1 + step * index)]) for index in range(0, frames, every)]


def numbers(told: dict[int, list[Detection]]) -> set[int | None]:
    return {detection.track_id for found in told.values() for detection in found}


def test_each_walker_of_the_sample_keeps_one_number_and_nobody_shares_it(harness: Harness) -> None:
    sample, told = module(harness, "make_sample"), harness.run(harness.every_frame())
    numbers_of: dict[int, set[int | None]] = {number: set() for number in range(-1, len(sample.WALKERS))}
    for frame, output in zip(told.frames, told.given, strict=True):
        by_box = {detection.box: detection.track_id for detection in output.detections}
        for walker, found in sample.found_on(frame.index):
            numbers_of[walker].add(by_box.get(Box(*found["box"])))
    assert numbers_of.pop(-1) == {None}, "the false alarm became a track"
    assert all(len(seen) == 1 and None not in seen for seen in numbers_of.values()), numbers_of
    assert len(set.union(*numbers_of.values())) == len(sample.WALKERS)


def test_the_order_in_which_detections_are_told_changes_nothing(harness: Harness) -> None:
    frames = [(index, [thing(0.1 + 0.01 * index), thing(0.5), thing(0.8 - 0.01 * index, 0.1)]) for index in range(20)]
    turned = [(index, found[::-1]) for index, found in frames]
    assert follow(harness, frames) == follow(harness, turned)


def test_somebody_out_of_sight_is_found_again_within_the_patience_and_is_new_after_it(harness: Harness) -> None:
    assert numbers(follow(harness, walk(60, hidden=range(20, 40)))) == {1}
    assert numbers(follow(harness, walk(60, hidden=range(20, 40)), patience=10)) == {1, 2}


def test_frames_that_the_detector_did_not_run_on_are_reckoned_with(harness: Harness) -> None:
    assert numbers(follow(harness, walk(60, every=3))) == {1}
    assert numbers(follow(harness, walk(90, step=0.004, every=10))) == {1}


def test_a_detection_of_one_frame_is_no_track_and_two_frames_make_one(harness: Harness) -> None:
    frames = [(0, []), (1, [thing(0.3)]), (2, []), (3, [thing(0.6)]), (4, [thing(0.6)]), (5, [thing(0.6)])]
    told = follow(harness, frames)
    assert [len(told[index]) for index in range(6)] == [0, 0, 0, 0, 1, 1]


def test_unsure_detections_carry_a_track_on_and_begin_none(harness: Harness) -> None:
    faint = [(index, [thing(0.4, sure=0.2 if index > 5 else 0.9)]) for index in range(12)]
    assert [len(found) for found in follow(harness, faint).values()] == [1] * 12
    assert numbers(follow(harness, [(index, [thing(0.4, sure=0.2)]) for index in range(12)])) == set()
    assert len(follow(harness, faint, least=0.3)[8]) == 0


def test_things_with_different_labels_are_never_one_track(harness: Harness) -> None:
    frames = [(index, [thing(0.4, label="dog" if index > 9 else "person")]) for index in range(20)]
    assert numbers(follow(harness, frames)) == {1, 2}
    assert numbers(follow(harness, frames, labels=["dog"])) == {1}


def test_two_who_pass_each_other_keep_their_numbers(harness: Harness) -> None:
    frames = [(index, [thing(0.1 + 0.014 * index, 0.4), thing(0.8 - 0.014 * index, 0.45)]) for index in range(50)]
    told = follow(harness, frames)
    first, last = ({d.box.y: d.track_id for d in told[index]} for index in (0, 49))
    assert first == last


@pytest.mark.parametrize("box", [Box(0.2, 0.2, 0.0, 0.0), Box(0, 0, 1, 1), Box(1, 1, 0, 0)])
def test_boxes_of_any_size_can_be_followed(harness: Harness, box: Box) -> None:
    twice = [Detection("x", 0.9, box), Detection("x", 0.9, box)]
    told = follow(harness, [(index, twice) for index in range(5)])
    assert all(len({d.track_id for d in found}) == len(found) for found in told.values())


def test_what_a_detector_gave_stays_as_it_was_but_for_the_number(harness: Harness) -> None:
    (told,) = follow(harness, [(7, [thing(0.3, sure=0.77)])]).values()
    assert told == [Detection("person", 0.77, Box(0.3, 0.4, 0.1, 0.2), 1)]


def test_assignments_are_the_cheapest_there_are(harness: Harness) -> None:
    assign, chance = module(harness, "assignment").assign, np.random.default_rng(3)

    def total(costs: Any, pairs: list[tuple[int, int]], limit: float) -> float:
        return sum(costs[pair] for pair in pairs) + limit * (len(costs) - len(pairs))

    for _ in range(120):
        rows, columns = chance.integers(1, 5, 2)
        costs, limit = chance.random((rows, columns)).round(2), 0.6
        pairs = assign(costs, limit)
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
        assert all(costs[pair] <= limit for pair in pairs)
        choices = itertools.product(range(columns + 1), repeat=rows)  # the last stands for nobody
        fair = (c for c in choices if len({x for x in c if x < columns}) == sum(x < columns for x in c))
        best = min(total(costs, [(r, c) for r, c in enumerate(choice) if c < columns], limit) for choice in fair)
        assert total(costs, pairs, limit) == pytest.approx(best)


def test_the_filter_is_the_one_with_matrices(harness: Harness) -> None:
    motion = module(harness, "motion")
    chance, step = np.random.default_rng(4), np.eye(8)
    step[:4, 4:] = np.eye(4)
    see = np.eye(4, 8)
    begin = np.array([0.5, 0.5, 0.1, 0.3])
    ours, state = motion.Motion(begin), np.concatenate((begin, np.zeros(4)))
    spread = np.diag(
        np.concatenate(((2 * motion.POSITION * begin[[2, 3, 2, 3]]) ** 2, (10 * motion.SPEED * begin[[2, 3, 2, 3]]) ** 2))
    )
    for _ in range(20):
        size = state[[2, 3, 2, 3]]
        noise = np.diag(np.concatenate(((motion.POSITION * size) ** 2, (motion.SPEED * size) ** 2)))
        state, spread = step @ state, step @ spread @ step.T + noise
        ours.predict(1, seen=True)
        assert ours.place == pytest.approx(state[:4])
        seen = state[:4] + chance.normal(0, 0.01, 4)
        gain = spread @ see.T @ np.linalg.inv(see @ spread @ see.T + np.diag((motion.POSITION * state[[2, 3, 2, 3]]) ** 2))
        state, spread = state + gain @ (seen - see @ state), (np.eye(8) - gain @ see) @ spread
        ours.correct(seen)
        assert np.concatenate((ours.place, ours.speed)) == pytest.approx(state)
        assert np.concatenate((ours.pp, ours.pv, ours.vv)) == pytest.approx(
            np.concatenate((np.diag(spread)[:4], np.diag(spread[:4, 4:]), np.diag(spread)[4:]))
        )
