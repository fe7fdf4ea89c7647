"""Promise 1: the OpenAPI document with the schema of every answer, form and insight."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.promises.answers import breaches
from tests.promises.json_schema import ANSWERED, GIVEN, describe, reached, say_field, schema_parts, weigh_field
from tests.promises.promise import Baseline, Promise, Rule
from tests.promises.subject import Subject

FILE: Final = "tests/baselines/openapi.json"


def show(subject: Subject) -> str:
    """Give the document as a running server serves it."""
    document = subject.api.client.get("/v1/openapi.json").raise_for_status().json()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def parts(text: str) -> dict[str, str]:
    """Give every operation with its parameters, bodies and answers, and every field of every schema."""
    document = json.loads(text)
    told: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told |= dict(_of_operation(f"{method.upper()} {path}", operation))
    given, answered = _sides(document)
    for name, schema in document["components"]["schemas"].items():
        sides = " and ".join(side for side, names in ((GIVEN, given), (ANSWERED, answered)) if name in names)
        told |= {part: f"{value} · {sides}" for part, value in schema_parts(name, schema)}
    return told


def _of_operation(name: str, operation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield name, operation["operationId"]
    for parameter in operation["parameters"]:
        need = "required" if parameter["required"] else "optional"
        yield f"{name} {parameter['in']} {parameter['name']}", f"{need}, {describe(parameter['schema'])} · {GIVEN}"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield from ((part, f"{value} · {GIVEN}") for part, value in schema_parts(f"{name} body {kind}", body["schema"]))
    for status, answer in operation["responses"].items():
        kinds = [f"{kind} of {describe(held['schema'])}" for kind, held in answer.get("content", {}).items()]
        headers = [f"header {header}" for header in answer.get("headers", {})]
        yield f"{name} answer {status}", f"{'; '.join([*kinds, *headers]) or 'no body'} · {ANSWERED}"
    for insight, event in operation.get("x-events", {}).items():
        yield f"{name} event {insight}", f"{describe({'$ref': event['$ref']})}, {event['x-delivery']}"
    if "x-line" in operation:
        yield f"{name} line", describe(operation["x-line"])


def _sides(document: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    schemas = document["components"]["schemas"]
    given = [operation.get("requestBody", {}) for operation in operations]
    answered = [operation.get(key, {}) for operation in operations for key in ("responses", "x-events", "x-line")]
    return reached(schemas, given), reached(schemas, answered)


OPENAPI = Promise(
    "openapi",
    "the API's document, the schema of every insight, and real answers that keep to it",
    baselines=(Baseline(FILE, show, parts, weigh_field, say_field),),
    rules=(Rule("answers keep to the document", breaches),),
)
