"""The API's own description: valid, complete, and true of what the running server answers."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from openapi_spec_validator import validate
from starlette.routing import Route

from app.domain.insight import INSIGHT_EXAMPLES, INSIGHT_TYPES
from app.domain.output import EXAMPLES
from app.web.feed import live
from app.web.openapi import openapi_document
from app.web.openapi_schemas import insight_name
from app.web.routes import API, FEED
from app.web.schemas_submit import JobFields
from tests.web.conftest import Api

DOCUMENT = openapi_document()


def check(instance: Any, schema: dict[str, Any]) -> None:
    """Validate a value against a schema of the document; times and addresses are looked at too."""
    whole = {**schema, "components": DOCUMENT["components"]}
    checker = jsonschema.FormatChecker()
    checker.checks("date-time")(lambda text: not isinstance(text, str) or bool(re.fullmatch(r"\d{4}-.{5}T.{8}(\.\d+)?Z", text)))
    jsonschema.Draft202012Validator(whole, format_checker=checker).validate(instance)


def test_the_document_is_valid_openapi(api: Api) -> None:
    served = api.client.get("/v1/openapi.json").json()
    validate(served)
    assert served["openapi"] == "3.1.0"
    assert served == json.loads(json.dumps(DOCUMENT))


def test_every_route_of_the_api_and_the_feed_is_described_and_no_other() -> None:
    routes = [route for route in (*API, *FEED) if isinstance(route, Route) and route.endpoint is not live]
    served = {
        (method.lower(), re.sub(r":\w+}", "}", route.path))
        for route in routes
        for method in route.methods or ()
        if method not in {"HEAD", "OPTIONS"}
    }
    described = {(method, path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert described == served


def test_every_operation_has_a_name_of_its_own_and_says_how_it_fails() -> None:
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        for status, answer in operation["responses"].items():
            problems = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
            assert status < "400" or answer["content"] == problems


@pytest.mark.parametrize("kind", INSIGHT_TYPES, ids=lambda kind: kind.type)
def test_every_insight_has_a_schema_that_its_example_fits_and_a_broken_one_does_not(kind: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{insight_name(kind)}"}
    for path in ("/v1/insights", "/v1/jobs/{id}/insights"):
        event = DOCUMENT["paths"][path]["get"]["x-events"][kind.type]
        assert event == {**schema, "x-delivery": kind.delivery.value}
    example = json.loads(msgspec.json.encode(INSIGHT_EXAMPLES[kind.type]))
    check(example, schema)
    for name in DOCUMENT["components"]["schemas"][insight_name(kind)]["required"]:
        with pytest.raises(jsonschema.ValidationError):
            check({field: value for field, value in example.items() if field != name}, schema)
    with pytest.raises(jsonschema.ValidationError):
        check({**example, "at": "yesterday"}, schema)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_output_fits_in_a_row(kind: str) -> None:
    output = json.loads(msgspec.json.encode(EXAMPLES[kind]))
    row = {"frame_index": 1, "t_s": None, "outputs": {"stage": output}, "errors": []}
    check(row, {"$ref": "#/components/schemas/FrameRow"})
    with pytest.raises(jsonschema.ValidationError):
        check({**row, "outputs": {"stage": {**output, "kind": "other"}}}, {"$ref": "#/components/schemas/FrameRow"})


def test_a_form_and_a_json_body_take_the_same_fields() -> None:
    content = DOCUMENT["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    form = set(content["multipart/form-data"]["schema"]["properties"])
    body = set(DOCUMENT["components"]["schemas"]["JobRequest"]["properties"])
    assert form - {"file"} == body - {"source"} == set(JobFields.model_fields)
    given = {"source": {"path": "/x.mp4"}, "plugins": "people_hog", "tags": ["a"], "loop": 2}
    check(given, {"$ref": "#/components/schemas/JobRequest"})
    with pytest.raises(jsonschema.ValidationError):
        check({**given, "colour": "red"}, {"$ref": "#/components/schemas/JobRequest"})
