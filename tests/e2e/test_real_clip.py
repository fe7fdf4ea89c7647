"""The beginning of a real clip through both doors: the command line with one worker, and the API with two."""

import json
import shutil
import subprocess
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import pytest

from app.store import segments
from app.store.engine import Store
from tests.postgres import database_of

PLUGINS = "people_hog,motion_mog2"
FRAMES = 240  # `make soak` takes all 795
BESIDE = {"decode", "prepare", "write", "finalize"}  # `preview` too, while somebody watches
TALL = {"smallest_person": 0.5}  # many times faster than the defaults, which `make soak` takes


@pytest.fixture(scope="module")
def vtest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the classic clip of people who cross a square, its packets as they are."""
    clip = Path(__file__).parents[3] / "shared" / "data" / "video" / "vtest.avi"
    if not clip.is_file():
        pytest.skip("the real videos and models are not beside the project (../shared/data)")
    cut = tmp_path_factory.mktemp("cut") / "vtest.avi"
    with av.open(str(clip)) as whole, av.open(str(cut), "w") as beginning:
        stream = beginning.add_stream_from_template(whole.streams.video[0])
        for packet in islice(whole.demux(video=0), FRAMES):
            packet.stream = stream
            beginning.mux(packet)
    return cut


def check_whole(job: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Every frame was handled once, and each stage ran on each."""
    assert (job["status"], job["progress"], job["frames_done"], job["frames_total"]) == ("completed", 100, FRAMES, FRAMES)
    assert [row["frame_index"] for row in rows] == list(range(FRAMES))
    assert all(row["errors"] == [] and set(row["outputs"]) == set(PLUGINS.split(",")) for row in rows)
    stages = {row["stage"]: row for row in job["breakdown"]}
    assert set(stages) - {"preview"} == BESIDE | set(PLUGINS.split(","))
    assert all(stages[plugin]["frames"] == FRAMES for plugin in PLUGINS.split(","))


def pipeline(*plugins: str) -> str:
    """A pipeline as JSON, with options for people_hog."""
    stages = [{"plugin": plugin, "options": TALL if plugin == "people_hog" else {}} for plugin in plugins]
    return json.dumps({"stages": stages})


@pytest.mark.shared
@pytest.mark.timeout(400)
def test_the_same_clip_gives_the_same_rows_through_both_doors_and_with_one_and_two_workers(
    vtest: Path,
    servers: Any,
    sightline: Callable[..., Any],
    visit: Callable[[Any], Any],
    tmp_path: Path,
) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    chosen = [word for name, value in TALL.items() for word in ("--set", f"people_hog.{name}={value}")]
    command = ["run", vtest, "--plugin", PLUGINS, "--json", "--out", out, *chosen]
    ran = sightline(*command, home=home, env={"SIGHTLINE_WORKERS": "1"}, patience_s=200)
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    rows = [json.loads(line) for line in (out / "frames.ndjson").read_text().splitlines()]
    check_whole(job, rows)
    assert json.loads((out / "job.json").read_text()) == job

    store = Store(database_of(home))
    with store.read() as tx:
        loops_ms = segments.loop_ms(tx, job["id"])
    store.close()
    explained = sum(row["total_ms"] for row in job["breakdown"] if row["stage"] != "finalize")
    assert 0.9 * loops_ms <= explained <= 1.1 * loops_ms

    server = servers.start(home=home, env={"SIGHTLINE_WORKERS": "2"})
    there = visit(server)
    assert there.job(job["id"]) == job  # the run stands in the same history
    alone = there.submit(vtest, pipeline=pipeline("people_hog"))
    form = ["-F", f"file=@{vtest}", "-F", f"pipeline={pipeline(*PLUGINS.split(','))}"]
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl here")
    answer = subprocess.run([curl, "-sS", "--fail-with-body", *form, f"{server.url}/v1/jobs"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    both = there.ended(json.loads(answer.stdout)["id"], patience_s=200)
    check_whole(both, there.rows(both["id"]))
    assert there.rows(both["id"]) == rows

    assert there.ended(alone["id"], patience_s=200)["frames_done"] == FRAMES
    assert [row["outputs"]["people_hog"] for row in there.rows(alone["id"])] == [row["outputs"]["people_hog"] for row in rows]
