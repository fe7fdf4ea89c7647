"""The device decision of a plugin that runs no network, and how decisions are written down."""

import pytest

from app.devices.record import decide_without_network
from app.domain.device import AttemptOutcome, DeviceRequest, FallbackCode, Target


@pytest.mark.parametrize("asked", ["auto", "cpu"])
def test_auto_and_cpu_are_met_without_a_fallback(asked: str) -> None:
    decision = decide_without_network(DeviceRequest.parse(asked))
    assert (decision.requested, decision.used, decision.fallback, decision.code) == (asked, Target.CPU, False, None)
    assert "runs no network" in decision.reason
    assert [(attempt.target, attempt.outcome) for attempt in decision.attempts] == [(Target.CPU, AttemptOutcome.USED)]


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("cuda", Target.CUDA), ("cuda:1", Target.CUDA), ("cuda_fp16", Target.CUDA_FP16), ("opencl", Target.OPENCL),
        ("openvino", Target.OPENVINO),
    ],
)  # fmt: skip
def test_any_other_target_is_a_fallback_that_says_so(asked: str, target: Target) -> None:
    decision = decide_without_network(DeviceRequest.parse(asked))
    assert (decision.requested, decision.used, decision.fallback) == (asked, Target.CPU, True)
    assert decision.code is FallbackCode.NOT_APPLICABLE
    assert decision.reason == f"The plugin runs no network, so {asked} does not apply to it; its code runs on the CPU."
    skipped, used = decision.attempts
    assert (skipped.target, skipped.outcome, skipped.code) == (target, AttemptOutcome.SKIPPED, FallbackCode.NOT_APPLICABLE)
    assert (used.target, used.outcome, used.code) == (Target.CPU, AttemptOutcome.USED, None)
