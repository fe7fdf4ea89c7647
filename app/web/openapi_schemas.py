"""Every schema of the API by name: documents from pydantic, insights and outputs from the domain itself."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.actions.draft import PipelineForm
from app.domain.insight import INSIGHT_TYPES, Insight
from app.domain.output import OUTPUT_TYPES, Output
from app.engine.rows import Row
from app.web.api_plugins import Devices
from app.web.schemas import JobDocument
from app.web.schemas_compare import ComparisonDocument
from app.web.schemas_feed import SubscriberListDocument
from app.web.schemas_lists import (
    AliveDocument,
    FactListDocument,
    JobListDocument,
    PipelineListDocument,
    PluginListDocument,
    ProblemDocument,
    ReadinessDocument,
)
from app.web.schemas_pipeline import SavedPipelineDocument
from app.web.schemas_plugins import PluginDocument
from app.web.schemas_submit import JobFields, JobRequest

_REF: Final = "#/components/schemas/"
_GIVEN: Final[tuple[type[BaseModel], ...]] = (JobRequest, JobFields, PipelineForm)
_ANSWERED: Final[tuple[type[BaseModel], ...]] = (
    JobDocument, JobListDocument, FactListDocument, PluginDocument, PluginListDocument,
    ComparisonDocument,
    SavedPipelineDocument, PipelineListDocument, SubscriberListDocument, AliveDocument, ReadinessDocument, ProblemDocument,
)  # fmt: skip
_NAMES: Final = {"RowError": "FrameError"}


class FrameRow(Row):
    """One frame's row, as it is stored and served."""

    outputs: Mapping[str, Output]  # written as they are, or as the JSON they were read back as: the same on the wire


def insight_name(kind: type[Insight]) -> str:
    """Give the schema name of an insight: `Insight` and its type, such as InsightStatus."""
    return f"Insight{kind.type.capitalize()}"


def ref(name: str) -> dict[str, Any]:
    """Refer to a schema by its name."""
    return {"$ref": _REF + name}


def schemas() -> dict[str, Any]:
    """Give every schema by its name."""
    documents = _documents()
    nouns = _nouns()
    for name in documents.keys() & nouns.keys():
        if "enum" not in documents[name]:
            raise ValueError(f"two different schemas are called {name}")
    return dict(sorted({**nouns, **documents, "Result": _result()}.items()))


def multipart_schema() -> dict[str, Any]:
    """Give the schema of a form that carries the file itself; what is not text in it is written as text."""
    fields = {name: {"type": "string"} for name in JobFields.model_fields}
    return {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}, **fields},
        "additionalProperties": False,
    }


def _documents() -> dict[str, Any]:
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "validation") for model in _GIVEN),
        *((model, "serialization") for model in _ANSWERED),
    ]
    _, found = models_json_schema(modes, ref_template=_REF + "{model}")
    documents: dict[str, Any] = found["$defs"]
    for name in ("JobRequest", "JobFields"):
        fields = documents[name]["properties"]
        fields["pipeline"] = {
            "anyOf": [ref("PipelineForm"), {"type": "string"}, {"type": "null"}],
            "description": fields["pipeline"]["description"],
        }
        for listed in ("plugins", "tags"):
            fields[listed] = {"anyOf": [fields[listed], {"type": "string"}]}
    return documents


def _nouns() -> dict[str, Any]:
    kinds = (*INSIGHT_TYPES, *OUTPUT_TYPES, FrameRow, Devices)
    names = {kind.__name__: insight_name(kind) for kind in INSIGHT_TYPES} | _NAMES
    _, found = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    plain = msgspec.json.decode(msgspec.json.encode(found))  # defaults as JSON has them: lists, not tuples
    return {names.get(name, name): _renamed(schema, names) for name, schema in plain.items()}


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if isinstance(part, list):
        return [_renamed(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    renamed = {key: _renamed(value, names) for key, value in part.items()}
    target = renamed.get("$ref")
    if isinstance(target, str):
        name = target.removeprefix(_REF)
        renamed["$ref"] = _REF + names.get(name, name)
    if isinstance(renamed.get("title"), str):
        renamed["title"] = names.get(renamed["title"], renamed["title"])
    mapping = renamed.get("mapping")
    if isinstance(mapping, dict):
        renamed["mapping"] = {
            key: _REF + names.get(value.removeprefix(_REF), value.removeprefix(_REF)) for key, value in mapping.items()
        }
    return renamed


def _result() -> dict[str, Any]:
    fields = {
        "job_id": {"type": "string"},
        "complete": {"type": "boolean", "description": "Every frame is in it: the job succeeded and was not stopped early."},
        "device_requested": {"type": "string"},
        "device_used": {"type": ["string", "null"]},
        "fallback": {"type": "boolean"},
        "frames": {"type": "array", "items": ref("FrameRow")},
        "result": {"type": "object", "additionalProperties": {"type": ["object", "null"]}},
    }
    return {
        "title": "Result",
        "description": "All a job gave: its rows in frame order, and each stage's summary by stage id.",
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
