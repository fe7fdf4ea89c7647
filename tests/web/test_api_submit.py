"""Submitting jobs over the API: every way in, and every answer a good request gets."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from app.web.schemas import JobDocument
from tests.web.conftest import Api, problem

JOB_KEYS = (
    "id name tags status progress frames_done frames_total source pipeline device_requested device_used fallback "
    "fallback_reasons breakdown warnings queue created_at started_at finished_at error"
)


def test_an_uploaded_clip_becomes_a_queued_job_with_every_field_of_the_surface(api: Api, clip: Path) -> None:
    answer = api.submit(clip, device="cpu", name="Crossing", tags="street, night", priority="5")
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert " ".join(job) == " ".join(JobDocument.model_fields) == JOB_KEYS
    assert (job["name"], job["tags"], job["status"], job["progress"]) == ("Crossing", ["street", "night"], "queued", 0)
    assert (job["frames_done"], job["frames_total"], job["device_requested"], job["device_used"]) == (0, 90, "cpu", None)
    assert job["queue"] == {"position": 1, "reason": "Next in line: it starts as soon as a worker is free."}
    source = {
        "kind": "video", "name": clip.name, "path": None, "url": None,
        "sha256": hashlib.sha256(clip.read_bytes()).hexdigest(), "size_bytes": clip.stat().st_size,
        "width": 160, "height": 120, "fps": 30.0, "duration_s": 3.0, "frames": 90, "codec": "h264", "rotation": 0,
    }  # fmt: skip
    assert job["source"] == source
    (stage,) = job["pipeline"]["stages"]
    assert list(stage) == (
        ["id", "plugin", "options", "needs", "every", "when", "device", "on_error", "max_error_rate", "frame_timeout_s"]
    )
    assert stage["options"]["max_width"] == api.parts.catalogue.get("people_hog").defaults()["max_width"]
    assert job["created_at"].endswith("Z")
    assert api.client.get(answer.headers["location"]).json() == job
    assert len(api.rung) == 1


def test_fields_may_stand_before_and_after_the_file(api: Api, clip: Path) -> None:
    edge = "edge"
    part = f'--{edge}\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    file = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="c.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
    body = (
        (part % ("name", "Both sides") + file).encode()
        + clip.read_bytes()
        + ("\r\n" + part % ("plugins", "people_hog,motion_mog2") + part % ("loop", "2") + f"--{edge}--\r\n").encode()
    )
    answer = api.client.post("/v1/jobs", content=body, headers={"content-type": f"multipart/form-data; boundary={edge}"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "Both sides"
    assert answer.json()["frames_total"] == 180
    assert [stage["id"] for stage in answer.json()["pipeline"]["stages"]] == ["people_hog", "motion_mog2"]


def test_a_body_that_comes_in_single_bytes_is_taken(api: Api, still: Path) -> None:
    edge = "edge"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="s.png"\r\n\r\n'.encode()
    tail = f'\r\n--{edge}\r\nContent-Disposition: form-data; name="plugins"\r\n\r\npeople_hog\r\n--{edge}--'.encode()
    body = head + still.read_bytes() + tail
    answer = api.client.post(
        "/v1/jobs",
        content=(bytes([byte]) for byte in body),
        headers={"content-type": f"multipart/form-data; boundary={edge}"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["source"]["sha256"] == hashlib.sha256(still.read_bytes()).hexdigest()
    assert answer.json()["source"]["kind"] == "image"


def test_a_pipeline_may_be_given_as_json_in_a_form(api: Api, still: Path) -> None:
    stages = [
        {"plugin": "people_hog", "options": {"min_confidence": 0.25}},
        {"plugin": "people_hog", "needs": ["people_hog"], "when": {"stage": "people_hog", "min_confidence": 0.5}, "every": 2},
        {
            "id": "moves",
            "plugin": "motion_mog2",
            "on_error": "fail_job",
            "max_error_rate": 0.1,
            "frame_timeout_s": 5,
            "device": "cpu",
        },
    ]
    answer = api.submit(still, plugins="", pipeline=json.dumps({"stages": stages}))
    assert answer.status_code == 201, answer.text
    first, second, third = answer.json()["pipeline"]["stages"]
    assert (first["id"], second["id"], third["id"]) == ("people_hog", "people_hog_2", "moves")
    assert first["options"]["min_confidence"] == 0.25
    assert second["when"] == {"stage": "people_hog", "label": None, "min_confidence": 0.5}
    assert (second["needs"], second["every"], second["on_error"]) == (["people_hog"], 2, "skip_frame")
    assert (third["on_error"], third["max_error_rate"], third["frame_timeout_s"]) == ("fail_job", 0.1, 5.0)


def test_a_file_in_an_open_folder_is_a_source_by_its_path(
    start_api: Callable[..., Api], make_clip: Callable[..., Path]
) -> None:
    path = make_clip("open.mp4", frames=10)
    api = start_api(source_roots=(path.parent,))
    body = {"source": {"path": str(path)}, "plugins": ["people_hog"], "tags": ["a"], "strict_device": True, "loop": 3}
    answer = api.client.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["source"]["path"] == str(path)
    assert answer.json()["frames_total"] == 30
    assert api.left_on_disk() == []


def test_a_name_that_is_a_path_is_shown_without_its_folders(api: Api, clip: Path) -> None:
    with clip.open("rb") as file:
        answer = api.client.post(
            "/v1/jobs", files={"file": ("../../etc/cron.d/evil.mp4", file)}, data={"plugins": "people_hog"}
        )
    assert answer.status_code == 201
    assert answer.json()["source"]["name"] == answer.json()["name"] == "evil.mp4"
    assert api.left_on_disk() == [f"{answer.json()['source']['sha256']}.mp4"]


def test_the_same_idempotency_key_and_request_answer_the_same_job(api: Api, clip: Path) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    api.client.headers.update(key)
    first, second = api.submit(clip), api.submit(clip)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert api.stored_jobs() == 1
    conflict = problem(api.submit(clip, name="another"), 409)
    assert conflict["type"] == "/problems/idempotency-conflict"
    assert api.stored_jobs() == 1


def test_a_repeated_request_with_another_file_conflicts_and_its_file_is_not_kept(
    api: Api, clip: Path, make_clip: Callable[..., Path]
) -> None:
    api.client.headers["Idempotency-Key"] = "once"
    assert api.submit(clip).status_code == 201
    kept = api.left_on_disk()
    problem(api.submit(make_clip("other.mp4", frames=5)), 409)
    assert api.left_on_disk() == kept


def test_a_full_queue_refuses_new_jobs_but_answers_repeated_requests(
    start_api: Callable[..., Api], clip: Path, still: Path
) -> None:
    api = start_api(max_queued_jobs=1)
    api.client.headers["Idempotency-Key"] = "first"
    first = api.submit(clip)
    assert first.status_code == 201
    kept = api.left_on_disk()
    del api.client.headers["Idempotency-Key"]
    refused = api.submit(still)
    assert problem(refused, 429)["type"] == "/problems/queue-full"
    assert int(refused.headers["retry-after"]) > 0
    api.client.headers["Idempotency-Key"] = "second"
    problem(api.submit(still), 429)
    api.client.headers["Idempotency-Key"] = "first"
    assert api.submit(clip).json()["id"] == first.json()["id"]
    assert api.left_on_disk() == kept
    assert api.stored_jobs() == 1


def test_a_form_with_nothing_but_what_a_browser_sends_is_taken(api: Api, still: Path) -> None:
    """A form sends every control: empty texts, a box that is ticked, one field to each chosen plugin."""
    with still.open("rb") as file:
        answer = api.client.post(
            "/v1/jobs",
            files={"file": (still.name, file, "image/png")},
            data={"plugins": ["people_hog", "motion_mog2"], "name": "", "tags": "", "device": "auto", "strict_device": "on"},
        )
    assert answer.status_code == 201, answer.text
    assert [stage["plugin"] for stage in answer.json()["pipeline"]["stages"]] == ["people_hog", "motion_mog2"]
    assert answer.json()["name"] == still.name


def test_an_upload_is_never_whole_in_memory(start_api: Callable[..., Api]) -> None:
    api = start_api(max_upload_bytes=200_000_000)
    process, edge, grown = psutil.Process(), "edge", []

    def body(megabytes: int) -> Iterator[bytes]:
        yield f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="long.mp4"\r\n\r\n'.encode()
        for _ in range(megabytes):
            yield b"x" * 1_000_000
            grown.append(process.memory_info().rss)
        yield f'\r\n--{edge}\r\nContent-Disposition: form-data; name="plugins"\r\n\r\npeople_hog\r\n--{edge}--'.encode()

    headers = {"content-type": f"multipart/form-data; boundary={edge}"}
    problem(api.client.post("/v1/jobs", content=body(5), headers=headers), 422)  # what is loaded once is loaded now
    before = process.memory_info().rss
    grown.clear()
    problem(api.client.post("/v1/jobs", content=body(150), headers=headers), 422)
    assert max(grown) - before < 40_000_000
    assert api.left_on_disk() == []


def test_a_job_is_run_again_with_all_that_was_asked_for(api: Api, clip: Path) -> None:
    first = api.submit(
        clip, plugins="motion_mog2", device="cpu", strict_device="true", name="rain", tags="a,b", priority="3", loop="2",
        options='{"motion_mog2": {"history": 120}}',
    ).json()  # fmt: skip
    answer = api.client.post(f"/v1/jobs/{first['id']}/again")
    assert answer.status_code == 201
    second = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{second['id']}"
    assert second["id"] != first["id"]
    for name in ("name", "tags", "source", "pipeline", "device_requested", "frames_total"):
        assert second[name] == first[name]
    problem(api.client.post("/v1/jobs/nothing/again"), 404)


def test_a_job_on_a_file_that_is_not_open_any_more_is_not_run_again(start_api: Callable[..., Api], clip: Path) -> None:
    api = start_api(source_roots=(clip.parent,))
    first = api.client.post("/v1/jobs", json={"source": {"path": str(clip)}, "plugins": "people_hog"}).json()
    assert api.client.post(f"/v1/jobs/{first['id']}/again").status_code == 201
    closed = replace(api.parts.limits, source_roots=())
    object.__setattr__(api.parts, "limits", closed)
    assert "SIGHTLINE_SOURCE_ROOTS" in problem(api.client.post(f"/v1/jobs/{first['id']}/again"), 422)["detail"]
    assert api.stored_jobs() == 2
