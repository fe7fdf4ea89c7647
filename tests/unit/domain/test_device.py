"""Device requests read from text, and decisions that keep what was tried."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.device import EXAMPLE_DECISION, AttemptOutcome, DeviceDecision, DeviceRequest, Target
from app.domain.errors import BadDevice


@pytest.mark.parametrize(
    ("text", "target", "ordinal"),
    [
        ("auto", None, None), ("cpu", Target.CPU, None), ("opencl", Target.OPENCL, None), ("openvino", Target.OPENVINO, None),
        ("cuda_fp16", Target.CUDA_FP16, None), ("cuda", Target.CUDA, None), ("cuda:0", Target.CUDA, 0),
        ("cuda:15", Target.CUDA, 15),
    ],
)  # fmt: skip
def test_each_request_is_read_and_written_back(text: str, target: Target | None, ordinal: int | None) -> None:
    request = DeviceRequest.parse(text)
    assert (request.target, request.ordinal) == (target, ordinal)
    assert str(request) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gpu",
        "CUDA",
        " cpu",
        "cpu\n",
        "cuda:",
        "cuda:-1",
        "cuda:a",
        "cuda:100",
        "cpu:0",
        "cuda_fp16:0",
        "auto:1",
        "cuda:٣",
        "cuda:01",
    ],
)
def test_anything_else_is_refused_with_what_may_be_said(text: str) -> None:
    with pytest.raises(BadDevice) as caught:
        DeviceRequest.parse(text)
    assert str(caught.value) == (
        f"The device is {text!r}, expected auto, cuda, cuda:N, cuda_fp16, openvino, opencl or cpu."
    )  # fmt: skip


@given(st.text(max_size=12))
def test_a_request_is_refused_or_written_back_as_it_was(text: str) -> None:
    try:
        request = DeviceRequest.parse(text)
    except BadDevice:
        return
    assert str(request) == text


def test_targets_stand_best_first_and_the_cpu_last() -> None:
    assert next(iter(Target)) is Target.CUDA_FP16
    assert list(Target)[-1] is Target.CPU


def test_the_example_decision_is_evidence_and_comes_back_from_json() -> None:
    last = EXAMPLE_DECISION.attempts[-1]
    assert (last.target, last.outcome) == (EXAMPLE_DECISION.used, AttemptOutcome.USED)
    assert EXAMPLE_DECISION.fallback
    assert EXAMPLE_DECISION.code is EXAMPLE_DECISION.attempts[0].code
    assert msgspec.json.decode(msgspec.json.encode(EXAMPLE_DECISION), type=DeviceDecision) == EXAMPLE_DECISION


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (DeviceRequest.parse("cuda:1"), "ordinal"),
        (EXAMPLE_DECISION, "fallback"),
        (EXAMPLE_DECISION.attempts[0], "reason"),
    ],
)
def test_what_was_asked_for_and_decided_cannot_be_changed(made: object, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(made, field, None)
