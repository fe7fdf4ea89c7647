"""The rules that judge a stage's health, each on both sides of its border, and on both sides of the way back."""

import pytest

from app.domain.health import WINDOW_FRAMES, Health, RecentPast, Vitals, disabled, judge

OK, DEGRADED, FAILING = Health


def health(frames: int, *, previous: Health = OK, budget: float | None = 50.0, **bad: int) -> Health | None:
    verdict = judge(Vitals(frames, **bad), previous, budget)
    return None if verdict is None else verdict.health


@pytest.mark.parametrize("frames", [0, 1, 20, 200])
def test_a_stage_that_does_its_work_is_ok_and_gives_no_reason(frames: int) -> None:
    assert judge(Vitals(frames), OK, 50.0) == (OK, "")


@pytest.mark.parametrize(
    ("previous", "failures", "expected"),
    [
        (OK, 1, OK), (OK, 2, DEGRADED), (OK, 39, DEGRADED), (OK, 40, FAILING), (OK, 200, FAILING),
        (DEGRADED, 1, DEGRADED), (DEGRADED, 0, OK), (DEGRADED, 39, DEGRADED), (DEGRADED, 40, FAILING),
        (FAILING, 40, FAILING), (FAILING, 20, FAILING), (FAILING, 19, DEGRADED), (FAILING, 0, OK),
    ],
)  # fmt: skip
def test_failures_degrade_from_one_in_a_hundred_fail_from_one_in_five_and_end_at_half_of_that(
    previous: Health, failures: int, expected: Health
) -> None:
    assert health(200, previous=previous, failures=failures) is expected


@pytest.mark.parametrize(
    ("previous", "over", "expected"),
    [(OK, 19, OK), (OK, 20, DEGRADED), (OK, 200, DEGRADED), (DEGRADED, 10, DEGRADED), (DEGRADED, 9, OK)],
)
def test_a_stage_is_degraded_by_one_frame_in_ten_over_budget_until_it_is_less_than_one_in_twenty(
    previous: Health, over: int, expected: Health
) -> None:
    assert health(200, previous=previous, over_budget=over) is expected
    assert health(200, previous=OK, over_budget=200, budget=None) is OK


@pytest.mark.parametrize(("restarts", "expected"), [(0, OK), (1, DEGRADED), (2, DEGRADED), (3, FAILING)])
def test_a_stage_that_takes_workers_down_is_degraded_and_then_failing(restarts: int, expected: Health) -> None:
    assert health(100, restarts=restarts) is expected
    assert health(100, restarts=2, previous=FAILING) is FAILING


def test_a_few_frames_say_nothing_about_the_budget_and_take_no_bad_verdict_back() -> None:
    assert health(19, over_budget=19) is OK
    assert health(20, over_budget=20) is DEGRADED
    assert health(19, previous=DEGRADED) is None
    assert health(20, previous=DEGRADED) is OK
    assert health(2, failures=1) is DEGRADED
    assert health(20, failures=10) is FAILING


def test_every_verdict_has_its_reason_in_words() -> None:
    said = {
        judge(Vitals(200, failures=12), OK, 50.0).reason: "12 of the last 200 frames failed (6.0%).",
        judge(Vitals(180, over_budget=90), OK, 2.5).reason: (
            "90 of the last 180 frames took longer than the budget of 2.5 ms."
        ),
        judge(Vitals(50, restarts=1), OK, 50.0).reason: "It took its worker down once within the last 50 frames.",
        judge(Vitals(50, restarts=4), OK, 50.0).reason: "It took its worker down 4 times within the last 50 frames.",
        judge(Vitals(200, over_budget=3), DEGRADED, 50.0).reason: (
            "Well again: none of the last 200 frames failed (0.0%). "
            "3 of the last 200 frames took longer than the budget of 50 ms."
        ),
        disabled(2, 5).reason: "Disabled after 2 frames of 5 failed.",
    }
    assert list(said) == list(said.values())
    assert disabled(2, 5).health is FAILING


def test_the_worst_decides() -> None:
    assert judge(Vitals(200, failures=60, over_budget=200), OK, 50.0).reason.startswith("60 of the last 200 frames failed")
    assert "budget" in judge(Vitals(200, over_budget=100), OK, 50.0).reason


def test_what_is_long_past_is_forgotten_and_a_full_window_is_kept() -> None:
    recent = RecentPast()
    for _ in range(10):
        recent.add(Vitals(30, failures=30))
    assert recent.sum == Vitals(210, failures=210)
    for _ in range(7):
        recent.add(Vitals(30))
    assert recent.sum == Vitals(210)
    recent.add(Vitals(5000, restarts=1))
    assert recent.sum == Vitals(5000, restarts=1)
    recent.add(Vitals())
    assert recent.sum.frames >= WINDOW_FRAMES


def test_a_share_that_wavers_about_the_border_does_not_tell_a_change_each_time() -> None:
    now, told = OK, []
    for over in (10, 19, 21, 19, 21, 18, 12, 9, 12, 19):
        verdict = judge(Vitals(200, over_budget=over), now, 50.0)
        if verdict.health is not now:
            now = verdict.health
            told.append(now)
    assert told == [DEGRADED, OK]
