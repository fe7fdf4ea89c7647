"""Records a real job for the live stories: what its feed says and when, and some of its pictures. Run it from the root.

    .venv/bin/python -m tests.storybook.record

The job reads the bundled clip at its own pace. It asks for CUDA, so that one stage falls back where there is none; one of its
stages is over its budget at first, another fails on some frames. Ids and times are those of the canonical examples.
"""

import json
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.domain.insight import BY_TYPE
from app.domain.job import JobStatus
from app.web.stories.examples import AT, example_job
from app.web.stories.live import RECORDED_STAGES
from app.web.stories.recording import FOLDER
from tests.conftest import ROOT, Server, Servers
from tests.sse import Parser

PICTURES = ROOT / "static" / "img" / "recorded"
PIPELINE = {
    "stages": [
        {"plugin": "shapes_dnn", "device": "cuda"},
        {"plugin": "motion_mog2"},
        {"plugin": "tired", "options": {"until": 70, "ms": 26}},
        {"plugin": "faulty", "options": {"what": "raise", "every": 40}},
    ]
}
KEPT = {"overlay": 12, "progress": 12, "metrics": 8, "usage": 5}  # of the kinds that change fast; facts are all kept
TOLD_IN_MS = 6000  # however long it took on the machine that recorded it
PICTURE_WIDTH = 320


def main() -> int:
    """Record, and say how large it became."""
    assert tuple(stage["plugin"] for stage in PIPELINE["stages"]) == RECORDED_STAGES
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(Path(folder))
        settings = {"SIGHTLINE_WORKERS": "1", "SIGHTLINE_PLUGINS_PATH": str(ROOT / "tests" / "plugins")}
        try:
            lines = list(record(servers.start(env=settings)))
        finally:
            servers.close()
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / "job.ndjson"
    lines = thinned(lines)
    file.write_text("".join(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines))
    pictures = sum(path.stat().st_size for path in PICTURES.glob("*.jpg"))
    print(f"{len(lines)} insights, {file.stat().st_size:,} bytes; pictures, {pictures:,} bytes")
    return 0


def record(server: Server) -> Any:
    """Give the lines of the recording."""
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.jpg"):
        old.unlink()
    with server.client() as client:
        clip = {"file": ("shapes.mp4", (ROOT / "samples" / "shapes.mp4").read_bytes())}
        data = {"pipeline": json.dumps(PIPELINE), "pace": "realtime", "name": "Shapes", "device": "cuda"}
        job = client.post("/v1/jobs", files=clip, data=data).raise_for_status().json()
        parser, first = Parser(), None
        with client.stream("GET", f"/v1/jobs/{job['id']}/insights", timeout=60) as stream:
            for chunk in stream.iter_bytes():
                for event in parser.feed(chunk):
                    if event.type not in BY_TYPE or event.type in ("hello", "close", "gap"):
                        continue
                    at = datetime.fromisoformat(event.json["at"])
                    first = first or at
                    after_ms = round((at - first) / timedelta(milliseconds=1))
                    told = retold(event.json, job["id"], after_ms)
                    if event.type == "overlay":
                        told["image_url"] = keep_picture(client.get(told["image_url"]).content, told["frame_index"])
                    yield {"after_ms": after_ms, "type": event.type, "insight": told}


def thinned(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep so many of each kind that changes fast, evenly, the last among them; give the whole its length."""
    kept = []
    for kind in {line["type"] for line in lines}:
        told = [(number, line) for number, line in enumerate(lines) if line["type"] == kind]
        most = min(KEPT.get(kind, len(told)), len(told))
        kept += [told[len(told) - 1 - (len(told) - 1) * n // max(1, most - 1)] for n in range(most)]
    whole = max(line["after_ms"] for line in lines)
    shown = {line["insight"]["image_url"] for _, line in kept if line["type"] == "overlay"}
    for picture in PICTURES.glob("*.jpg"):
        if f"/static/img/recorded/{picture.name}" not in shown:
            picture.unlink()
    by_number = sorted(dict(kept).items())
    return [{**line, "after_ms": line["after_ms"] * TOLD_IN_MS // whole} for _, line in by_number]


def retold(told: dict[str, Any], job_id: str, after_ms: int) -> dict[str, Any]:
    """Give an insight the time and the job of the examples."""
    told.pop("snapshot", None)
    text = json.dumps(told).replace(job_id, example_job(JobStatus.RUNNING).id)
    at = (AT + timedelta(milliseconds=after_ms)).isoformat()
    given = {**json.loads(text), "at": at}
    if told.get("image_url"):
        given["image_url"] = told["image_url"]
    return given


def keep_picture(jpeg: bytes, index: int) -> str:
    """Keep a frame's picture, small; give its address."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    height = round(picture.shape[0] * PICTURE_WIDTH / picture.shape[1])
    small = cv2.resize(picture, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
    path = PICTURES / f"{index}.jpg"
    cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return f"/static/img/recorded/{index}.jpg"


if __name__ == "__main__":
    sys.exit(main())
