"""Which workers may run a job where it can end on a GPU: decided from what is here and what was asked, nothing else."""

from typing import Any

import pytest

from app.domain.pipeline import Stage
from app.engine.gpus import Gpus, wants_gpu
from app.engine.tasks import StageTask

ON_CUDA = ("cuda_fp16", "cuda", "cpu")
BOTH = frozenset({"opencv", "onnxruntime"})


def stage(device: str = "auto", targets: tuple[str, ...] = ON_CUDA, **options: Any) -> StageTask:
    return StageTask(
        stage=Stage("finder", "finder", options), version="1.0.0", folder="", entry="", output="detections", device=device,
        strict_device=False, budget_ms=50, stateful=False, targets=targets,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gpus", "homes"),
    [
        (Gpus(), [None, None, None]),
        (Gpus(1, 2), [0, 0, None]),
        (Gpus(2, 1), [0, 1, None]),
        (Gpus(2, 2), [0, 1, 0, 1, None, None]),
        (Gpus(3, 1), [0, 1, 2, None]),
    ],
)
def test_workers_are_dealt_out_over_the_gpus_and_no_more_than_allowed_to_each(gpus: Gpus, homes: list[int | None]) -> None:
    assert [gpus.home(worker) for worker in range(1, len(homes) + 1)] == homes


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([stage()], {1, 2, 3, 4}),
        ([stage("cuda")], {1, 2, 3, 4}),
        ([stage("cuda_fp16")], {1, 2, 3, 4}),
        ([stage("cuda:0")], {1, 3}),
        ([stage("cuda:1")], {2, 4}),
        ([stage("cpu"), stage("cuda:1")], {2, 4}),
        ([stage("cuda:2")], None),  # there is none: it ends on the CPU
        ([stage("cpu")], None),
        ([stage("opencl")], None),
        ([stage("cuda", targets=("cpu",))], None),
        ([stage(runtime="onnxruntime")], {1, 2, 3, 4}),
        ([], None),
    ],
)
def test_only_workers_of_a_gpu_run_what_can_end_there(stages: list[StageTask], expected: set[int] | None) -> None:
    assert Gpus(2, 2, BOTH).workers_for(stages, slots=8) == expected


def test_a_runtime_without_cuda_holds_nobody_back() -> None:
    gpus = Gpus(1, 1, frozenset({"onnxruntime"}))
    assert gpus.workers_for([stage()], slots=4) is None
    assert gpus.workers_for([stage(runtime="onnxruntime")], slots=4) == {1}


def test_a_pool_smaller_than_the_gpus_still_runs_what_names_any_of_them() -> None:
    assert Gpus(4, 2, BOTH).workers_for([stage("cuda:3")], slots=2) == {1, 2}
    assert Gpus(4, 2, BOTH).workers_for([stage()], slots=2) == {1, 2}


def test_what_would_use_a_gpu_is_known_before_anybody_looked_for_one() -> None:
    assert [wants_gpu(stage(device)) for device in ("auto", "cuda", "cuda:1", "cuda_fp16", "cpu", "openvino")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip
    assert not wants_gpu(stage(targets=("openvino", "cpu")))
