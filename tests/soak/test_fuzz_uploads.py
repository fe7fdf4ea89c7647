"""Damaged media by the hundred, sent to a running server: each is refused with a reason, or becomes a job that ends."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.openapi import openapi_document
from tests.conftest import ROOT, Server, Servers, moving_square, write_clip
from tests.e2e.test_jobs import end_of, rows_of
from tests.soak.fuzzing import fuzz, held, mutants, tried

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
DOCUMENT = json.loads(json.dumps(openapi_document()))
CLIPS = {"clip.mp4": "libx264", "clip.mkv": "libx264", "clip.avi": "mpeg4", "clip.webm": "libvpx", "clip.mov": "mpeg4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this module."""
    return tmp_path_factory.mktemp("fuzzed uploads")


@pytest.fixture(scope="module")
def originals(folder: Path) -> dict[str, bytes]:
    """Whole media of several kinds: the sample, short clips, pictures."""
    whole = {"shapes.mp4": (ROOT / "samples" / "shapes.mp4").read_bytes()}
    for name, codec in CLIPS.items():
        whole[name] = write_clip(folder / name, frames=12, size=(96, 64), codec=codec).read_bytes()
    for suffix in ("png", "jpg", "bmp", "webp", "tiff"):
        done, data = cv2.imencode(f".{suffix}", moving_square(3, 96, 64))
        assert done
        whole[f"still.{suffix}"] = data.tobytes()
    return whole


@pytest.fixture(scope="module")
def house(module_servers: Servers, folder: Path) -> Iterator[Server]:
    """A server to be tried."""
    with tried(module_servers, folder, SIGHTLINE_MAX_UPLOAD_MB="5") as server:
        yield server


def test_a_damaged_file_is_refused_with_a_reason_or_becomes_a_job_that_ends(house: Server, originals: dict[str, bytes]) -> None:
    told: Counter[str] = Counter()
    taken: list[str] = []
    with house.client() as api:

        @fuzz(50)
        @given(mutants(originals))
        def send(mutant: tuple[str, bytes]) -> None:
            recipe, body = mutant
            data = {"plugins": "brightness", "name": recipe[:200]}
            answer = api.post("/v1/jobs", files={"file": (recipe.partition(",")[0], body)}, data=data)
            held(DOCUMENT, "post", "/v1/jobs", answer)
            told[str(answer.status_code)] += 1
            assert answer.status_code in {201, 413, 422}, answer.text
            if answer.status_code == 201:
                taken.append(answer.json()["id"])

        send()
        told.update(_read(api, job_id) for job_id in taken)
    print(dict(told))
    assert told["201"], "nothing was taken"
    assert told["422"], "nothing was refused"


def _read(api: httpx.Client, job_id: str) -> str:
    """Wait for the end of a job, read all there is of it, and give how it ended."""
    job = end_of(api, job_id)
    held(DOCUMENT, "get", "/v1/jobs/{id}", api.get(f"/v1/jobs/{job_id}"))
    held(DOCUMENT, "get", "/v1/jobs/{id}/result", api.get(f"/v1/jobs/{job_id}/result"))
    held(DOCUMENT, "get", "/v1/jobs/{id}/frames/{index}.jpg", api.get(f"/v1/jobs/{job_id}/frames/0.jpg"))
    held(DOCUMENT, "get", "/v1/jobs/{id}/thumbnail.jpg", api.get(f"/v1/jobs/{job_id}/thumbnail.jpg"))
    assert api.get(f"/jobs/{job_id}", headers={"Accept": "text/html"}).status_code == 200
    indexes = [row["frame_index"] for row in rows_of(api, job_id)]
    assert indexes == sorted(set(indexes))
    if job["status"].startswith("completed"):
        assert job["progress"] == 100
        assert len(indexes) <= job["frames_done"] == job["frames_total"]
    else:
        assert job["error"]
    if job["status"] != "completed":  # nothing is lost in silence
        assert job["error"] or job["warnings"]
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    return str(job["status"])


def test_a_form_that_is_spoilt_anywhere_is_answered_by_the_document(house: Server, originals: dict[str, bytes]) -> None:
    told: Counter[int] = Counter()
    part = '--between\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    head = part.format("plugins", "") + "brightness\r\n" + part.format("file", '; filename="still.png"')
    whole = {"form": head.encode() + originals["still.png"] + b"\r\n--between--\r\n"}
    with house.client() as api:

        @fuzz(60)
        @given(
            mutants(whole),
            st.sampled_from(["multipart/form-data; boundary=between"] * 9 + ["multipart/form-data", "text/plain"]),
        )
        def send(mutant: tuple[str, bytes], kind: str) -> None:
            answer = api.post("/v1/jobs", content=mutant[1], headers={"Content-Type": kind})
            told[held(DOCUMENT, "post", "/v1/jobs", answer).status_code] += 1

        send()
    print(dict(told))
    assert {201, 400, 422} <= set(told)
