"""The device decision of a stage: every code at the edge of OpenCV, the common ones with the OpenCV that is here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.devices import attach as attach_module
from app.devices.attach import Attachments
from app.devices.opencv import OpenCVRuntime
from app.devices.runtime import Runtime
from app.domain.device import AttemptOutcome, DeviceRequest, FallbackCode, Target
from app.domain.errors import AttachFailed
from tests.onnx_files import write_network
from tests.unit.devices.opencv_twin import EVERYTHING, OpenCVTwin, Raised

SAMPLE = np.random.default_rng(7).random((1, 3, 8, 8), np.float32)
NO_CUDA = "\n  OpenCL:                        NO\n"
USED, FAILED, SKIPPED = AttemptOutcome


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("models") / "tiny.onnx")


def attachments(asked: str, twin: Any = None, **options: Any) -> Attachments:
    """The networks of stage `finder`, on a twin of OpenCV or on the one that is here."""

    def open_(name: str, threads: int) -> Runtime:
        assert (name, threads) == ("opencv", 1)
        return OpenCVRuntime(twin)

    ways: dict[str, Callable[..., Runtime]] = {} if twin is None else {"open_runtime": open_}
    return Attachments(DeviceRequest.parse(asked), stage="finder", **{"devices": list(Target)} | ways | options)


def tried(decision: Any) -> list[tuple[str, str, str | None]]:
    return [(attempt.target.value, attempt.outcome.value, attempt.code) for attempt in decision.attempts]


@pytest.mark.parametrize("asked", ["auto", "cuda_fp16"])
def test_the_best_target_is_used_where_it_is_here_and_right(asked: str, model: Path) -> None:
    twin = OpenCVTwin()
    networks = attachments(asked, twin)
    net = networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CUDA_FP16, False, None)
    assert decision.reason == "finder ran on CUDA in half precision."
    assert decision.warmup_ms > 0
    assert tried(decision) == [("cuda_fp16", "used", None)]
    assert twin.loaded[0].engine == "ENGINE_CLASSIC"
    assert net.input_names == ("blob",)
    assert set(net.output_names) == {"mean", "peak"}
    assert np.array_equal(net.forward(SAMPLE)["mean"], SAMPLE.mean((2, 3)))  # by name, though CLASSIC gives another order


ABSENT = {  # what was asked, what is here, the code, the clause a person reads
    "a wheel from PyPI": (
        "cuda",
        {"available": {}, "build": NO_CUDA, "devices": 0},
        "not_built",
        "OpenCV here was built without CUDA (no wheel on PyPI has it)",
    ),
    "no driver": (
        "cuda",
        {"available": {}, "devices": -1},
        "no_driver",
        "OpenCV was built with CUDA, but the NVIDIA driver is missing or too old for it",
    ),
    "no GPU": (
        "cuda_fp16",
        {"available": {}, "devices": 0},
        "no_device",
        "OpenCV was built with CUDA, but this machine shows it no NVIDIA GPU",
    ),
    "no cuDNN": (
        "cuda",
        {"available": {}},
        "no_backend",
        "OpenCV sees an NVIDIA GPU, but its dnn module was built without cuDNN",
    ),
    "no second GPU": ("cuda:1", {}, "no_device", "There is no GPU number 1 here"),
    "no half precision": (
        "cuda_fp16",
        {"available": {"CUDA": ("CUDA",)}, "load": {"cuda": Raised("x")}},
        "not_supported",
        "The GPU here runs OpenCV's networks, but not in half precision",
    ),
    "no OpenVINO": ("openvino", {"available": {}, "build": NO_CUDA}, "not_built", "OpenCV here was built without OpenVINO"),
    "OpenVINO's libraries": (
        "openvino",
        {"available": {}},
        "no_backend",
        "OpenCV was built with OpenVINO, but its libraries are not here",
    ),
    "a build without OpenCL": (
        "opencl",
        {"available": {}, "build": NO_CUDA},
        "not_built",
        "OpenCV here was built without OpenCL",
    ),
    "no OpenCL driver": (
        "opencl",
        {"available": {}, "open_cl": False},
        "no_driver",
        "OpenCV was built with OpenCL, but no OpenCL driver (ICD) is installed here",
    ),
    "no OpenCL device": (
        "opencl",
        {"available": {}},
        "no_device",
        "An OpenCL driver is installed, but it shows OpenCV no device that its networks can use",
    ),
    "a target the plugin does not list": (
        "openvino",
        {"devices_listed": ["cpu", "cuda"]},
        "not_supported",
        "finder's plugin does not list OpenVINO among the devices it can use",
    ),
}


@pytest.mark.parametrize("case", ABSENT)
def test_a_target_that_is_not_here_is_a_fallback_with_its_code_and_a_readable_sentence(case: str, model: Path) -> None:
    asked, here, code, clause = ABSENT[case]
    listed = here.get("devices_listed", list(Target))
    twin = OpenCVTwin(**{name: value for name, value in here.items() if name != "devices_listed"})
    networks = attachments(asked, twin, devices=listed)
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.requested, decision.used, decision.fallback, decision.code) == (asked, Target.CPU, True, code)
    assert decision.reason == f"{clause}, so finder ran on the CPU."
    first = decision.attempts[0]
    assert (first.target, first.outcome, first.code) == (DeviceRequest.parse(asked).target, FAILED, code)
    assert first.reason.startswith(clause)
    assert decision.attempts[-1].outcome is USED


@pytest.mark.parametrize("case", ABSENT)
def test_strict_refuses_with_the_same_clause_and_tries_nothing_else(case: str, model: Path) -> None:
    asked, here, code, clause = ABSENT[case]
    listed = here.get("devices_listed", list(Target))
    twin = OpenCVTwin(**{name: value for name, value in here.items() if name != "devices_listed"})
    networks = attachments(asked, twin, devices=listed, strict=True)
    with pytest.raises(AttachFailed, match=r"tiny\.onnx cannot be run: "):
        networks.attach(model, sample=SAMPLE)
    decision = networks.refused
    assert (decision.used, decision.fallback, decision.code) == (None, True, code)
    assert decision.reason.startswith(f"{clause}, so finder did not run.")
    assert len(decision.attempts) == 1
    assert not twin.loaded


BROKEN = {  # what goes wrong on CUDA, the code, words of the sentence, words of the evidence
    "its forward raises": (
        {"forward": {"cuda": Raised("cuDNN says no")}},
        "forward_failed",
        "could not run the network on CUDA",
        "Raised: cuDNN says no",
    ),
    "memory runs out": (
        {"forward": {"cuda": Raised("CUDA error: out of memory")}},
        "out_of_memory",
        "not enough memory",
        "out of memory",
    ),
    "memory runs out in Python": ({"forward": {"cuda": MemoryError()}}, "out_of_memory", "not enough memory", "MemoryError"),
    "a layer is not implemented": (
        {"forward": {"cuda": Raised("(-213:The function/feature is not implemented)")}},
        "not_supported",
        "cannot run this network there",
        "-213",
    ),
    "the driver is too old after all": (
        {"forward": {"cuda": Raised("CUDA driver version is insufficient for CUDA runtime version")}},
        "no_driver",
        "driver is missing or too old",
        "insufficient",
    ),
    "loading raises": (
        {"load": {"cuda": Raised("bad weights")}},
        "load_failed",
        "could not load tiny.onnx for CUDA",
        "bad weights",
    ),
    "its numbers are wrong": (
        {"given": {"cuda": {"mean": SAMPLE.mean((2, 3)) + 0.1}}},
        "wrong_result",
        "wrong results on CUDA",
        "output 'mean': 3 of 3 numbers differ by more than 0.02",
    ),
    "its numbers are none": (
        {"given": {"cuda": {"peak": np.full((1, 3), np.nan)}}},
        "wrong_result",
        "wrong results",
        "is nan instead of",
    ),
    "its shapes are wrong": (
        {"given": {"cuda": {"mean": SAMPLE.mean((2, 3))[:, :2]}}},
        "wrong_result",
        "wrong results",
        "has shape (1, 2) instead of (1, 3)",
    ),
    "every layer is on the CPU": (
        {
            "labels": {"cuda": (("Convolution", "OCV/CUDA"), ("Pooling", "OCV/CUDA"))},
            "says": {"cuda": "[ WARN:0@0.4] global net_impl.cpp:9 setUpNet switching to CPU\n"},
        },
        "not_supported",
        "ran every layer on the CPU",
        "setUpNet switching to CPU",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_target_that_is_here_and_fails_is_told_with_its_evidence(case: str, model: Path) -> None:
    wrong, code, said, proof = BROKEN[case]
    networks = attachments("cuda", OpenCVTwin(**wrong))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CPU, True, code)
    assert said in decision.reason
    assert decision.reason.endswith("so finder ran on the CPU.")
    assert tried(decision) == [("cuda", "failed", code), ("cpu", "used", None)]
    assert proof in decision.attempts[0].reason


@pytest.mark.parametrize("case", BROKEN)
def test_under_auto_a_present_target_that_fails_is_a_fallback_too(case: str, model: Path) -> None:
    wrong, code, _, _ = BROKEN[case]
    networks = attachments("auto", OpenCVTwin(available={"CUDA": ("CUDA",)}, **wrong))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CPU, True, code)
    skipped = {name: (outcome, why) for name, outcome, why in tried(decision)}
    assert skipped["cuda"] == ("failed", code)
    assert skipped["cuda_fp16"] == ("skipped", "not_supported")
    assert skipped["opencl"][0] == skipped["openvino"][0] == "skipped"


def test_after_a_failure_the_network_is_loaded_afresh(model: Path) -> None:
    twin = OpenCVTwin(forward={"cuda_fp16": Raised("no"), "cuda": Raised("no")})
    networks = attachments("auto", twin)
    networks.attach(model, sample=SAMPLE)
    assert networks.decision().used is Target.OPENVINO
    places = [net.place for net in twin.loaded]
    assert places == ["cuda_fp16", "cuda", "openvino", "cpu ENGINE_AUTO"]  # the last to compare with
    assert len({id(net) for net in twin.loaded}) == 4


def test_under_auto_what_is_not_here_is_skipped_and_no_fallback(model: Path) -> None:
    networks = attachments("auto", OpenCVTwin(available={}, build=NO_CUDA, devices=0))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CPU, False, None)
    assert {outcome for _, outcome, _ in tried(decision)[:-1]} == {"skipped"}
    assert decision.reason == (
        "CUDA in half precision, CUDA, OpenVINO and OpenCL are not available here, so finder ran on the CPU."
    )


def test_auto_tries_only_what_the_plugin_lists_in_the_fixed_order(model: Path) -> None:
    networks = attachments("auto", OpenCVTwin(forward={"cuda": Raised("no")}), devices=["opencl", "cpu", "cuda"])
    networks.attach(model, sample=SAMPLE)
    assert tried(networks.decision()) == [("cuda", "failed", "forward_failed"), ("opencl", "used", None)]


def test_half_precision_refused_by_a_gpu_goes_to_the_gpu_s_full_precision(model: Path) -> None:
    networks = attachments("cuda_fp16", OpenCVTwin(available=EVERYTHING | {"CUDA": ("CUDA",)}))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback, decision.code) == (Target.CUDA, True, FallbackCode.NOT_SUPPORTED)


def test_a_numbered_gpu_is_chosen_by_its_number(model: Path) -> None:
    twin = OpenCVTwin(devices=2)
    networks = attachments("cuda:1", twin)
    networks.attach(model, sample=SAMPLE)
    assert (networks.decision().requested, networks.decision().used, twin.chosen_gpu) == ("cuda:1", Target.CUDA, 1)


def test_layers_left_on_the_cpu_are_told_and_are_no_fallback(model: Path) -> None:
    layers = (("Convolution", "CUDA/CUDA"), ("Const", "OCV/CUDA"), ("TopK", "OCV/CUDA"), ("Pooling", "CUDA/CUDA"))
    networks = attachments("cuda", OpenCVTwin(labels={"cuda": layers}))
    networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    assert (decision.used, decision.fallback) == (Target.CUDA, False)
    assert decision.reason == "finder ran on CUDA. 1 of its 3 layers ran on the CPU (TopK)."


def test_on_the_cpu_an_engine_that_fails_is_followed_by_the_other(model: Path) -> None:
    for wrong in ({"forward": {"cpu ENGINE_AUTO": Raised("odd")}}, {"empty": ("ENGINE_AUTO",)}):
        twin = OpenCVTwin(**wrong)
        networks = attachments("cpu", twin)
        networks.attach(model, sample=SAMPLE)
        decision = networks.decision()
        assert (decision.used, decision.fallback, decision.code) == (Target.CPU, False, None)
        assert [outcome for _, outcome, _ in tried(decision)] == ["failed", "used"]
        assert twin.loaded[-1].engine == "ENGINE_CLASSIC"


def test_an_empty_network_is_a_load_that_failed(model: Path) -> None:
    networks = attachments("cpu", OpenCVTwin(empty=("ENGINE_AUTO", "ENGINE_CLASSIC")))
    with pytest.raises(AttachFailed, match=r"could not load tiny\.onnx"):
        networks.attach(model, sample=SAMPLE)
    assert networks.refused.code is FallbackCode.LOAD_FAILED
    assert "gave an empty network and no error" in networks.refused.attempts[0].reason


def test_an_opencv_without_named_engines_is_asked_for_none(model: Path) -> None:
    twin = OpenCVTwin(engines=())
    networks = attachments("auto", twin)
    networks.attach(model, sample=SAMPLE)
    assert [net.engine for net in twin.loaded] == ["default", "default"]


def test_a_target_cannot_be_held_against_a_cpu_that_cannot_run_the_network(model: Path) -> None:
    broken = {"cpu ENGINE_AUTO": Raised("no"), "cpu ENGINE_CLASSIC": Raised("no")}
    networks = attachments("cuda", OpenCVTwin(forward=broken))
    networks.attach(model, sample=SAMPLE)
    assert networks.decision().used is Target.CUDA
    assert "could not be compared with the CPU's" in networks.decision().reason


def test_of_several_networks_the_worst_decision_stands_for_the_stage(model: Path, tmp_path: Path) -> None:
    networks = attachments("cuda", OpenCVTwin())
    networks.attach(model, sample=SAMPLE)
    alone = networks.decision()
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(AttachFailed):
        networks.attach(tmp_path / "text.onnx", sample=SAMPLE)
    assert alone.used is Target.CUDA
    assert (networks.decision().used, networks.decision().code) == (None, FallbackCode.LOAD_FAILED)
    networks = attachments("cuda", OpenCVTwin(given={"cuda": {"mean": SAMPLE.mean((2, 3)) + 0.1}}))
    networks.attach(model, sample=SAMPLE)
    networks.attach(model, sample=SAMPLE, tolerance=1.0)
    assert (networks.decision().used, networks.decision().code) == (Target.CPU, FallbackCode.WRONG_RESULT)


def test_tolerance_is_relative_for_large_numbers_and_absolute_for_small_ones(model: Path) -> None:
    true = SAMPLE.mean((2, 3))
    for off, used in ((0.019, Target.CUDA), (0.05, Target.CPU)):
        networks = attachments("cuda", OpenCVTwin(given={"cuda": {"mean": true + off}}))
        networks.attach(model, sample=SAMPLE)
        assert networks.decision().used is used


def test_a_warm_up_is_told_in_tenths_of_a_millisecond_and_summed_over_the_networks(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 101.23454, 200.0, 200.00004])
    monkeypatch.setattr(attach_module, "perf_counter", lambda: next(clock))
    networks = attachments("cpu", OpenCVTwin())
    networks.attach(model, sample=SAMPLE)
    assert networks.decision().warmup_ms == 1234.5
    networks.attach(model, sample=SAMPLE)
    assert networks.decision().warmup_ms == 1234.5
    assert attachments("cpu").decision().warmup_ms is None  # no network, no warm-up


def test_once_the_stage_s_decision_is_made_no_network_is_bound_any_more(model: Path) -> None:
    networks = attachments("cuda", OpenCVTwin())
    networks.attach(model, sample=SAMPLE)
    networks.seal()
    with pytest.raises(AttachFailed, match=r"tiny\.onnx cannot be run: networks are bound in prepare"):
        networks.attach(model, sample=SAMPLE)
    assert (networks.decision().used, networks.refused) == (Target.CUDA, None)


# ---- with the OpenCV that is here


@pytest.mark.parametrize("asked", ["auto", "cpu", "cuda", "cuda_fp16", "openvino", "opencl", "cuda:3"])
def test_the_opencv_that_is_here_decides_as_its_inventory_says(asked: str, model: Path) -> None:
    networks = attachments(asked)
    net = networks.attach(model, sample=SAMPLE)
    decision = networks.decision()
    request = DeviceRequest.parse(asked)
    obstacle = OpenCVRuntime(cv2).obstacle(request.target or Target.CPU, request.ordinal)
    if obstacle is None:
        assert (decision.fallback, decision.code) == (False, None)
    else:
        assert (decision.used, decision.fallback, decision.code) == (Target.CPU, True, obstacle.code)
    given = net.forward(SAMPLE)
    mixed = np.einsum("oi,nihw->nohw", [[0.5, 0.25, 0.25], [0, 1, 0], [1, -1, 0.5]], SAMPLE)
    assert np.allclose(given["mean"].ravel(), mixed.mean((2, 3)).ravel(), atol=1e-4)
    assert np.allclose(given["peak"].ravel(), mixed.max((2, 3)).ravel(), atol=1e-4)


def test_what_a_network_gave_stays_as_it_was_when_it_runs_again(model: Path) -> None:
    net = attachments("cpu").attach(model, sample=SAMPLE)
    first = net.forward(SAMPLE)
    kept = {name: array.copy() for name, array in first.items()}
    net.forward(SAMPLE * 2)
    assert all(np.array_equal(first[name], kept[name]) for name in kept)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "the file is empty"), (b"PK\x03\x04 not a network", "no ONNX model"), ("cut", "cut off")],
)
def test_a_file_that_is_no_network_fails_to_load_and_says_why(content: Any, said: str, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(model.read_bytes()[:200] if content == "cut" else content)
    networks = attachments("auto")
    with pytest.raises(AttachFailed, match=r"broken\.onnx cannot be run: OpenCV could not load broken\.onnx for the CPU"):
        networks.attach(path, sample=SAMPLE)
    assert networks.refused.code is FallbackCode.LOAD_FAILED
    assert said in networks.refused.attempts[-1].reason


def test_an_operator_nobody_knows_is_told_with_opencv_s_own_words(tmp_path: Path) -> None:
    networks = attachments("cpu")
    with pytest.raises(AttachFailed):
        networks.attach(write_network(tmp_path / "odd.onnx", operator="NonSense"), sample=SAMPLE)
    assert networks.refused.code is FallbackCode.LOAD_FAILED
    assert "NonSense" in networks.refused.attempts[0].reason


def test_a_sample_that_does_not_fit_is_a_forward_that_failed(model: Path) -> None:
    networks = attachments("cpu")
    with pytest.raises(AttachFailed):
        networks.attach(model, sample=np.zeros((1, 3), np.float32))
    assert networks.refused.code is FallbackCode.FORWARD_FAILED


@pytest.mark.parametrize(("asked", "target"), [("auto", "cpu"), ("cuda:1", "cuda")])
def test_a_runtime_nobody_knows_is_refused_by_name(asked: str, target: str, model: Path) -> None:
    networks = attachments(asked)
    with pytest.raises(AttachFailed, match="There is no runtime 'tensorrt'; the known ones are opencv, onnxruntime"):
        networks.attach(model, sample=SAMPLE, runtime="tensorrt")
    assert [(place, outcome) for place, outcome, _ in tried(networks.refused)] == [(target, "failed")]
