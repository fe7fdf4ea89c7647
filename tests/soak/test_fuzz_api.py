"""Every operation of the OpenAPI document, asked with what fits it and what does not: each answer is one the document knows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.openapi import OPERATIONS, openapi_document
from tests.conftest import Server, Servers, write_clip
from tests.e2e.test_jobs import end_of, submit
from tests.soak.fuzzing import ANYTHING, TEXTS, fitting, fuzz, held, tried

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
DOCUMENT = json.loads(json.dumps(openapi_document()))
PLUGINS = st.sampled_from(["brightness", "motion_mog2", "square", "follower", "qr_codes", "line_counter", "nobody"])
COUNTED = {"requests": 0, "refused": 0, "jobs": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sources may lie in."""
    return tmp_path_factory.mktemp("fuzzed api")


@pytest.fixture(scope="module")
def house(module_servers: Servers, folder: Path) -> Iterator[Server]:
    """A server to be tried."""
    with tried(module_servers, folder, SIGHTLINE_SOURCE_ROOTS=str(folder), SIGHTLINE_MAX_QUEUED_JOBS="100000") as server:
        yield server
    print(COUNTED)


@pytest.fixture(scope="module")
def api(house: Server) -> Iterator[httpx.Client]:
    """A client of that server."""
    with house.client() as client:
        yield client


@pytest.fixture
def words(api: httpx.Client, folder: Path) -> dict[str, st.SearchStrategy[Any]]:
    """What there is: a job that has ended, a saved pipeline, plugins, a clip, and the values that fields and queries know."""
    clip = folder / "clip.mp4"
    if not clip.exists():
        write_clip(clip, frames=8)
    job = next((job["id"] for job in api.get("/v1/jobs?q=known").json()["items"]), None)
    if job is None:
        job = end_of(api, submit(api, clip, {"plugin": "brightness"}, {"plugin": "motion_mog2"}, name="known"))["id"]
    api.put("/v1/pipelines/saved", json={"stages": [{"plugin": "brightness"}]}).raise_for_status()
    stages = st.sampled_from(["brightness", "motion_mog2", "a", "b"])
    here = [{"path": str(clip)}] * 5
    sources = st.sampled_from([*here, {"path": str(folder)}, {"path": "/etc/passwd"}, {"url": "http://127.0.0.1:9/"}])
    return {
        "id": st.sampled_from([job, job, "brightness", "a"]), "other": st.just(job), "job": st.just(job),
        "index": st.integers(0, 9), "name": st.sampled_from(["saved", "other"]), "plugin": PLUGINS,
        "plugins": st.lists(PLUGINS, min_size=1, max_size=2), "stage": stages,
        "needs": st.lists(stages, max_size=1), "source": sources,
        "loop": st.integers(1, 2), "pace": st.just("max"),
        "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:9", "abacus"]),
        "limit": st.integers(1, 200), "types": st.sampled_from(["status", "progress,overlay", "status,nothing"]),
        "format": st.sampled_from(["ndjson", "csv", "coco", "manifest", "x"]),
        "pipeline": st.sampled_from(["saved", '{"stages": [{"plugin": "brightness"}]}', "{", "[]"]),
        "since": st.sampled_from(["2026-01-31", "2026-02-31"]), "cursor": st.sampled_from(["0", job]),
    }  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_whatever_an_operation_is_asked_its_answer_keeps_to_the_document(
    api: httpx.Client, words: dict[str, st.SearchStrategy[Any]], operation: Any
) -> None:
    described = DOCUMENT["paths"][operation.path][operation.method]
    heavy = operation.id in {"createJob", "repeatJob", "showFrame", "showThumbnail"}

    @fuzz(80 if operation.id == "createJob" else 12 if heavy else 30)
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        request = data.draw(_requests(described, operation.path, words), "request")
        with api.stream(operation.method, request.pop("url"), **request) as answer:
            if "text/event-stream" in answer.headers.get("content-type", ""):
                assert (answer.status_code, next(answer.iter_bytes())[:12]) == (200, b"event: hello")
                COUNTED["requests"] += 1
                return
            answer.read()
            COUNTED["requests"] += 1
            COUNTED["refused"] += answer.status_code >= 400
            held(DOCUMENT, operation.method, operation.path, answer)

    ask()
    if operation.id in {"createJob", "repeatJob"}:
        see_the_end(api)


def see_the_end(api: httpx.Client) -> None:
    """See that every job that was taken ends."""
    for job in api.get("/v1/jobs?limit=200").json()["items"]:
        COUNTED["jobs"] += 1
        end_of(api, job["id"])


@st.composite
def _requests(draw: Any, operation: dict[str, Any], path: str, words: dict[str, Any]) -> dict[str, Any]:
    spoilt = draw(st.booleans())
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for parameter in operation["parameters"]:
        name, where = parameter["name"], parameter["in"]
        if where == "path":
            known = name in words and draw(st.integers(0, 4))
            value = str(draw(words[name] if known else TEXTS.filter(_stays_one_part)))
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif draw(st.booleans()):
            value = draw(
                words[name]
                if name in words and draw(st.integers(0, 4))
                else fitting(DOCUMENT, parameter["schema"], words, spoilt)
            )
            text = value if isinstance(value, str) else json.dumps(value)
            if where == "query":
                query.append((name, text))
            else:
                headers[name] = re.sub(r"[^ -~\x01-\x1f]|[\r\n\t\f\v]", "", text).strip()
    if spoilt and draw(st.integers(0, 3)) == 0:
        query.append((draw(TEXTS), draw(TEXTS)))
    request = {"url": f"{path}?{urlencode(query)}" if query else path, "headers": headers}
    return request | (draw(_bodies(operation["requestBody"]["content"], words, spoilt)) if "requestBody" in operation else {})


def _stays_one_part(text: str) -> bool:
    return bool(text) and "/" not in text and set(text) != {"."} and len(text) < 8000


@st.composite
def _bodies(draw: Any, content: dict[str, Any], words: dict[str, Any], spoilt: bool) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(content)))
    if spoilt and draw(st.integers(0, 5)) == 0:
        return {
            "content": draw(st.binary(max_size=60)),
            "headers": {"Content-Type": draw(st.sampled_from([kind, "text/plain", "x"]))},
        }
    schema = content[kind]["schema"]
    value = draw(fitting(DOCUMENT, schema, words, spoilt))
    if kind == "application/json":
        return {"json": draw(ANYTHING) if spoilt and draw(st.integers(0, 9)) == 0 else value}
    if not isinstance(value, dict):
        return {"data": {"file": str(value)}}
    file = value.pop("file", None)
    fields = {name: inner if isinstance(inner, str) else json.dumps(inner) for name, inner in value.items()}
    return {"data": fields, "files": {"file": (draw(TEXTS), str(file).encode())}}


def test_a_path_and_method_that_are_not_in_the_document_are_refused_as_problems(api: httpx.Client) -> None:
    @fuzz(60)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"]),
        st.one_of(st.sampled_from(sorted(DOCUMENT["paths"])), TEXTS.map(lambda text: f"/v1/{quote(text[:2000], safe='/')}")),
    )
    def ask(method: str, path: str) -> None:
        known = DOCUMENT["paths"].get(path, {})
        if method.lower() in known or (method in {"HEAD", "GET"} and "get" in known):
            return
        answer = api.request(method, quote(path, safe="/%"))
        COUNTED["requests"] += 1
        assert answer.status_code in {200, 204, 400, 403, 404, 405}, (method, path, answer.text)
        if answer.status_code >= 400 and method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    ask()
