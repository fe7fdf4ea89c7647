"""Lists, readiness and problems as the API shows them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.web.schemas import JobDocument
from app.web.schemas_pipeline import Document, SavedPipelineDocument
from app.web.schemas_plugins import PluginDocument


class JobListDocument(Document):
    """A page of jobs, newest first; `next_cursor` asks for the next page."""

    items: list[JobDocument]
    next_cursor: str | None


class PluginListDocument(Document):
    """Every plugin that was found, the broken ones too."""

    items: list[PluginDocument]
    next_cursor: str | None


class PipelineListDocument(Document):
    """A page of saved pipelines in the order of their names; `next_cursor` asks for the next page."""

    items: list[SavedPipelineDocument]
    next_cursor: str | None


class FactDocument(BaseModel):
    """A fact as the feed tells it, with its number and type; the other fields are those of the type."""

    model_config = ConfigDict(extra="allow")

    id: int
    type: str
    at: datetime
    job_id: str


class FactListDocument(Document):
    """A job's facts in the order of their numbers."""

    items: list[FactDocument]
    next_cursor: str | None


class AliveDocument(Document):
    """The server answers."""

    status: str


class ReadinessDocument(Document):
    """Whether work can be done: for each part null when it is well, else the reason."""

    ready: bool
    checks: dict[str, str | None]


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457); `detail` is a sentence for a person."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str
    problems: list[str] | None = Field(default=None, description="Each reason by itself, where there may be several.")
