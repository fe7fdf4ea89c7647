"""A dozen jobs of every kind, and all that their results say: for tests that disturb them and compare with a calm run."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import httpx

from tests.conftest import ROOT, moving_square, wait_until, write_clip

ENDED = {"completed", "completed_with_warnings", "failed", "cancelled"}
TEST_PLUGINS = ROOT / "tests" / "plugins"


def stage(plugin: str, *needs: str, id: str = "", **options: Any) -> dict[str, Any]:  # noqa: A002  # as the pipeline calls it
    """A stage of a pipeline."""
    return {"id": id or plugin, "plugin": plugin, "needs": list(needs), "options": options}


@dataclass(frozen=True)
class Asked:
    """A job to be submitted: its source on this machine, its stages, and other fields of the form."""

    source: Path
    stages: tuple[dict[str, Any], ...]
    fields: Mapping[str, Any]

    def submit(self, api: httpx.Client, name: str) -> str:
        """Submit it and give its id; a server that is away or cannot answer is asked again with the same key."""
        document = {"source": {"path": str(self.source)}, "name": name, "pipeline": {"stages": self.stages}, **self.fields}

        def sent() -> httpx.Response | None:
            try:
                answer = api.post("/v1/jobs", json=document, headers={"Idempotency-Key": name})
            except httpx.TransportError:
                return None
            return answer if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR else None

        answer = wait_until(sent, f"job {name} to be taken")
        assert answer.status_code in {httpx.codes.CREATED, httpx.codes.OK}, answer.text
        return str(answer.json()["id"])


@dataclass(frozen=True)
class Result:
    """What a job came to, without what two runs of it may differ in: times, ids, and which worker did what."""

    status: str
    rows: tuple[str, ...]
    summaries: Mapping[str, Any]
    counted: Mapping[str, tuple[int, int]]
    warnings: Mapping[tuple[str, str], int]
    moves: Mapping[str, int]
    finalized: int


def result_of(api: httpx.Client, job_id: str) -> Result:
    """Read all of a job's result through the API."""
    job = api.get(f"/v1/jobs/{job_id}").raise_for_status().json()
    rows = api.get(f"/v1/jobs/{job_id}/frames").raise_for_status().text.splitlines()
    facts = api.get(f"/v1/jobs/{job_id}/facts", params={"limit": 1000}).raise_for_status().json()["items"]
    found = {row["stage"]: row for row in job["breakdown"]}
    measured = {name: row for name, row in found.items() if name not in {"prepare", "preview", "finalize"}}
    return Result(
        status=job["status"] if job["status"] != "failed" else f"failed: {job['error']}",
        rows=tuple(rows),
        summaries={name: row["summary"] for name, row in measured.items()},
        counted={name: (row["frames"], row["soft_failures"]) for name, row in measured.items()},
        warnings={(told["code"], told["stage"] or ""): told["count"] for told in job["warnings"]},
        moves=Counter(fact["status"] for fact in facts if fact["type"] == "status" and fact["status"] != "running"),
        finalized=found["finalize"]["frames"] if "finalize" in found else 0,
    )


def ended(api: httpx.Client, job_ids: list[str]) -> bool:
    """Say whether all these jobs have ended; False too while the server is away."""
    try:
        return all(api.get(f"/v1/jobs/{job_id}").raise_for_status().json()["status"] in ENDED for job_id in job_ids)
    except httpx.HTTPError:
        return False


def differences(calm: Result, other: Result) -> list[str]:
    """Say in what a disturbed job's result differs from the calm one's, a line for each."""
    told = []
    for index, (one, two) in enumerate(zip(calm.rows, other.rows, strict=False)):
        if one != two:
            told.append(f"row {index}: {one[:300]} | {two[:300]}")
            break
    if len(calm.rows) != len(other.rows):
        told.append(f"rows: {len(calm.rows)} | {len(other.rows)}")
    compared = ("status", "summaries", "counted", "warnings", "moves", "finalized")
    wrong = [field for field in compared if getattr(calm, field) != getattr(other, field)]
    return told + [f"{field}: {getattr(calm, field)} | {getattr(other, field)}" for field in wrong]


def a_dozen_jobs(folder: Path) -> dict[str, Asked]:
    """Make the media and describe the jobs: stateless, stateful, following, looped, an image, a folder, failing frames."""
    clip = write_clip(folder / "clip.mp4", frames=300)
    other = write_clip(folder / "other.mkv", frames=150, size=(200, 160))
    for index in range(40):
        (folder / "pictures").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "pictures" / f"{index:03d}.png"), moving_square(index, 120, 90))
    cv2.imwrite(str(folder / "one.png"), moving_square(3, 160, 120))
    shapes = Path(shutil.copy(ROOT / "samples" / "shapes.mp4", folder))
    slow, quick = stage("brightness", ms=20), stage("brightness", ms=5)
    jobs = {
        "stateless": Asked(clip, (slow,), {}),
        "stateful": Asked(clip, (stage("accumulate", ms=5),), {}),
        "both": Asked(other, (quick, stage("accumulate", ms=5)), {}),
        "following": Asked(clip, (quick, stage("follower", "brightness", ms=2)), {}),
        "looped": Asked(other, (quick,), {"loop": 4}),
        "pictures": Asked(folder / "pictures", (slow,), {}),
        "picture": Asked(folder / "one.png", (quick,), {}),
        "background": Asked(shapes, (stage("motion_mog2"),), {}),
        "network": Asked(shapes, (stage("shapes_dnn"),), {"device": "cpu"}),
        "failing": Asked(clip, (quick, stage("faulty", what="raise", every=10)), {}),
        "conditional": Asked(
            shapes,
            (stage("shapes_dnn"), {**stage("brightness", "shapes_dnn", ms=5), "when": {"stage": "shapes_dnn"}}),
            {"device": "cpu"},
        ),
        "paced": Asked(other, (quick,), {"pace": "realtime"}),
    }
    real = ROOT.parent / "shared" / "data" / "video" / "vtest.avi"
    if real.is_file():
        jobs["real"] = Asked(Path(shutil.copy(real, folder)), (quick, stage("motion_mog2")), {})
    return jobs
