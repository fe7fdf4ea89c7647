"""Jobs on a machine with two GPUs, by the stand-ins of driver and of ONNX Runtime: where they run, and on how many workers."""

import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

TESTS = Path(__file__).parents[1]
GPU_MACHINE = {"PYTHONPATH": str(TESTS / "gpu_machine"), "SIGHTLINE_PLUGINS_PATH": str(TESTS / "plugins")}
ON_ONNX = {"plugin": "network", "options": {"runtime": "onnxruntime"}}
TWO_DEVICES = {"stages": [{**ON_ONNX, "device": "cuda"}, {"plugin": "network", "device": "cpu"}, {"plugin": "brightness"}]}
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_stages_on_different_devices_make_a_mixed_job_by_every_door(
    servers: Any, visit: Any, sightline: Run, clip: Path, tmp_path: Path
) -> None:
    server = servers.start(env=GPU_MACHINE | {"SIGHTLINE_WORKERS": "1"})
    visitor = visit(server)
    job = visitor.ended(visitor.submit(clip, pipeline=json.dumps(TWO_DEVICES))["id"])
    used = {row["stage"]: row["device"]["used"] for row in job["breakdown"] if row["device"]}
    assert (job["status"], job["device_used"], job["fallback"]) == ("completed", "mixed", False)
    assert used == {"network": "cuda", "network_2": "cpu", "brightness": "cpu"}
    assert "Not all stages ran on the same device" in visitor.ask("GET", f"/jobs/{job['id']}").text
    with server.client() as client, connect_sse(client, "GET", f"/v1/jobs/{job['id']}/insights?types=device") as source:
        told = [json.loads(event.data) for event in source.iter_sse() if event.event == "device"]
    assert {(fact["stage"], fact["used"]) for fact in told} == set(used.items())
    (tmp_path / "two.json").write_text(json.dumps(TWO_DEVICES))
    arguments = ("run", clip, "--pipeline", tmp_path / "two.json")
    done = sightline(*arguments, env=GPU_MACHINE | {"SIGHTLINE_WORKERS": "1", "COLUMNS": "300"})
    assert (done.returncode, ", 90 of 90 frames, on mixed" in done.stdout) == (0, True), done.stdout
    assert "network ran on cuda (asked for cuda)" in done.stdout


def test_a_runtime_that_is_not_installed_is_refused_when_the_job_is_submitted(
    servers: Any, visit: Any, sightline: Run, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    env = {"PYTHONPATH": str(tmp_path), "SIGHTLINE_WORKERS": "1"}
    visitor = visit(servers.start(env=env))
    said = "ONNX Runtime is not installed here; install it with: pip install 'sightline[onnxruntime]'."
    pipeline = json.dumps({"stages": [{"plugin": "shapes_dnn", "options": {"runtime": "onnxruntime"}}]})
    with clip.open("rb") as file:
        answer = visitor.ask("POST", "/v1/jobs", files={"file": (clip.name, file)}, data={"pipeline": pipeline})
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json()["detail"] == f"Stage 'shapes_dnn' asks for the runtime 'onnxruntime': {said}"
    assert visitor.ask("GET", "/v1/jobs").json()["items"] == []
    option = ("--set", "shapes_dnn.runtime=onnxruntime")
    refused = sightline("run", clip, "--plugin", "shapes_dnn", *option, env=env)
    assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr


def sessions(log: str, provider: str) -> list[tuple[str, str]]:
    """(GPU, process) of each session that the stand-in opened with a provider, in order, each once."""
    return list(dict.fromkeys(re.findall(rf"twin: {provider}ExecutionProvider (\S+) in process (\d+)", log)))


@pytest.fixture(scope="module")
def three_workers(module_servers: Any) -> Any:
    """A server with three workers, one of them to each of its two GPUs."""
    return module_servers.start(env=GPU_MACHINE | {"SIGHTLINE_WORKERS": "3", "SIGHTLINE_GPU_WORKERS": "1"})


@pytest.mark.parametrize(
    ("asked", "gpus"),
    [
        (("auto", "onnxruntime"), {"0", "1"}),
        (("cuda:1", "onnxruntime"), {"1"}),
        (("cpu", "onnxruntime"), set()),
        (("auto", "opencv"), set()),
    ],
    ids=["spread over both", "the one that was named", "none asked for", "a runtime without CUDA"],
)
def test_so_many_workers_to_a_gpu_and_all_of_them_where_none_is_used(
    asked: tuple[str, str], gpus: set[str], three_workers: Any, visit: Any, clip: Path
) -> None:
    (device, runtime), visitor = asked, visit(three_workers)
    slow = {"plugin": "brightness", "options": {"ms": 10}}
    pipeline = json.dumps({"stages": [{"plugin": "network", "options": {"runtime": runtime}}, slow]})
    job_id = visitor.submit(clip, pipeline=pipeline, device=device, loop="4")["id"]
    working: set[int] = set()
    while (job := visitor.job(job_id))["status"] in ("queued", "running"):
        workers = visitor.ask("GET", "/v1/devices").json()["workers"]
        working |= {worker["id"] for worker in workers if worker["job_id"] == job_id and worker["state"] == "busy"}
    assert visitor.ended(job_id)["status"] == "completed", job
    on_cuda = sessions(visitor.ask("GET", f"/v1/jobs/{job_id}/log").text, "CUDA")
    assert {gpu for gpu, _ in on_cuda} == gpus
    assert len(on_cuda) == len(gpus)  # one process to each
    if not gpus:
        assert working == {1, 2, 3}


def test_a_worker_that_ends_up_elsewhere_is_a_further_decision_by_every_door(servers: Any, visit: Any, clip: Path) -> None:
    env = GPU_MACHINE | {"SIGHTLINE_WORKERS": "2", "SIGHTLINE_GPU_WORKERS": "1", "TWIN_CUDA": "broken:1"}
    visitor = visit(servers.start(env=env))
    pipeline = json.dumps({"stages": [ON_ONNX, {"plugin": "brightness", "options": {"ms": 10}}]})
    job = visitor.ended(visitor.submit(clip, pipeline=pipeline, loop="4")["id"])
    assert (job["status"], job["device_used"], job["fallback"]) == ("completed", "mixed", True)
    facts = visitor.ask("GET", f"/v1/jobs/{job['id']}/facts").json()["items"]
    told = {fact["used"]: fact for fact in facts if fact["type"] == "device" and fact["stage"] == "network"}
    assert {used: (fact["fallback"], fact["code"]) for used, fact in told.items()} == {
        "cuda": (False, None),
        "cpu": (True, "forward_failed"),
    }
    assert job["breakdown"][0]["device"]["reason"] == told["cpu"]["reason"]  # what fell back is never hidden
    page = unescape(visitor.ask("GET", f"/jobs/{job['id']}").text)
    for fact in told.values():
        assert fact["reason"] in page
        assert all(attempt["reason"] in page for attempt in fact["attempts"])


def test_a_stage_that_falls_back_to_the_cpu_gets_every_worker(servers: Any, visit: Any, clip: Path) -> None:
    env = GPU_MACHINE | {"SIGHTLINE_WORKERS": "3", "SIGHTLINE_GPU_WORKERS": "1", "TWIN_CUDA": "broken", "TWIN_GPUS": "1"}
    visitor = visit(servers.start(env=env))
    pipeline = json.dumps({"stages": [ON_ONNX, {"plugin": "brightness", "options": {"ms": 10}}]})
    job = visitor.ended(visitor.submit(clip, pipeline=pipeline, loop="4")["id"])
    decision = job["breakdown"][0]["device"]
    assert (decision["used"], decision["code"], job["device_used"]) == ("cpu", "forward_failed", "cpu")
    assert len({process for _, process in sessions(visitor.ask("GET", f"/v1/jobs/{job['id']}/log").text, "CPU")}) == 3
