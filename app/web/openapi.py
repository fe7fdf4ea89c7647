"""The OpenAPI document of the API and the feed, built from the types that are really used."""

from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from app.domain.insight import FILTERABLE_TYPES, INSIGHT_TYPES
from app.domain.job import JobStatus
from app.web.openapi_schemas import insight_name, multipart_schema, ref, schemas

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}


class Operation(msgspec.Struct, frozen=True):
    """One operation: its address, what it takes, what it answers (status, media type, schema), and the problems it has."""

    method: str
    path: str
    id: str
    summary: str
    answer: tuple[int, str | None, Any]
    problems: tuple[int, ...] = ()
    query: tuple[tuple[str, dict[str, Any]], ...] = ()
    headers: tuple[tuple[str, dict[str, Any]], ...] = ()
    body: dict[str, Any] | None = None
    more: dict[str, Any] = {}


def _json(name: str, status: int = 200) -> tuple[int, str, Any]:
    return status, "application/json", ref(name)


_LIMIT: Final = ("limit", {"type": "integer", "minimum": 1})
_CURSOR: Final = ("cursor", _TEXT)
_SUBMIT: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": multipart_schema()},
        "application/json": {"schema": ref("JobRequest")},
    },
}
_TYPES: Final = {"type": "string", "description": f"Parted by commas: {', '.join(sorted(FILTERABLE_TYPES))}."}
_RESUME: Final = (("types", _TYPES), ("max_rate", {"type": "number"}), ("last_event_id", _COUNT))
_FEED: Final = {
    "x-events": {kind.type: {**ref(insight_name(kind)), "x-delivery": kind.delivery.value} for kind in INSIGHT_TYPES}
}
_STREAM: Final = (200, "text/event-stream", {"type": "string", "description": "`event: <type>`, `data: <JSON>`; see x-events."})
_VERBS: Final = {
    "cancel": "End the job now; what is committed stays.",
    "pause": "Let the job rest.",
    "resume": "Let a paused job go on.",
    "stop": "Finish the job now with what is committed.",
    "retry": "Let a failed or cancelled job go on; its id and committed segments stay.",
}
_SUBMIT_TEXT: Final = (
    "Submit a job, with the file itself or naming one. A repeated Idempotency-Key with the same request answers 201 with the "
    "job it made before and `Idempotency-Replayed: true`; with another request, 409."
)
_J: Final = "/v1/jobs/{id}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "post", "/v1/jobs", "createJob", _SUBMIT_TEXT, _json("JobDocument", 201),
        (400, 409, 413, 415, 422, 429, 503), headers=(("Idempotency-Key", {"type": "string", "maxLength": 255}),), body=_SUBMIT,
    ),
    Operation(
        "get", "/v1/jobs", "listJobs", "Jobs, newest first.", _json("JobListDocument"), (400,),
        (
            ("status", {"type": "string", "description": f"Parted by commas: {', '.join(JobStatus)}."}),
            ("plugin", _TEXT), ("q", _TEXT), _LIMIT, _CURSOR,
        ),
    ),
    Operation("get", _J, "showJob", "One job.", _json("JobDocument"), (404,)),
    Operation("delete", _J, "deleteJob", "Delete an ended job with all it left.", (204, None, None), (404, 409)),
    *(
        Operation("post", f"{_J}/{verb}", f"{verb}Job", summary, _json("JobDocument"), (404, 409))
        for verb, summary in _VERBS.items()
    ),
    Operation(
        "get", f"{_J}/frames", "listFrames", "Rows of frames [start, end) in frame order, one FrameRow to a line.",
        (200, "application/x-ndjson", {"type": "string"}), (400, 404), (("start", _COUNT), ("end", _COUNT)),
        more={"x-line": ref("FrameRow")},
    ),
    Operation("get", f"{_J}/result", "showResult", "All a job gave, in one object.", _json("Result"), (404,)),
    Operation("get", f"{_J}/facts", "listFacts", "The job's facts.", _json("FactListDocument"), (400, 404), (_LIMIT, _CURSOR)),
    Operation("get", f"{_J}/log", "showLog", "What plugins printed.", (200, "text/plain", _TEXT), (404,)),
    Operation(
        "get", f"{_J}/frames/{{index}}.jpg", "showFrame", "A picture of a frame.",
        (200, "image/jpeg", {"type": "string", "contentMediaType": "image/jpeg"}), (404, 410, 503),
    ),
    Operation(
        "get", f"{_J}/insights", "followJob", "The feed of one job; it closes when the job has ended.", _STREAM,
        (400, 404, 503), _RESUME, more=_FEED,
    ),
    Operation(
        "get", "/v1/insights", "follow", "The feed.", _STREAM, (400, 404, 503),
        (("job", {"type": "string", "description": "Job ids, parted by commas."}), *_RESUME), more=_FEED,
    ),
    Operation("get", "/v1/plugins", "listPlugins", "Plugins, the broken ones too.", _json("PluginListDocument")),
    Operation("get", "/v1/plugins/{id}", "showPlugin", "One plugin.", _json("PluginDocument"), (404,)),
    Operation("get", "/v1/devices", "showDevices", "What hardware is here, and who uses it.", _json("Devices")),
    Operation("get", "/v1/openapi.json", "showOpenapi", "This document.", (200, "application/json", {"type": "object"})),
    Operation("get", "/healthz", "alive", "The server answers.", _json("AliveDocument")),
    Operation("get", "/readyz", "ready", "Whether work can be done.", _json("ReadinessDocument"), (503,)),
    Operation("get", "/metrics", "metrics", "Numbers for Prometheus.", (200, "text/plain", _TEXT)),
)  # fmt: skip


@lru_cache(maxsize=1)
def openapi_json() -> bytes:
    """Give the document as JSON."""
    return msgspec.json.encode(openapi_document())


def openapi_document() -> dict[str, Any]:
    """Build the document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    try:
        number = version("sightline")
    except PackageNotFoundError:  # run from a checkout that was never installed
        number = "0"
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sightline", "version": number, "description": "Watches vision plugins work."},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    named = [part[1:-1] for part in operation.path.replace(".jpg", "").split("/") if part.startswith("{")]
    parameters = [
        *(_parameter("path", name, _COUNT if name == "index" else _TEXT, required=True) for name in named),
        *(_parameter("query", name, schema) for name, schema in operation.query),
        *(_parameter("header", name, schema) for name, schema in operation.headers),
    ]
    status, media_type, schema = operation.answer
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if media_type:
        answer["content"] = {media_type: {"schema": schema}}
    if status == HTTPStatus.CREATED:
        answer["headers"] = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
    problems = {str(code): _problem(HTTPStatus(code)) for code in (*operation.problems, 401, 403, 500)}
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        **({"requestBody": operation.body} if operation.body else {}),
        "responses": dict(sorted({str(status): answer, **problems}.items())),
        **operation.more,
    }


def _parameter(where: str, name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    return {"description": status.phrase, "content": {"application/problem+json": {"schema": ref("ProblemDocument")}}}
