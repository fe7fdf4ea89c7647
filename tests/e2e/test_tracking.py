"""From a detector over tracks to counted lines: the same whatever the number of workers, and after one was killed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Servers
from tests.e2e.test_followers import kill_workers
from tests.e2e.test_jobs import end_of, in_flight, rows_of, wait_until

CHAIN = ["shapes_dnn", "tracker", "line_counter"]
SAMPLE = ROOT / "samples" / "shapes.mp4"


def summaries(job: dict[str, Any]) -> dict[str, Any]:
    return {row["stage"]: row["summary"] for row in job["breakdown"] if row["plugin"]}


def test_tracks_and_counts_are_the_same_with_one_and_two_workers_and_after_killed_workers(
    sightline: Callable[..., Any], servers: Servers, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = sightline("run", SAMPLE, "--plugin", ",".join(CHAIN), "--json", "--out", out, env={"SIGHTLINE_WORKERS": "1"})
    job = json.loads(done.stdout)
    rows = [json.loads(line) for line in (out / "frames.ndjson").read_text().splitlines()]
    assert [(stage["id"], stage["needs"]) for stage in job["pipeline"]["stages"]] == [
        ("shapes_dnn", []), ("tracker", ["shapes_dnn"]), ("line_counter", ["tracker"]),
    ]  # fmt: skip
    assert all(list(row["outputs"]) == CHAIN and row["errors"] == [] for row in rows)
    told = summaries(job)
    assert told["tracker"]["tracks"] > 3
    assert told["line_counter"]["crossings"] > 0

    house = servers.start(env={"SIGHTLINE_WORKERS": "2"})
    with house.client() as api, SAMPLE.open("rb") as file:
        plugins = ",".join(reversed(CHAIN))  # as somebody may tick them: what each needs decides their order
        data = {"plugins": plugins, "pace": "realtime"}
        answer = api.post("/v1/jobs", files={"file": (SAMPLE.name, file)}, data=data)
        job_id = answer.json()["id"]
        wait_until(in_flight(api, job_id, 50), "fifty frames")
        kill_workers(house)
        again = end_of(api, job_id)
        assert again["frames_done"] == len(rows)
        assert rows_of(api, job_id) == rows
        assert summaries(again) == told
