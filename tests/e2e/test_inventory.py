"""What this machine has and how busy it is, by every door: API, page, feed and doctor; and on a machine with GPUs."""

import json
import subprocess
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import cv2
import msgspec
import pytest
from httpx_sse import connect_sse

from app.cli.doctor import Verdict, look_at_opencv
from app.devices.inventory import inventory, read_cpu

GPU_MACHINE = Path(__file__).parents[1] / "gpu_machine"
Run = Callable[..., subprocess.CompletedProcess[str]]


def usages(client: Any, query: str = "") -> Iterator[dict[str, Any]]:
    """Give the load as the feed tells it, for ever."""
    with connect_sse(client, "GET", f"/v1/insights?types=usage{query}") as source:
        for event in source.iter_sse():
            if event.event == "usage":
                yield json.loads(event.data)


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {item["about"]: item["message"] for item in json.loads(done.stdout)["items"]}


def test_api_page_and_doctor_tell_the_same_true_things_of_this_machine(module_server: Any, sightline: Run) -> None:
    with module_server.client() as client:
        here, page = client.get("/v1/devices").json(), unescape(client.get("/devices").text)
    told = findings(sightline("doctor", "--json"))
    assert (here["cpu"]["name"], here["cpu"]["usable"]) == (read_cpu().name, read_cpu().usable)
    assert here["cpu"]["name"] in page
    assert here["cpu"]["name"] in told["cpu"]
    assert here["opencv"]["version"] == cv2.__version__
    assert told["opencv"].startswith(f"OpenCV {cv2.__version__} from {here['opencv']['distributions'][0]}")
    assert cv2.__version__ in page
    for target in here["targets"]:
        assert target["reason"] in page
        assert told[f"target {target['target']}"] == target["reason"]
    version = here["onnx_runtime"]["version"]
    assert (version or "not installed") in page
    assert (version or "not installed") in told["onnxruntime"]


def test_the_load_is_told_live_with_what_each_worker_does_and_holds(module_server: Any, clip: Path) -> None:
    with module_server.client() as client:
        with clip.open("rb") as file:
            fields = {"plugins": "people_hog", "loop": "20"}
            job = client.post("/v1/jobs", files={"file": (clip.name, file)}, data=fields).json()
        for usage in usages(client):
            busy = [worker for worker in usage["workers"] if worker["job_id"] == job["id"]]
            if busy and usage["cpu_percent"] > 0:
                break
        client.post(f"/v1/jobs/{job['id']}/cancel")
    assert usage["cpu_percent"] <= 100
    assert {worker["state"] for worker in busy} == {"busy"}
    assert all(worker["rss_mb"] > 20 for worker in usage["workers"])
    assert usage["memory_mb"] > sum(worker["rss_mb"] for worker in usage["workers"])
    assert usage["gpus"] == []


@pytest.fixture(scope="module")
def gpu_server(module_servers: Any) -> Any:
    """A server on a machine with two GPUs, by the stand-ins of their driver and of ONNX Runtime."""
    return module_servers.start(env={"PYTHONPATH": str(GPU_MACHINE), "SIGHTLINE_WORKERS": "1"})


def test_gpus_are_told_as_their_driver_tells_them_and_nothing_is_made_up(gpu_server: Any, sightline: Run) -> None:
    gpus = [
        {"name": "NVIDIA Twin 0", "utilisation_percent": 37.0, "memory_used_mb": 6000.0, "memory_total_mb": 24000.0},
        {"name": "NVIDIA Twin 1", "utilisation_percent": None, "memory_used_mb": 6000.0, "memory_total_mb": 24000.0},
    ]
    with gpu_server.client() as client:
        here = client.get("/v1/devices").json()
        assert next(usages(client))["gpus"] == here["gpus"] == gpus
    assert here["cuda_devices"] == 2
    states = {state["target"]: state for state in here["onnx_runtime"]["targets"]}
    assert states["cuda"]["available"]
    told = findings(sightline("doctor", "--json", env={"PYTHONPATH": str(GPU_MACHINE)}))
    assert told["gpu"] == "NVIDIA Twin 0, NVIDIA Twin 1; CUDA counts 2."
    assert told["onnxruntime"] == "ONNX Runtime 1.99.0 can run networks on cuda, cpu."


def test_the_page_shows_each_gpu_live(gpu_server: Any) -> None:
    with gpu_server.client() as client, connect_sse(client, "GET", "/live?page=devices") as source:
        shown = next(event.data for event in source.iter_sse() if "NVIDIA Twin" in event.data)
    for words in ("NVIDIA Twin 0", "37 %", "NVIDIA Twin 1", "not told", "6.0 GB of 24.0 GB"):
        assert words in shown


def test_cuda_in_onnx_runtime_is_nothing_without_a_gpu(sightline: Run) -> None:
    told = findings(sightline("doctor", "--json", env={"PYTHONPATH": str(GPU_MACHINE), "TWIN_GPUS": "0"}))
    assert told["onnxruntime"] == "ONNX Runtime 1.99.0 can run networks on cpu."
    assert told["onnxruntime cuda"] == "ONNX Runtime was built with CUDA, but this machine shows it no NVIDIA GPU."
    assert told["gpu"].startswith("none that NVIDIA's driver shows")


def test_an_opencv_that_no_package_brought_is_called_a_build_of_its_own() -> None:
    here = inventory()
    built = msgspec.structs.replace(here, opencv=msgspec.structs.replace(here.opencv, distributions=()))
    assert next(look_at_opencv(built)).message == f"OpenCV {cv2.__version__} from no package: a build of its own."


def test_the_doctor_tells_what_opencv_s_build_says_of_cuda_and_more_than_one_package_with_the_cure() -> None:
    here = inventory()
    cuda, packages = "YES (ver 12.8, CUFFT CUBLAS)", ("opencv-contrib-python-headless", "opencv-python")
    built = msgspec.structs.replace(here, opencv=msgspec.structs.replace(here.opencv, cuda=cuda, distributions=packages))
    told = list(look_at_opencv(built))
    assert (told[0].about, told[0].verdict) == ("opencv", Verdict.PROBLEM)
    assert told[0].message == f"cv2 comes from several packages: {', '.join(packages)}."
    assert told[0].cure.startswith("Uninstall all of them, then install the one that you want")
    assert f"OpenCV's build says of CUDA: {cuda}." in [finding.message for finding in told]
