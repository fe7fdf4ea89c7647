"""The rules that judge a stage's health, each on both sides of its border."""

from typing import Any

import pytest

from app.domain.health import Health, judge


def verdict(**facts: Any) -> tuple[Health, str]:
    return judge(**({"frames": 0, "soft_failures": 0, "p95_ms": 10.0, "budget_ms": 50.0} | facts))


@pytest.mark.parametrize("facts", [{}, {"frames": 1000}, {"frames": 1000, "budget_ms": None, "p95_ms": 9e9}])
def test_a_stage_that_does_its_work_is_ok_and_gives_no_reason(facts: dict[str, Any]) -> None:
    assert verdict(**facts) == (Health.OK, "")


@pytest.mark.parametrize(
    ("frames", "failed", "health", "reason"),
    [
        (991, 9, Health.OK, ""),
        (990, 10, Health.DEGRADED, "10 frames of 1000 failed (1.0%)."),
        (801, 199, Health.DEGRADED, "199 frames of 1000 failed (19.9%)."),
        (800, 200, Health.FAILING, "200 frames of 1000 failed (20%)."),
        (0, 1000, Health.FAILING, "1000 frames of 1000 failed (100%)."),
        (18, 1, Health.DEGRADED, "1 frame of 19 failed (5.3%)."),
        (10, 9, Health.DEGRADED, "9 frames of 19 failed (47.4%)."),
        (16, 4, Health.FAILING, "4 frames of 20 failed (20%)."),
    ],
)
def test_failures_degrade_from_one_in_a_hundred_and_fail_from_one_in_five(
    frames: int, failed: int, health: Health, reason: str
) -> None:
    assert verdict(frames=frames, soft_failures=failed) == (health, reason)


@pytest.mark.parametrize(("p95", "health"), [(50.0, Health.OK), (50.1, Health.DEGRADED)])
def test_a_stage_over_its_budget_is_degraded(p95: float, health: Health) -> None:
    assert verdict(frames=20, p95_ms=p95)[0] is health


def test_a_stage_over_its_budget_says_by_how_much() -> None:
    assert verdict(frames=500, p95_ms=312.44, budget_ms=150).reason == "p95 is 312.4 ms, over the budget of 150 ms."


def test_a_few_frames_say_nothing_about_the_budget() -> None:
    assert verdict(frames=19, p95_ms=1e6)[0] is Health.OK


def test_failures_weigh_more_than_the_budget() -> None:
    assert "failed" in verdict(frames=900, soft_failures=100, p95_ms=100.0).reason


def test_a_disabled_stage_is_failing_however_few_frames_it_saw() -> None:
    assert verdict(frames=3, soft_failures=2, disabled=True) == (Health.FAILING, "Disabled after 2 frames of 5 failed.")
