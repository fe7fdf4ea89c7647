"""Where a job's stages ran, told the same way by terminal, database, API, feed and page: `--device` from end to end."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from app.store.breakdowns import decisions
from app.store.engine import Store
from tests.onnx_files import write_network
from tests.postgres import database_of

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(TESTS / "plugins")}
NO_CUDA = "OpenCV here was built without CUDA (no wheel on PyPI has it)"
Run = Callable[..., subprocess.CompletedProcess[str]]


def decided(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["stage"]: row["device"] for row in job["breakdown"] if row["device"]}


def skip_where_there_is_cuda() -> None:
    import cv2

    if "NVIDIA CUDA:" in cv2.getBuildInformation():
        pytest.skip("this OpenCV was built with CUDA")


def numbers_in(folder: Path) -> list[list[float]]:
    rows = [json.loads(line) for line in (folder / "frames.ndjson").read_text().splitlines()]
    return [[one["value"] for one in row["outputs"]["network"]["measurements"]] for row in rows]


def test_the_tiny_network_is_what_its_writer_writes(tmp_path: Path) -> None:
    written = write_network(tmp_path / "tiny.onnx").read_bytes()
    assert (TESTS / "plugins" / "network" / "tiny.onnx").read_bytes() == written


def test_cuda_asked_for_on_a_machine_without_it_ends_on_the_cpu_with_two_true_decisions(
    sightline: Run, clip: Path, tmp_path: Path
) -> None:
    skip_where_there_is_cuda()
    done = sightline("run", clip, "--plugin", "people_hog,shapes_dnn", "--device", "cuda", "--json", env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert (job["status"], job["device_requested"], job["device_used"], job["fallback"]) == ("completed", "cuda", "cpu", True)
    hog, network = decided(job)["people_hog"], decided(job)["shapes_dnn"]
    assert (hog["requested"], hog["used"], hog["fallback"], hog["code"]) == ("cuda", "cpu", True, "not_applicable")
    assert hog["reason"] == "The plugin runs no network, so cuda does not apply to it; its code runs on the CPU."
    assert (network["requested"], network["used"], network["fallback"], network["code"]) == ("cuda", "cpu", True, "not_built")
    assert network["reason"] == f"{NO_CUDA}, so shapes_dnn ran on the CPU."
    assert [(one["target"], one["outcome"], one["code"]) for one in network["attempts"]] == [
        ("cuda", "failed", "not_built"),
        ("cpu", "used", None),
    ]
    assert "no line 'NVIDIA CUDA:'" in network["attempts"][0]["reason"]
    assert network["warmup_ms"] > 0
    assert set(job["fallback_reasons"]) == {f"people_hog: {hog['reason']}", f"shapes_dnn: {network['reason']}"}
    strict = ("--device", "cuda", "--strict-device", "--json")
    refused = sightline("run", clip, "--plugin", "people_hog,shapes_dnn", *strict, env=ENVIRONMENT)
    assert (refused.returncode, json.loads(refused.stdout)["frames_done"]) == (1, 0), refused.stderr
    assert json.loads(refused.stdout)["error"].endswith(f"run on cuda and nothing else: {hog['reason']}")
    store = Store(database_of(tmp_path / "home"))
    with store.read() as tx:
        stored = dict(decisions(tx, job["id"]))
    store.close()
    assert {stage: (str(one.used), str(one.code)) for stage, one in stored.items()} == {
        "people_hog": ("cpu", "not_applicable"),
        "shapes_dnn": ("cpu", "not_built"),
    }


def test_the_terminal_tells_the_decision_in_words(sightline: Run, clip: Path) -> None:
    skip_where_there_is_cuda()
    done = sightline("run", clip, "--plugin", "network", "--device", "cuda", env=ENVIRONMENT | {"COLUMNS": "300"})
    assert done.returncode == 0, done.stderr
    assert f"{NO_CUDA}, so network ran on the CPU." in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("asked", "code"), [("cuda", "not_built"), ("cuda_fp16", "not_built"), ("cuda:1", "not_built"), ("openvino", "not_built")]
)
def test_a_strict_device_that_is_not_here_fails_before_the_first_frame_with_the_same_reason(
    asked: str, code: str, sightline: Run, clip: Path
) -> None:
    skip_where_there_is_cuda()
    done = sightline("run", clip, "--plugin", "network", "--device", asked, "--strict-device", "--json", env=ENVIRONMENT)
    job = json.loads(done.stdout)
    assert (done.returncode, job["status"], job["frames_done"]) == (1, "failed", 0)
    assert job["error"].startswith(
        f"Stage 'network' was asked to run on {asked} and nothing else: OpenCV here was built without"
    )
    assert "so network did not run." in job["error"]
    decision = decided(job)["network"]
    assert (decision["used"], decision["fallback"], decision["code"]) == (None, True, code)
    assert decision["reason"] in job["error"]


def test_a_network_nobody_can_load_disables_its_stage_and_says_why(sightline: Run, clip: Path) -> None:
    done = sightline("run", clip, "--plugin", "network", "--set", "network.file=plugin.py", "--json", env=ENVIRONMENT)
    job = json.loads(done.stdout)
    assert (done.returncode, job["status"]) == (1, "failed")
    assert "OpenCV could not load plugin.py for the CPU, so network did not run" in job["error"]
    assert (decided(job)["network"]["used"], decided(job)["network"]["code"]) == (None, "load_failed")


def test_both_runtimes_give_the_same_numbers_and_each_its_own_decision(sightline: Run, clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    given = {}
    for runtime in ("opencv", "onnxruntime"):
        done = sightline(
            "run", clip, "--plugin", "network", "--set", f"network.runtime={runtime}", "--device", "cuda_fp16",
            "--json", "--out", tmp_path / runtime, env=ENVIRONMENT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        given[runtime] = numbers_in(tmp_path / runtime)
        decision = decided(json.loads(done.stdout))["network"]
        assert decision["used"] == "cpu"
        assert decision["reason"].startswith({"opencv": "OpenCV", "onnxruntime": "ONNX Runtime"}[runtime])
    assert len(given["opencv"]) == 90
    assert given["onnxruntime"] == [pytest.approx(row, abs=1e-4) for row in given["opencv"]]


def test_two_jobs_at_once_with_two_devices_each_have_their_own_decision(
    servers: Any, clip: Path, wait_until: Callable[..., Any]
) -> None:
    skip_where_there_is_cuda()
    server = servers.start(env=ENVIRONMENT | {"SIGHTLINE_WORKERS": "2"})
    with server.client() as client:
        ids = {}
        for asked in ("cuda", "opencl"):
            with clip.open("rb") as file:
                answer = client.post(
                    "/v1/jobs", files={"file": (clip.name, file)}, data={"plugins": "people_hog,network", "device": asked}
                )
            assert answer.status_code == httpx.codes.CREATED, answer.text
            ids[asked] = answer.json()["id"]
        for asked, job_id in ids.items():
            wait_until(lambda job_id=job_id: client.get(f"/v1/jobs/{job_id}").json()["status"] == "completed", "the job")
            decision = decided(client.get(f"/v1/jobs/{job_id}").json())["network"]
            assert (decision["requested"], decision["used"]) == (asked, "cpu")
            page = client.get(f"/jobs/{job_id}").text
            assert "so network ran on the CPU." in page
            with connect_sse(client, "GET", f"/v1/jobs/{job_id}/insights") as source:
                told = [json.loads(event.data) for event in source.iter_sse() if event.event == "device"]
            [fact] = [fact for fact in told if fact["stage"] == "network"]
            assert {name: fact[name] for name in ("requested", "used", "code", "reason", "attempts")} == {
                name: decision[name] for name in ("requested", "used", "code", "reason", "attempts")
            }
