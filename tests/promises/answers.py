"""Real answers of the running application, each held to the document: every operation, and every kind of refusal."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import jsonschema

from app.domain.job import JobStatus
from tests.promises.subject import Subject
from tests.web.conftest import Api, tell_of_trouble

FILE: Final = "tests/baselines/openapi.json"
_FEEDS: Final = ("/v1/insights", "/v1/jobs/{id}/insights")  # the first never ends by itself
_JOBS: Final = "/v1/jobs"
_PIPELINE: Final = "/v1/pipelines/{name}"


class Answer(NamedTuple):
    """A real answer: method and path as the document has them, the status that is right, and what came."""

    method: str
    path: str
    right: int
    response: httpx.Response


def breaches(subject: Subject) -> Iterator[str]:
    """Say in a sentence where an answer is not what the kept document says, and what was never answered."""
    kept = subject.root / FILE
    document = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"paths": {}}
    seen: set[tuple[str, str, int]] = set()
    try:
        told = subject.once(answers)
    except (httpx.HTTPError, LookupError, ValueError, AssertionError) as error:
        yield f"The running application could not be asked to the end: {type(error).__name__}: {error}"
        return
    for answer in told:
        seen.add((answer.method, answer.path, answer.response.status_code))
        yield from faults(document, answer)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            good = {int(status) for status in operation["responses"] if status < "400"}
            if path != _FEEDS[0] and not any((method, path, status) in seen for status in good):
                yield f"{method.upper()} {path} was never answered with {min(good)}."


def faults(document: dict[str, Any], asked_and_came: Answer) -> Iterator[str]:
    """Hold one answer to what the document says of its operation, status and media type."""
    method, path, right, answer = asked_and_came
    asked = f"{method.upper()} {path}"
    if answer.status_code != right:
        yield f"{asked} answered {answer.status_code}, and {right} is right: {answer.text[:200]}"
        return
    operation = document["paths"].get(path, {}).get(method)
    described = operation and operation["responses"].get(str(right))
    if not described:
        yield f"{asked} answered {right}, which the document does not know."
        return
    kind = answer.headers.get("content-type", "").partition(";")[0]
    promised = list(described.get("content", {"": None}))
    if kind not in promised:
        yield f"{asked} answered {answer.status_code} as {kind or 'nothing'}, and {promised[0] or 'nothing'} is promised."
        return
    told = f"{asked} answered {answer.status_code}"
    if kind in {"application/json", "application/problem+json"}:
        yield from misfits(document, told, answer.json(), described["content"][kind]["schema"])
    if kind == "text/event-stream":
        yield from _misfit_events(document, told, answer.text, operation["x-events"])
    if kind == "application/x-ndjson":
        rows = [json.loads(line) for line in answer.text.splitlines()]
        yield from (fault for row in rows[:3] for fault in misfits(document, told, row, operation["x-line"]))


def _misfit_events(document: dict[str, Any], told: str, text: str, events: dict[str, Any]) -> Iterator[str]:
    """Hold every insight of a feed to its schema."""
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")) for block in text.split("\n\n")
    ]
    for fields in (fields for fields in blocks if "data" in fields):
        if schema := events.get(fields["event"]):
            yield from misfits(
                document, f"{told} and told {fields['event']}", json.loads(fields["data"]), {"$ref": schema["$ref"]}
            )
        else:
            yield f"{told} and told {fields['event']}, which the document does not know."


def misfits(document: dict[str, Any], told: str, value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """Say where a value does not fit a schema of the document; times are looked at too."""
    whole = {**schema, "components": document["components"]}
    checker = jsonschema.FormatChecker()
    checker.checks("date-time")(lambda text: not isinstance(text, str) or bool(re.fullmatch(r"\d{4}-.{5}T.{8}(\.\d+)?Z", text)))
    for error in jsonschema.Draft202012Validator(whole, format_checker=checker).iter_errors(value):
        place = error.json_path.removeprefix("$").removeprefix(".")
        if error.validator == "required":
            lacking = [name for name in error.validator_value if name not in error.instance]
            yield f"{told} without the required {' and '.join(lacking)}{f' in {place}' if place else ''}."
        else:
            yield f"{told} with {place or 'a body'} that does not fit: {error.message[:200]}."


def answers(subject: Subject) -> list[Answer]:
    """Get every answer out of the application, and out of one that wants a token and has no room for a job."""
    return list(ask(subject.api, subject.serve("guarded", token="secret", max_queued_jobs=0), subject.clip))


def ask(api: Api, guarded: Api, clip: Path) -> Iterator[Answer]:
    """Ask for everything there is: jobs in several states, what is there and what is not, and each refusal."""
    queued = api.submit(clip)
    yield Answer("post", _JOBS, 201, queued)
    done, failed = (api.submit(clip).json()["id"] for _ in range(2))
    tell_of_trouble(api.parts, done, "people_hog")
    api.work_off(done)
    api.work_off(failed, most=1, to=JobStatus.FAILED)
    for right in (201, 200):
        yield Answer(
            "put", _PIPELINE, right, api.client.put("/v1/pipelines/saved", json={"stages": [{"plugin": "people_hog"}]})
        )
    ids = {"job": (queued.json()["id"], done, failed, "none"), "plugin": ("people_hog", "none"), "name": ("saved", "none")}
    document = api.client.get("/v1/openapi.json").json()
    for path in (path for path, operations in document["paths"].items() if "get" in operations and path not in _FEEDS):
        kind = "name" if "{name}" in path else "plugin" if "plugins" in path else "job"
        for name in ids[kind] if "{id}" in path or "{name}" in path else ("",):
            address = path.replace("{id}", name).replace("{name}", name).replace("{index}", "3").replace("{other}", done)
            yield Answer("get", path, 404 if name == "none" else 200, api.client.get(address))
    yield Answer("get", _FEEDS[1], 200, api.client.get(f"/v1/jobs/{done}/insights"))  # it has ended, and so the feed ends
    yield from _moves(api, queued.json()["id"], done, failed)
    yield from _refused_reads(api, guarded, failed)
    yield from _refused_jobs(api, guarded, clip)


def _moves(api: Api, queued: str, done: str, failed: str) -> Iterator[Answer]:
    post, delete = api.client.post, api.client.delete
    yield Answer("post", "/v1/jobs/{id}/retry", 200, post(f"/v1/jobs/{failed}/retry"))
    yield Answer("post", "/v1/jobs/{id}/again", 201, post(f"/v1/jobs/{done}/again"))
    yield Answer("delete", "/v1/jobs/{id}", 409, delete(f"/v1/jobs/{queued}"))  # it is active
    for verb in ("pause", "resume", "stop", "cancel"):
        yield Answer("post", f"/v1/jobs/{{id}}/{verb}", 200, post(f"/v1/jobs/{queued}/{verb}"))
    for verb in ("pause", "resume", "retry"):  # it is done, or there is none
        yield Answer("post", f"/v1/jobs/{{id}}/{verb}", 409, post(f"/v1/jobs/{done}/{verb}"))
        yield Answer("post", f"/v1/jobs/{{id}}/{verb}", 404, post(f"/v1/jobs/none/{verb}"))
    yield Answer("delete", "/v1/jobs/{id}", 204, delete(f"/v1/jobs/{done}"))
    yield Answer("put", _PIPELINE, 422, api.client.put("/v1/pipelines/saved", json={"stages": []}))
    yield Answer("delete", _PIPELINE, 204, delete("/v1/pipelines/saved"))


def _refused_reads(api: Api, guarded: Api, job: str) -> Iterator[Answer]:
    get = api.client.get
    yield Answer("get", _JOBS, 400, get("/v1/jobs?limit=none"))
    yield Answer("get", _JOBS, 403, get("/v1/jobs", headers={"Host": "elsewhere.example"}))
    yield Answer("get", _JOBS, 401, guarded.client.get("/v1/jobs"))  # without its token
    yield Answer("get", "/v1/insights", 400, get("/v1/insights?colour=red"))
    yield Answer("get", "/v1/jobs/{id}/insights", 404, get("/v1/jobs/none/insights"))
    yield Answer("get", "/v1/jobs/{id}/frames", 400, get(f"/v1/jobs/{job}/frames?start=one"))


def _refused_jobs(api: Api, guarded: Api, clip: Path) -> Iterator[Answer]:
    def post(right: int, **what: Any) -> Answer:
        return Answer("post", _JOBS, right, api.client.post("/v1/jobs", **what))

    people = {"plugins": "people_hog"}
    yield post(400, content=b"{", headers={"Content-Type": "application/json"})
    yield post(415, content=b"x", headers={"Content-Type": "text/plain"})
    yield post(422, json={"source": {"path": "/x"}, "colour": "red"})
    yield post(422, files={"file": ("a.mp4", b"no video")}, data=people)
    yield Answer("post", _JOBS, 422, api.submit(clip, plugins="nobody"))
    yield Answer("post", _JOBS, 422, api.submit(clip, device="abacus"))
    yield post(413, files={"file": ("a.mp4", bytes(api.parts.limits.max_upload_bytes + 1))}, data=people)
    with clip.open("rb") as file:
        sent: dict[str, Any] = {
            "files": {"file": ("c.mp4", file)},
            "data": people,
            "headers": {"Authorization": "Bearer secret"},
        }
        yield Answer("post", _JOBS, 429, guarded.client.post("/v1/jobs", **sent))  # more than may wait there
    once = {"Idempotency-Key": "once"}
    for right, device in ((201, "auto"), (201, "auto"), (409, "cpu")):
        with clip.open("rb") as file:
            yield post(right, files={"file": ("c.mp4", file)}, data=people | {"device": device}, headers=once)
