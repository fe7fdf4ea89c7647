"""The command line through its door: `run`, `jobs`, `plugins`, `doctor`, `migrate`, `serve`."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.store.engine import Store
from app.store.segments import loop_ms
from tests.conftest import environment, wait_until, write_clip
from tests.postgres import KEPT, database_of

TEST_PLUGINS = str(Path(__file__).parents[1] / "plugins")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=300)


def with_workers(count: int) -> dict[str, str]:
    return {"SIGHTLINE_WORKERS": str(count), "SIGHTLINE_PLUGINS_PATH": TEST_PLUGINS}


def rows_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "frames.ndjson").read_text().splitlines()]


def test_a_run_prints_exactly_the_job_and_writes_its_frames(sightline: Run, clip: Path, tmp_path: Path) -> None:
    done = sightline(
        "run", clip, "--plugin", "brightness,motion_mog2", "--json", "--out", tmp_path / "out", env=with_workers(2)
    )
    assert (done.returncode, done.stderr) == (0, "")
    job = json.loads(done.stdout)
    assert (job["status"], job["frames_done"], job["name"]) == ("completed", 300, "clip.mp4")
    assert json.loads((tmp_path / "out" / "job.json").read_text()) == job
    rows = rows_in(tmp_path / "out")
    assert [row["frame_index"] for row in rows] == list(range(300))
    assert set(rows[9]["outputs"]) == {"brightness", "motion_mog2"}
    listed = json.loads(sightline("jobs", "list", "--json").stdout)
    assert [item["id"] for item in listed["items"]] == [job["id"]]


@pytest.mark.parametrize("plugins", ["brightness", "accumulate", "brightness,motion_mog2"])
def test_rows_are_the_same_with_one_worker_and_with_two(sightline: Run, clip: Path, tmp_path: Path, plugins: str) -> None:
    for count in (1, 2):
        done = sightline("run", clip, "--plugin", plugins, "--out", tmp_path / str(count), env=with_workers(count))
        assert done.returncode == 0, done.stderr
    one, two = ((tmp_path / str(count) / "frames.ndjson").read_bytes() for count in (1, 2))
    assert one == two
    assert one.count(b"\n") == 300


def test_the_breakdown_explains_where_the_workers_time_went(sightline: Run, clip: Path, tmp_path: Path) -> None:
    done = sightline("run", clip, "--plugin", "motion_mog2,brightness", "--json", env=with_workers(2))
    job = json.loads(done.stdout)
    explained = sum(row["total_ms"] for row in job["breakdown"] if row["stage"] != "finalize")
    store = Store(database_of(tmp_path / "home"))
    with store.read() as tx:
        loop = loop_ms(tx, job["id"])
    store.close()
    assert 0.9 <= explained / loop <= 1.0


def test_a_run_without_json_tells_where_the_time_went_and_what_it_ran_on(sightline: Run, clip: Path) -> None:
    done = sightline("run", clip, "--plugin", "faulty", "--device", "cuda", env=with_workers(1) | {"COLUMNS": "160"})
    assert done.returncode == 0
    for words in ("completed with warnings", "Where the time went", "ran on cpu (asked for cuda)", "exception × 30"):
        assert words in done.stdout


def test_options_are_read_as_the_plugin_declares_them(sightline: Run, clip: Path) -> None:
    done = sightline(
        "run", clip, "--plugin", "faulty", "--set", "faulty.every=0", "--set", "faulty.frames=5,7", "--set",
        "faulty.what=raise", "--json", env=with_workers(1),
    )  # fmt: skip
    job = json.loads(done.stdout)
    assert job["pipeline"]["stages"][0]["options"]["frames"] == ["5", "7"]
    assert [(w["code"], w["count"]) for w in job["warnings"]] == [("exception", 2)]


def test_a_strict_device_that_is_not_there_fails_the_job_before_its_first_frame(sightline: Run, clip: Path) -> None:
    done = sightline(
        "run", clip, "--plugin", "brightness", "--device", "cuda", "--strict-device", "--json", env=with_workers(1)
    )
    job = json.loads(done.stdout)
    assert (done.returncode, job["status"], job["frames_done"]) == (1, "failed", 0)
    assert "was asked to run on cuda and nothing else" in job["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--plugin", "nobody"), "There is no plugin 'nobody'"),
        ((), "either --plugin ID"),
        (("--plugin", "brightness", "--set", "brightness.ms=much"), "expected a number"),
        (("--plugin", "brightness", "--set", "nonsense"), "STAGE.OPTION=VALUE"),
        (("--plugin", "brightness", "--device", "gpu"), "expected auto, cuda"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_was_expected(
    sightline: Run, clip: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = sightline("run", clip, *arguments, env=with_workers(1))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_media_and_one_that_is_not_there_are_told_apart(sightline: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    for name, words in (("text.mp4", "cannot be read as an image or a video"), ("gone.mp4", "no such file")):
        done = sightline("run", tmp_path / name, "--plugin", "people_hog")
        assert done.returncode == 2
        assert words in done.stderr
    assert json.loads(sightline("jobs", "list", "--json").stdout)["items"] == []


def test_an_image_is_a_job_of_one_frame(sightline: Run) -> None:
    sample = Path(__file__).parents[2] / "plugins" / "people_hog" / "sample.png"
    done = sightline("run", sample, "--plugin", "people_hog", "--json", env=with_workers(1))
    job = json.loads(done.stdout)
    assert (job["status"], job["frames_total"], job["frames_done"]) == ("completed", 1, 1)


def test_ctrl_c_cancels_the_run_and_leaves_no_process(clip: Path, tmp_path: Path, sightline: Run) -> None:
    command = [sys.executable, "-m", "app", "run", str(clip), "--plugin", "brightness", "--set", "brightness.ms=50", "--json"]
    with subprocess.Popen(
        command, env=environment(tmp_path / "home", with_workers(1)), stdout=subprocess.PIPE, start_new_session=True
    ) as process:

        def running() -> bool:
            items = json.loads(sightline("jobs", "list", "--json").stdout)["items"]
            return bool(items) and items[0]["status"] == "running"

        wait_until(running, "the run to start")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert (process.returncode, json.loads(said)["status"]) == (1, "cancelled")


BROKEN_START = """
import pathlib, sys
if "app.engine.worker" in sys.orig_argv and pathlib.Path({flag!r}).exists():
    sys.exit("there is no room for a worker here")
"""


def test_a_run_whose_workers_cannot_start_says_why_and_goes_on_when_they_can(clip: Path, tmp_path: Path) -> None:
    flag, startup = tmp_path / "flag", tmp_path / "startup"
    flag.touch()
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(BROKEN_START.format(flag=str(flag)))
    command = [sys.executable, "-m", "app", "run", str(clip), "--plugin", "brightness", "--json"]
    where = environment(tmp_path / "home", with_workers(1) | {"PYTHONPATH": str(startup)})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=where, start_new_session=True, **pipes) as process:
        told = process.stderr.readline()
        flag.unlink()
        said, _ = process.communicate(timeout=60)
    assert told.startswith("No worker can start")
    assert "there is no room for a worker here. Run sightline doctor for what is missing. The job goes on by itself" in told
    assert (process.returncode, json.loads(said)["status"]) == (0, "completed")


def test_jobs_are_shown_retried_cancelled_and_deleted(sightline: Run, clip: Path, tmp_path: Path) -> None:
    job = json.loads(sightline("run", clip, "--plugin", "brightness", "--json", env=with_workers(1)).stdout)
    assert json.loads(sightline("jobs", "show", job["id"], "--json").stdout) == job
    refused = sightline("jobs", "retry", job["id"])
    assert (refused.returncode, "failed or cancelled" in refused.stderr) == (2, True)
    assert sightline("jobs", "delete", job["id"]).returncode == 0
    gone = sightline("jobs", "show", job["id"])
    assert (gone.returncode, f"There is no job '{job['id']}'" in gone.stderr) == (2, True)
    assert not list((tmp_path / "home").rglob("*.ndjson"))


def test_plugins_are_listed_and_shown_and_a_broken_one_with_its_reason(sightline: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "half"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text('id = "half"\n')
    env = {"SIGHTLINE_PLUGINS_PATH": str(tmp_path / "plugins"), "COLUMNS": "200"}
    listed = json.loads(sightline("plugins", "list", "--json", env=env).stdout)["items"]
    assert {"people_hog", "motion_mog2", "half"} <= {item["id"] for item in listed}
    assert "broken" in sightline("plugins", "list", env=env).stdout
    shown = sightline("plugins", "show", "people_hog")
    assert "min_confidence" in shown.stdout
    assert sightline("plugins", "show", "nobody").returncode == 2


def test_the_doctor_says_how_things_are_line_by_line(sightline: Run) -> None:
    done = sightline("doctor", "--json")
    findings = {item["about"]: item for item in json.loads(done.stdout)["items"]}
    assert done.returncode == 0, done.stdout
    assert {findings[about]["verdict"] for about in ("opencv", "codecs", "database", "worker")} == {"ok"}
    assert findings["database"]["message"].startswith("Postgres answers" if KEPT.postgres else "SQLite answers")
    assert all(item["cure"] for item in findings.values() if item["verdict"] != "ok")
    assert sightline("migrate").returncode == 0


def test_a_database_that_cannot_be_used_is_told_in_a_sentence_and_by_the_doctor_with_the_cure(sightline: Run) -> None:
    nobody = {"SIGHTLINE_DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/rows"}
    for command in (("migrate",), ("serve", "--port", "0"), ("jobs", "list")):
        refused = sightline(*command, env=nobody)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert refused.stderr.startswith("sightline: The database cannot be used right now: connection")
        assert "secret" not in refused.stderr
    done = sightline("doctor", "--json", env=nobody)
    (found,) = [item for item in json.loads(done.stdout)["items"] if item["about"] == "database"]
    assert (done.returncode, found["verdict"]) == (1, "problem")
    assert "refused" in found["message"]
    assert "SIGHTLINE_DATABASE_URL" in found["cure"]


def test_serving_off_loopback_needs_a_token(sightline: Run) -> None:
    done = sightline("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    assert "SIGHTLINE_TOKEN" in done.stderr
    settings = sightline("serve", "--help-settings")
    assert settings.returncode == 0
    assert "SIGHTLINE_HOME" in settings.stdout


def test_a_folder_with_a_package_app_and_a_module_cv2_of_its_own_does_not_disturb_a_run(still: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "app").mkdir(parents=True)
    for name in ("app/__init__.py", "cv2.py", "json.py"):
        (project / name).write_text("raise RuntimeError('this is not meant for Sightline')\n")
    script, where = Path(sys.executable).with_name("sightline"), environment(tmp_path / "home", with_workers(1))
    asked = {"cwd": project, "env": where, "capture_output": True, "text": True, "timeout": 100}
    done = subprocess.run([script, "run", still, "--plugin", "brightness", "--json"], **asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "completed"
    told = subprocess.run([script, "doctor", "--json"], **asked)
    assert "this is not meant for Sightline" not in told.stdout + told.stderr
