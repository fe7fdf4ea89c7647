"""Addresses as sources: files and cameras on real servers, lost and found again, and what may not be read."""

import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.camera import Camera
from tests.conftest import Server, Servers, wait_until, write_clip
from tests.e2e.test_jobs import TEST_PLUGINS, end_of, rows_of, status_of

PATIENCE_S = "2"
ENV = {
    "SIGHTLINE_WORKERS": "2",
    "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS),
    "SIGHTLINE_ALLOW_PRIVATE_SOURCES": "true",
    "SIGHTLINE_SOURCE_PATIENCE_S": PATIENCE_S,
}
FRAMES = 90


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Camera]:
    folder = tmp_path_factory.mktemp("clips")
    for name in ("clip.mp4", "clip.ts"):
        write_clip(folder / name, frames=FRAMES)
    camera = Camera(folder)
    yield camera
    camera.close()


@pytest.fixture
def again(camera: Camera) -> Iterator[Camera]:
    """The camera for a test that switches it off."""
    yield camera
    camera.on()


def watch(api: httpx.Client, url: str, *stages: dict[str, Any], **fields: Any) -> str:
    """Submit an address and give the job's id."""
    pipeline = {"stages": list(stages) or [{"plugin": "brightness", "options": {"ms": 0}}]}
    answer = api.post("/v1/jobs", json={"source": {"url": url}, "pipeline": pipeline, **fields})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return answer.json()["id"]


def committed(api: httpx.Client, job_id: str, frames: int) -> Callable[[], bool]:
    return lambda: api.get(f"/v1/jobs/{job_id}").json()["frames_done"] >= frames


def warned(api: httpx.Client, job_id: str, code: str) -> Callable[[], dict[str, Any] | None]:
    def seen() -> dict[str, Any] | None:
        found = [w for w in api.get(f"/v1/jobs/{job_id}").json()["warnings"] if w["code"] == code]
        return found[0] if found else None

    return seen


def assert_whole(api: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    """Every frame stands in the result once, in order, its time never before the one before; give the rows."""
    rows, job = rows_of(api, job_id), api.get(f"/v1/jobs/{job_id}").json()
    assert [row["frame_index"] for row in rows] == list(range(job["frames_done"]))
    times = [row["t_s"] for row in rows]
    assert times == sorted(times)
    return rows


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_a_file_at_an_address_is_read_to_its_end_and_gives_what_the_file_gives(
    api: httpx.Client, camera: Camera, name: str
) -> None:
    job_id = watch(api, f"{camera.url}/{name}", {"plugin": "accumulate"})
    done = end_of(api, job_id)
    assert (done["status"], done["progress"], done["frames_done"], done["frames_total"]) == ("completed", 100, FRAMES, FRAMES)
    assert (done["source"]["kind"], done["source"]["width"], done["source"]["height"]) == ("stream", 160, 120)
    rows = assert_whole(api, job_id)
    assert [rows[0]["t_s"], rows[30]["t_s"], rows[-1]["t_s"]] == [0.0, 1.0, pytest.approx(89 / 30, abs=1e-4)]
    with (camera.folder / name).open("rb") as file:
        sent = api.post("/v1/jobs", files={"file": (name, file)}, data={"plugins": "accumulate"}).json()["id"]
    end_of(api, sent)
    assert [row["outputs"] for row in rows] == [row["outputs"] for row in rows_of(api, sent)]


def test_a_file_whose_line_breaks_is_asked_for_again_and_no_frame_is_missing_or_double(
    api: httpx.Client, camera: Camera
) -> None:
    job_id = watch(api, f"{camera.url}/cut/clip.ts", {"plugin": "accumulate"})
    done = end_of(api, job_id)
    assert (done["status"], done["frames_done"]) == ("completed_with_warnings", FRAMES)
    assert {w["code"]: w["count"] for w in done["warnings"]} == {"source_lost": 1, "reconnected": 1}
    whole = watch(api, f"{camera.url}/clip.ts", {"plugin": "accumulate"})
    end_of(api, whole)
    assert assert_whole(api, job_id) == rows_of(api, whole)


def test_a_camera_runs_on_over_a_broken_line_a_pause_and_a_lost_worker_until_it_is_finished(
    house: Server, api: httpx.Client, again: Camera
) -> None:
    job_id = watch(api, f"{again.url}/live", {"plugin": "brightness"}, {"plugin": "follower", "needs": ["brightness"]})
    wait_until(committed(api, job_id, 1), "a committed segment")
    running = api.get(f"/v1/jobs/{job_id}").json()
    assert (running["status"], running["progress"], running["frames_total"]) == ("running", None, None)

    again.off()
    lost = wait_until(warned(api, job_id, "source_lost"), "the warning that the source is lost")
    again.on()
    back = wait_until(warned(api, job_id, "reconnected"), "the warning that it came back")
    assert lost["first_frame_index"] <= back["first_frame_index"]

    api.post(f"/v1/jobs/{job_id}/pause")
    wait_until(lambda: status_of(api, job_id) == "paused", "the job to pause")
    rested = assert_whole(api, job_id)
    api.post(f"/v1/jobs/{job_id}/resume")
    wait_until(committed(api, job_id, len(rested) + 1), "frames after the pause")

    workers = psutil.Process(house.process.pid).children()
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    before = api.get(f"/v1/jobs/{job_id}").json()["frames_done"]
    wait_until(committed(api, job_id, before + 1), "frames after the workers were lost")
    assert rows_of(api, job_id)[: len(rested)] == rested

    api.post(f"/v1/jobs/{job_id}/stop")
    done = end_of(api, job_id)
    assert done["status"] == "completed_with_warnings"
    assert done["frames_total"] == done["frames_done"] == len(assert_whole(api, job_id))
    assert {w["code"] for w in done["warnings"]} >= {"source_lost", "reconnected", "stopped_early"}


def test_where_stages_are_slower_than_a_camera_the_newest_frames_are_taken_and_the_others_counted(
    api: httpx.Client, camera: Camera
) -> None:
    job_id = watch(api, f"{camera.url}/live", {"plugin": "brightness", "options": {"ms": 400}})
    wait_until(warned(api, job_id, "frames_dropped"), "dropped frames")
    api.post(f"/v1/jobs/{job_id}/stop")
    end_of(api, job_id)
    dropped = warned(api, job_id, "frames_dropped")()
    assert dropped
    assert dropped["count"] > len(assert_whole(api, job_id))


@pytest.mark.parametrize("ms", [0, 700])
def test_a_file_at_an_address_is_read_at_its_own_speed_where_that_is_asked_for(
    api: httpx.Client, camera: Camera, ms: int
) -> None:
    job_id = watch(api, f"{camera.url}/clip.mp4", {"plugin": "brightness", "options": {"ms": ms}}, pace="realtime")
    done = end_of(api, job_id)
    took = datetime.fromisoformat(done["finished_at"]) - datetime.fromisoformat(done["started_at"])
    assert took.total_seconds() >= (FRAMES - 1) / 30
    dropped = sum(w["count"] for w in done["warnings"] if w["code"] == "frames_dropped")
    assert len(assert_whole(api, job_id)) + dropped == FRAMES
    assert dropped > 0 or ms == 0  # a busy machine may drop some of a quick stage as well


def test_a_camera_that_does_not_come_back_leaves_its_job_with_what_there_is(api: httpx.Client, again: Camera) -> None:
    job_id = watch(api, f"{again.url}/live")
    wait_until(committed(api, job_id, 1), "a committed segment")
    again.off()
    done = end_of(api, job_id)
    assert done["status"] == "completed_with_warnings"
    assert done["frames_total"] == done["frames_done"] == len(assert_whole(api, job_id))
    told = {w["code"]: w["message"] for w in done["warnings"]}
    assert set(told) == {"source_lost", "source_gone"}
    assert "SIGHTLINE_SOURCE_PATIENCE_S" in told["source_gone"]


def test_an_address_that_never_answers_is_cancelled_at_once_and_costs_no_worker(
    house: Server, api: httpx.Client, camera: Camera
) -> None:
    before = {child.pid for child in psutil.Process(house.process.pid).children()}
    job_id = watch(api, camera.silent)
    wait_until(lambda: status_of(api, job_id) == "running", "the job to run")
    api.post(f"/v1/jobs/{job_id}/cancel")
    assert end_of(api, job_id)["status"] == "cancelled"
    assert {child.pid for child in psutil.Process(house.process.pid).children()} == before


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("silent", f"could not be read: it does not answer; it was tried for {PATIENCE_S} s"),
        ("/nothing.mp4", "is not given: Server returned 404 Not Found. Check the address"),
        ("/clip.txt", "sends nothing that can be read as a video"),
    ],
)
def test_a_job_on_an_address_that_gives_nothing_fails_and_says_what_to_do(
    api: httpx.Client, camera: Camera, place: str, sentence: str
) -> None:
    (camera.folder / "clip.txt").write_text("no video\n" * 1000)
    failed = end_of(api, watch(api, camera.silent if place == "silent" else f"{camera.url}{place}"))
    assert failed["status"] == "failed"
    assert sentence in failed["error"]


def test_what_is_secret_in_an_address_is_shown_nowhere(house: Server, api: httpx.Client, camera: Camera) -> None:
    host = camera.url.removeprefix("http://")
    job_id = watch(api, f"http://admin:hunter2@{host}/clip.mp4?token=hunter2&channel=1")
    done = end_of(api, job_id)
    assert done["status"] == "completed"
    assert done["source"]["url"] == done["source"]["name"] == f"http://***@{host}/clip.mp4?token=***&channel=1"
    lost = end_of(api, watch(api, f"http://admin:hunter2@{host}/nothing"))
    places = [f"/v1/jobs/{job}{part}" for job in (job_id, lost["id"]) for part in ("", "/facts", "/log", "/result")]
    places += [f"/jobs/{job_id}", f"/jobs/{lost['id']}", "/jobs", "/", f"/?like={job_id}", f"/v1/jobs/{job_id}/manifest"]
    shown = {place: api.get(place).text for place in places}
    assert [place for place, text in shown.items() if "hunter2" in text] == []
    assert "hunter2" not in house.printed()


def test_pictures_of_a_stream_are_gone_but_its_small_picture_its_page_and_its_findings_stay(
    api: httpx.Client, camera: Camera
) -> None:
    job_id = watch(api, f"{camera.url}/clip.mp4", {"plugin": "square"})
    end_of(api, job_id)
    gone = api.get(f"/v1/jobs/{job_id}/frames/3.jpg")
    assert (gone.status_code, gone.json()["status"]) == (410, 410)
    small = api.get(f"/v1/jobs/{job_id}/thumbnail.jpg")
    assert (small.status_code, small.headers["content-type"]) == (200, "image/jpeg")
    page = api.get(f"/jobs/{job_id}?frame=3").text
    assert "poster.svg" in page
    assert 'class="box"' in page or "<rect" in page
    drawn = api.get(f"/jobs/{job_id}/overlays", params={"start": 0, "end": 5}).json()["frames"]
    assert len(drawn) == 5
    assert api.get(f"/v1/jobs/{job_id}/frames/{FRAMES}.jpg").status_code == 404


def fields_of(**fields: str) -> dict[str, tuple[None, str]]:
    """A form as a browser sends it: multipart, with no file chosen."""
    return {name: (None, value) for name, value in fields.items()}


def test_the_form_of_the_page_takes_an_address_without_scripts(api: httpx.Client, camera: Camera) -> None:
    answer = api.post("/jobs", files=fields_of(url=f"{camera.url}/clip.mp4", plugins="brightness"))
    assert answer.status_code == 303
    assert end_of(api, answer.headers["location"].rpartition("/")[2])["status"] == "completed"


@pytest.mark.soak
def test_a_camera_s_job_goes_on_after_its_server_was_killed(servers: Servers, camera: Camera) -> None:
    first = servers.start(env=ENV)
    with first.client() as api:
        job_id = watch(api, f"{camera.url}/live")
        wait_until(committed(api, job_id, 1), "a committed segment")
        before = rows_of(api, job_id)
    first.stop(signal.SIGKILL)
    with servers.start(home=first.home, env=ENV).client() as api:
        wait_until(committed(api, job_id, len(before) + 1), "frames after the restart")
        api.post(f"/v1/jobs/{job_id}/stop")
        end_of(api, job_id)
        assert assert_whole(api, job_id)[: len(before)] == before


def test_the_command_line_runs_on_an_address(sightline: Callable[..., Any], camera: Camera, tmp_path: Path) -> None:
    ran = sightline("run", f"{camera.url}/clip.mp4", "--plugin", "motion_mog2", "--json", "--out", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    assert len((tmp_path / "out" / "frames.ndjson").read_text().splitlines()) == FRAMES
