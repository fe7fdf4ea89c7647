"""How long after a submit the first overlay is there: the pool is up, the plugin is not prepared yet."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx
from httpx_sse import connect_sse

from tests.bench.record import Result
from tests.bench.serving import Serving, serving
from tests.conftest import ROOT

BOUND_S = 1.5
CLIP = ROOT / "samples" / "shapes.mp4"


def measure(folder: Path, *, small: bool) -> Iterator[Result]:
    """From before the upload's first byte to the overlay's arrival at a subscriber that was there before."""
    with serving(folder, workers=2) as served:
        took = [_first_overlay(served) for _ in range(1 if small else 5)]
    found = f"{median(took):.2f} s ({', '.join(f'{one:.2f}' for one in took)})"
    yield Result("first overlay after submit, shapes_dnn", f"≤ {BOUND_S} s", found, median(took) <= BOUND_S)


def _first_overlay(served: Serving) -> float:
    with (
        httpx.Client(base_url=served.url, timeout=60, trust_env=False) as listener,
        connect_sse(listener, "GET", "/v1/insights?types=overlay") as source,
    ):
        told = source.iter_sse()
        next(told)
        begun = perf_counter()
        with CLIP.open("rb") as file:
            files, fields = {"file": (CLIP.name, file)}, {"plugins": "shapes_dnn", "pace": "realtime"}
            job_id = served.client.post("/v1/jobs", files=files, data=fields).raise_for_status().json()["id"]
        for event in told:
            if event.event == "overlay" and json.loads(event.data)["job_id"] == job_id:
                break
        took = perf_counter() - begun
    served.client.post(f"/v1/jobs/{job_id}/cancel").raise_for_status()
    while served.client.get(f"/v1/jobs/{job_id}").json()["status"] != "cancelled":
        pass
    return took
