"""The OpenAPI document of the API and the feed, built from the types that are really used."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from app.domain.history import JobSort
from app.domain.insight import FILTERABLE_TYPES, INSIGHT_TYPES
from app.domain.job import JobStatus
from app.web.feed_query import MOST_REWOUND
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
    also: tuple[int, ...] = ()  # other statuses with the same answer
    kinds: Mapping[str, Any] = {}  # other media types it can be asked for in, with their schemas


def _json(name: str, status: int = 200) -> tuple[int, str, Any]:
    return status, "application/json", ref(name)


_LIMIT: Final = ("limit", {"type": "integer", "minimum": 1})
_CURSOR: Final = ("cursor", _TEXT)
_FLAG: Final = {"type": "boolean"}
_DAY: Final = {"type": "string", "description": "A day in UTC (2026-01-31), or a moment of RFC 3339."}
_SUBMIT: Final = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": multipart_schema()},
        "application/json": {"schema": ref("JobRequest")},
    },
}
_TYPES: Final = {"type": "string", "description": f"Parted by commas: {', '.join(sorted(FILTERABLE_TYPES))}."}
_ASKED: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("types", _TYPES),
    ("plugin", {"type": "string", "description": "Plugin ids, parted by commas: only jobs and stages that run one of them."}),
    ("labels", {"type": "string", "description": "Parted by commas: all else is left out of overlays."}),
    (
        "min_confidence",
        {"type": "number", "minimum": 0, "maximum": 1, "description": "What is less sure is left out of overlays."},
    ),
    ("max_rate", {"type": "number", "exclusiveMinimum": 0, "description": "A second, of each latest-wins type and job."}),
    ("last_event_id", {**_COUNT, "description": "The last fact one has; the header Last-Event-ID comes before it."}),
    (
        "rewind",
        {**_COUNT, "maximum": MOST_REWOUND, "description": "Begin with the last so many facts instead of a snapshot's."},
    ),
)
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
_ANY: Final = (400, 401, 403, 500)  # any operation answers 400 to what is no HTTP or an unknown name in the query
_J: Final = "/v1/jobs/{id}"
_P: Final = "/v1/pipelines/{name}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "post", "/v1/jobs", "createJob", _SUBMIT_TEXT, _json("JobDocument", 201),
        (409, 413, 415, 422, 429, 503), headers=(("Idempotency-Key", {"type": "string", "maxLength": 255}),), body=_SUBMIT,
    ),
    Operation(
        "get", "/v1/jobs", "listJobs", "Jobs, newest first unless `sort` says otherwise.", _json("JobListDocument"), (),
        (
            ("status", {"type": "string", "description": f"Parted by commas: {', '.join(JobStatus)}."}),
            ("plugin", _TEXT), ("q", _TEXT), ("tag", _TEXT), ("since", _DAY), ("until", _DAY), ("warnings", _FLAG),
            ("fallback", _FLAG), ("sort", {"type": "string", "enum": list(JobSort)}), _LIMIT, _CURSOR,
        ),
    ),
    Operation("get", _J, "showJob", "One job.", _json("JobDocument"), (404,)),
    Operation("delete", _J, "deleteJob", "Delete an ended job with all it left.", (204, None, None), (404, 409)),
    *(
        Operation("post", f"{_J}/{verb}", f"{verb}Job", summary, _json("JobDocument"), (404, 409))
        for verb, summary in _VERBS.items()
    ),
    Operation(
        "post", f"{_J}/again", "repeatJob", "A new job with the same source, pipeline and device.", _json("JobDocument", 201),
        (404, 422, 429, 503),
    ),
    Operation(
        "get", f"{_J}/frames", "listFrames", "Rows of frames [start, end) in frame order, one FrameRow to a line.",
        (200, "application/x-ndjson", {"type": "string"}), (404,), (("start", _COUNT), ("end", _COUNT)),
        more={"x-line": ref("FrameRow")},
    ),
    Operation("get", f"{_J}/result", "showResult", "All a job gave, in one object.", _json("Result"), (404,)),
    Operation("get", f"{_J}/facts", "listFacts", "The job's facts.", _json("FactListDocument"), (404,), (_LIMIT, _CURSOR)),
    Operation("get", f"{_J}/log", "showLog", "What plugins printed.", (200, "text/plain", _TEXT), (404,)),
    Operation(
        "get", f"{_J}/frames/{{index}}.jpg", "showFrame", "A picture of a frame.",
        (200, "image/jpeg", {"type": "string", "contentMediaType": "image/jpeg"}), (404, 410, 503),
    ),
    Operation(
        "get", f"{_J}/export", "exportJob", "What the job gave, as a file: JSON Lines, CSV, COCO, or the run manifest.",
        (200, "application/x-ndjson", {"type": "string"}), (404,),
        (("format", {"type": "string", "enum": ["ndjson", "csv", "coco", "manifest"]}),), more={"x-line": ref("FrameRow")},
        kinds={"text/csv": _TEXT, "application/json": {"type": "object"}},
    ),
    Operation(
        "get", f"{_J}/compare/{{other}}", "compareJobs", "What differs between two jobs.", _json("ComparisonDocument"), (404,),
    ),
    Operation(
        "get", f"{_J}/thumbnail.jpg", "showThumbnail", "A small picture from the middle of the source.",
        (200, "image/jpeg", {"type": "string", "contentMediaType": "image/jpeg"}), (404, 410, 503),
    ),
    Operation(
        "get", f"{_J}/insights", "followJob", "The feed of one job; it closes when the job has ended.", _STREAM,
        (404, 503), _ASKED, more=_FEED,
    ),
    Operation(
        "get", "/v1/insights", "follow", "The feed.", _STREAM, (404, 503),
        (("job", {"type": "string", "description": "Job ids, parted by commas."}), *_ASKED), more=_FEED,
    ),
    Operation(
        "get", "/v1/pipelines", "listPipelines", "Saved pipelines, in the order of their names.", _json("PipelineListDocument"),
        (), (_LIMIT, _CURSOR),
    ),
    Operation("get", _P, "showPipeline", "One saved pipeline.", _json("SavedPipelineDocument"), (404,)),
    Operation(
        "put", _P, "putPipeline", "Save a pipeline under a name: 201 for a new name, 200 where it replaces one.",
        _json("SavedPipelineDocument"), (415, 422), also=(201,),
        body={"required": True, "content": {"application/json": {"schema": ref("PipelineForm")}}},
    ),
    Operation(
        "delete", _P, "deletePipeline", "Delete a saved pipeline; jobs keep theirs.", (204, None, None), (404,)
    ),
    Operation(
        "get", "/v1/insights/subscribers", "listSubscribers", "Who reads the feed, how far behind, and at which cost.",
        _json("SubscriberListDocument"),
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
        kinds = {media_type: schema, **operation.kinds}
        answer["content"] = {kind: {"schema": described} for kind, described in kinds.items()}
    if status == HTTPStatus.CREATED:
        answer["headers"] = {"Location": {"schema": {"type": "string", "format": "uri-reference"}}}
    problems = {str(code): _problem(HTTPStatus(code)) for code in (*operation.problems, *_ANY)}
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        **({"requestBody": operation.body} if operation.body else {}),
        "responses": dict(sorted({str(status): answer, **dict.fromkeys(map(str, operation.also), answer), **problems}.items())),
        **operation.more,
    }


def _parameter(where: str, name: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    return {"description": status.phrase, "content": {"application/problem+json": {"schema": ref("ProblemDocument")}}}
