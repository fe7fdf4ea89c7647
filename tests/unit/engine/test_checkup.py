"""The checkup: a verdict that stood only for a moment is told all the same, in its order."""

from app.domain.health import WINDOW_FRAMES, Health
from app.domain.pipeline import Stage
from app.engine.checkup import Checkup
from app.engine.messages import StageTally
from app.engine.tasks import StageTask

TASK = StageTask(Stage("hog", "hog"), "1.0.0", "", "", "detections", "auto", False, 50, False)


def tally(frames: int, failures: int = 0) -> list[StageTally]:
    return [StageTally("hog", frames - failures, failures, 0, {}, frames, 1, 1)]


def told(checkup: Checkup, *, whole: bool = False) -> list[Health]:
    return [verdict.health for _, verdict in checkup.news(whole=whole)]


def test_a_worker_taken_down_is_told_although_many_frames_went_well_before_anybody_asked() -> None:
    checkup = Checkup([TASK])
    checkup.restarted("hog")
    for _ in range(4):
        checkup.take_in(tally(WINDOW_FRAMES), {})
    assert told(checkup) == [Health.DEGRADED, Health.OK]
    assert told(checkup) == []


def test_a_verdict_is_told_once_and_new_words_for_it_only_where_the_whole_is_asked_for() -> None:
    checkup = Checkup([TASK])
    counts = checkup.take_in(tally(50), {})
    assert told(checkup) == []
    assert told(checkup, whole=True) == [Health.OK]
    assert told(checkup, whole=True) == []
    counts = checkup.take_in(tally(100, failures=5), counts)
    assert told(checkup) == [Health.DEGRADED]
    checkup.take_in(tally(150, failures=9), counts)
    assert told(checkup) == []
    assert told(checkup, whole=True) == [Health.DEGRADED]


def test_what_was_found_before_a_restart_of_the_server_counts() -> None:
    checkup = Checkup([TASK])
    checkup.judged["hog"] = Health.DEGRADED
    checkup.take_in(tally(2 * WINDOW_FRAMES), {})
    assert told(checkup) == [Health.OK]
