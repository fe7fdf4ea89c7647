"""Which stages follow the others, and from which frame on state is built up again."""

import pytest

from app.domain.pipeline import Condition, Stage
from app.engine.tasks import StageTask
from app.engine.trail import Trail, following, replay_from


def task(
    name: str, *needs: str, stateful: bool = False, pixels: bool = True, when: str = "", warmup: int | None = None
) -> StageTask:
    stage = Stage(name, name, needs=needs, when=Condition(when) if when else None)
    return StageTask(
        stage, "1.0.0", "", "", "detections", "auto", False, 50, stateful, needs_pixels=pixels, warmup_frames=warmup
    )  # fmt: skip


def tracker(name: str, *needs: str, **more: str) -> StageTask:
    return task(name, *needs, stateful=True, pixels=False, **more)


CASES = {
    "a detector alone": ((task("hog"),), ()),
    "a tracker behind a detector": ((task("hog"), tracker("track", "hog")), ("track",)),
    "a tracker that goes by a condition": ((task("hog"), tracker("track", when="hog")), ("track",)),
    "a tracker behind motion, which is stateful on pixels": ((task("mog", stateful=True), tracker("track", "mog")), ("track",)),
    "a counter behind a tracker": ((task("hog"), tracker("track", "hog"), tracker("count", "track")), ("track", "count")),
    "what reads no pixels and no follower": ((task("hog"), task("filter", "hog", pixels=False)), ()),
    "what reads no pixels behind a follower": (
        (task("hog"), tracker("track", "hog"), task("filter", "track", pixels=False)),
        ("track", "filter"),
    ),
    "a stage on pixels that needs a tracker": ((task("hog"), tracker("track", "hog"), task("crop", "track")), ()),
    "two trackers, one of them needed on pixels": (
        (task("hog"), tracker("one", "hog"), tracker("two", "hog"), task("crop", when="one")),
        ("two",),
    ),
    "a chain that ends on pixels": (
        (task("hog"), tracker("one", "hog"), tracker("two", "one"), task("text", "two", pixels=False), task("crop", "text")),
        (),
    ),
    "what followed only by a follower that does not": (
        (task("hog"), tracker("one", "hog"), task("text", "one", pixels=False), task("crop", "one")),
        (),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_stages_follow_where_nothing_on_pixels_waits_for_them(case: str) -> None:
    stages, wanted = CASES[case]
    assert following(stages) == wanted


def test_state_is_built_up_from_the_first_frame_unless_every_stage_declares_a_warm_up() -> None:
    warm, warmer = task("a", stateful=True, warmup=20), task("b", stateful=True, warmup=50)
    assert replay_from([warm, task("c")], 100) == 80
    assert replay_from([warm, warmer], 100) == 50
    assert replay_from([warm, warmer], 30) == 0
    assert replay_from([warm, task("d", stateful=True)], 100) == 0
    assert replay_from([task("c")], 100) == 0


def test_segments_to_be_followed_go_to_the_worker_that_holds_the_state() -> None:
    trail = Trail((task("hog"), tracker("track", "hog")))
    assert trail.worker_for_next({1: 2, 2: 1}, []) == 2
    trail.state_at = 1, 64
    assert trail.worker_for_next({1: 2, 2: 1}, []) == 1
    assert trail.worker_for_next({1: 2, 2: 1}, [1]) is None  # one at a time until it is known how long they take
    trail.took(0.1)
    assert trail.worker_for_next({1: 2, 2: 1}, [1]) == 1
    trail.lost_worker(1)
    assert trail.worker_for_next({1: 2, 2: 1}, [1]) is None  # what it had in hand comes back first
    assert trail.worker_for_next({2: 1}, []) == 2
    assert trail.worker_for_next({}, []) is None
    assert Trail((task("hog"),)).worker_for_next({1: 0}, []) is None
