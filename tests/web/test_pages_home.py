"""The start page: a job from the form with scripts off, refusals that keep what was chosen, the jobs that run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.domain.job import JobStatus
from app.store import jobs
from tests.promises.controls import PROMISED
from tests.web.conftest import Api, send_nothing
from tests.web.html import Page


def send(api: Api, name: str, content: bytes, **fields: Any) -> httpx.Response:
    """Send the form as a browser without scripts does: fields first, the file after them."""
    return api.client.post("/jobs", data=fields, files={"file": (name, content)}, headers={"Accept": "text/html"})


def test_every_control_is_on_the_page(api: Api) -> None:
    page = Page(api.client.get("/").text)
    assert [control for control in PROMISED["/"] if control not in page.by_id] == []
    form = page["new-job-form"]
    assert (form["method"], form["action"], form["enctype"]) == ("post", "/jobs", "multipart/form-data")
    assert page.all("input", type="file")[0]["name"] == "file"


def test_each_plugin_says_what_it_does_and_what_it_promises(api: Api) -> None:
    page = Page(api.client.get("/").text)
    told = page["plugin-picker"].text
    found = api.parts.catalogue.found
    assert {"people_hog", "motion_mog2", "shapes_dnn"} <= set(found)
    for plugin_id in found:
        assert api.parts.catalogue.get(plugin_id).description in told
    assert {box["value"] for box in page.all("input", type="checkbox", name="plugins")} == set(found)
    assert "≤ 250 ms" in told
    assert "detect" in told


def test_the_form_makes_a_job_without_scripts(api: Api, clip: Path) -> None:
    answer = send(api, "square.mp4", clip.read_bytes(), plugins=["people_hog", "motion_mog2"], device="cpu")
    assert answer.status_code == 303
    job_id = answer.headers["location"].removeprefix("/jobs/")
    with api.parts.store.read() as tx:
        job = jobs.get(tx, job_id)
    assert job.pipeline.ids == ("people_hog", "motion_mog2")
    assert job.device_requested == "cpu"
    assert api.client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "content", "status", "words"),
    [
        ("notes.mp4", b"just words\n" * 50, 422, "notes.mp4 cannot be read"),
        ("empty.mp4", b"", 422, "empty.mp4"),
        ("big.mp4", b"x" * 3_100_000, 413, "larger than the limit of 2 MB"),
    ],
)
def test_what_cannot_be_taken_is_explained_and_the_choices_are_kept(
    api: Api, name: str, content: bytes, status: int, words: str
) -> None:
    answer = send(api, name, content, plugins=["motion_mog2"], device="opencl")
    assert answer.status_code == status
    page = Page(answer.text)
    assert words in page["form-problem"].text
    assert "hidden" not in page["form-problem"]
    if status != 413:  # a body announced as too large is refused before anything of it is read
        assert "checked" in page["pick-motion_mog2"]
        assert [o["value"] for o in page.all("option") if "selected" in o and o.within("device-selector")] == ["opencl"]
    assert "checked" not in page["pick-people_hog"]
    assert api.stored_jobs() == 0
    assert api.left_on_disk() == []


def test_a_form_without_a_plugin_says_to_pick_one(api: Api, clip: Path) -> None:
    answer = send(api, "square.mp4", clip.read_bytes(), device="auto")
    assert answer.status_code == 422
    assert "Pick at least one plugin" in Page(answer.text)["form-problem"].text


def test_a_form_without_a_file_says_to_choose_one(api: Api) -> None:
    answer = send_nothing(api, "/jobs", {"plugins": "motion_mog2"})
    assert answer.status_code == 422
    assert "Choose a video or an image." in Page(answer.text)["form-problem"].text
    assert "checked" in Page(answer.text)["pick-motion_mog2"]


def test_a_full_queue_is_explained_on_the_form(start_api: Callable[..., Api], clip: Path) -> None:
    api = start_api(max_queued_jobs=1)
    assert send(api, "a.mp4", clip.read_bytes(), plugins=["motion_mog2"]).status_code == 303
    answer = send(api, "b.mp4", clip.read_bytes(), plugins=["motion_mog2"])
    assert answer.status_code == 429
    assert "waiting already" in Page(answer.text)["form-problem"].text


def test_a_plugin_named_in_the_address_is_picked(api: Api) -> None:
    page = Page(api.client.get("/?plugin=motion_mog2").text)
    assert [b["value"] for b in page.all("input", name="plugins") if "checked" in b] == ["motion_mog2"]


def stages_of(api: Api, location: str) -> tuple[str, ...]:
    """Stages of the job whose page is at this address, in order."""
    with api.parts.store.read() as tx:
        return jobs.get(tx, location.removeprefix("/jobs/")).pipeline.ids


def test_plugins_run_in_the_order_their_places_say(api: Api, still: Path) -> None:
    picked = ["image_quality", "motion_mog2", "people_hog"]
    answer = send(api, still.name, still.read_bytes(), plugins=picked, **{"place.people_hog": "1", "place.motion_mog2": "2"})
    assert stages_of(api, answer.headers["location"]) == ("people_hog", "motion_mog2", "image_quality")
    answer = send(api, "notes.mp4", b"words", plugins=picked, **{"place.people_hog": "1", "strict_device": "true"})
    page = Page(answer.text)
    assert page["place-people_hog"]["value"] == "1"
    assert "checked" in page["strict-device"]


def test_each_device_says_whether_it_is_here_and_why_not(api: Api, still: Path) -> None:
    page = Page(api.client.get("/").text)
    shown = {e["value"]: e.text for e in page.all("option") if e.within("device-selector")}
    assert shown["cpu"] == "CPU"
    assert shown["cuda"] == "CUDA (not here)"
    why = next(target["reason"] for target in api.parts.inventory()["targets"] if target["target"] == "cuda")
    assert why in page["new-job-form"].text
    answer = send(api, still.name, still.read_bytes(), plugins=["people_hog"], device="cpu", strict_device="true")
    with api.parts.store.read() as tx:
        assert jobs.get(tx, answer.headers["location"].removeprefix("/jobs/")).strict_device
    refused = Page(send(api, still.name, still.read_bytes(), plugins=["people_hog"], device="gpu").text)
    assert "'gpu'" in refused["wrong-device"].text


def test_a_folder_of_the_server_becomes_a_job_for_each_video(start_api: Callable[..., Api], clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("b.mp4", "a.mp4"):
        (folder / name).write_bytes(clip.read_bytes())
    (folder / "notes.txt").write_text("not a video")
    api = start_api(source_roots=(tmp_path,))
    assert str(tmp_path) in Page(api.client.get("/").text)["help-path"].text
    answer = send_nothing(api, "/jobs", {"plugins": ["people_hog"], "path": str(folder)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    listed = api.client.get("/v1/jobs?sort=oldest").json()["items"]
    assert [job["name"] for job in listed] == ["a.mp4", "b.mp4"]
    (folder / "broken.mp4").write_text("just words")
    page = Page(send_nothing(api, "/jobs", {"plugins": ["people_hog"], "path": str(folder)}).text)
    assert "broken.mp4 cannot be read" in page["form-problem"].text
    assert "2 of 3 jobs were started." in page["form-problem"].text
    answer = send_nothing(api, "/jobs", {"plugins": ["people_hog"], "path": str(folder / "a.mp4")})
    assert answer.headers["location"].startswith("/jobs/")


def test_a_source_that_is_refused_is_told_beside_its_field(api: Api) -> None:
    page = Page(send_nothing(api, "/jobs", {"plugins": ["people_hog"], "path": "/etc/passwd"}).text)
    assert "SIGHTLINE_SOURCE_ROOTS" in page["wrong-path"].text
    assert (page["source-path"]["value"], page["source-path"]["aria-invalid"]) == ("/etc/passwd", "true")
    page = Page(send_nothing(api, "/jobs", {"plugins": ["people_hog"], "url": "ftp://camera.local/x"}).text)
    assert page["wrong-url"].text
    assert page["source-url"]["value"] == "ftp://camera.local/x"
    assert "checked" in page["pick-people_hog"]
    page = Page(send_nothing(api, "/jobs", {"plugins": ["people_hog"], "url": "rtsp://192.168.0.10/1"}).text)
    assert "SIGHTLINE_ALLOW_PRIVATE_SOURCES" in page["wrong-url"].text
    assert api.stored_jobs() == 0


def test_any_job_can_be_taken_over_changed_and_started(api: Api, still: Path) -> None:
    options = '{"people_hog": {"min_confidence": 0.25}}'
    first = api.submit(still, plugins="people_hog,motion_mog2", options=options, device="opencl", tags="rain", name="Old")
    page = Page(api.client.get(f"/?like={first.json()['id']}").text)
    assert {e["value"] for e in page.all("input", name="plugins") if "checked" in e} == {"people_hog", "motion_mog2"}
    assert page["option-people_hog-min_confidence"]["value"] == "0.25"
    assert [page[name]["value"] for name in ("place-people_hog", "job-tags", "job-name")] == ["1", "rain", "Old"]
    assert still.name in page["source-picker"].text
    answer = send_nothing(
        api, "/jobs", {"plugins": ["motion_mog2"], "like": page.all("input", name="like")[0]["value"], "device": "cpu"}
    )
    with api.parts.store.read() as tx:
        again = jobs.get(tx, answer.headers["location"].removeprefix("/jobs/"))
    assert (again.source.sha256, again.pipeline.ids) == (first.json()["source"]["sha256"], ("motion_mog2",))
    assert api.client.get("/?like=nothing").status_code == 404


def test_a_pipeline_that_fields_cannot_say_is_taken_over_whole(api: Api, still: Path) -> None:
    pipeline = '{"stages": [{"id": "often", "plugin": "people_hog", "every": 3}]}'
    first = api.submit(still, plugins="", pipeline=pipeline).json()["id"]
    page = Page(api.client.get(f"/?like={first}").text)
    (taken,) = [e["value"] for e in page.all("input", name="pipeline") if "checked" in e]
    answer = send_nothing(api, "/jobs", {"pipeline": taken, "like": first})
    with api.parts.store.read() as tx:
        (stage,) = jobs.get(tx, answer.headers["location"].removeprefix("/jobs/")).pipeline.stages
    assert (stage.id, stage.every) == ("often", 3)


def test_the_chosen_stages_are_saved_under_a_name(api: Api) -> None:
    fields = {
        "plugins": ["motion_mog2", "people_hog"], "place.people_hog": "1", "set.people_hog.min_confidence": "0.25",
        "pipeline": "", "device": "auto", "file": "", "pipeline_name": "street",
    }  # fmt: skip
    answer = api.client.post("/pipelines", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?pipeline=street")
    stages = api.client.get("/v1/pipelines/street").json()["pipeline"]["stages"]
    assert [stage["plugin"] for stage in stages] == ["people_hog", "motion_mog2"]
    assert stages[0]["options"]["min_confidence"] == 0.25
    page = Page(api.client.get("/?pipeline=street").text)
    assert "checked" in page["take-street"]
    refused = api.client.post("/pipelines", data={**fields, "pipeline_name": "no spaces"}, headers={"Accept": "text/html"})
    page = Page(refused.text)
    assert refused.status_code == 422
    assert "letters, digits" in page["wrong-save"].text
    assert page["pipeline-name"]["value"] == "no spaces"
    assert "checked" in page["pick-people_hog"]


def test_whoever_comes_first_is_told_what_to_do_and_can_start_with_a_clip(api: Api) -> None:
    page = Page(api.client.get("/").text)
    assert "Nothing was looked at yet" in page["first-steps"].text
    fields = [(e["name"], e["value"]) for e in page.all("input", type="hidden") if e.within("first-steps")]
    assert ("sample", "clip") in fields
    answer = send_nothing(api, "/jobs", {"sample": "clip", "plugins": [value for name, value in fields if name == "plugins"]})
    assert stages_of(api, answer.headers["location"]) == ("shapes_dnn", "tracker")
    assert "first-steps" not in Page(api.client.get("/").text).by_id


def test_only_jobs_that_have_not_ended_are_listed(api: Api, clip: Path) -> None:
    waiting, ended = (api.submit(clip, name=name).json()["id"] for name in ("still waiting", "long gone"))
    with api.parts.store.begin() as tx:
        jobs.move(tx, ended, JobStatus.CANCELLED)
    page = Page(api.client.get("/").text)
    assert "still waiting" in page["job-list"].text
    assert "long gone" not in page["job-list"].text
    assert f"job-{waiting}" in page.by_id


def test_an_empty_list_says_what_to_do_next(api: Api) -> None:
    assert "Start a job with the form" in Page(api.client.get("/").text)["job-list"].text
