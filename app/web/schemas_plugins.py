"""A plugin as the API and the command line show it: what it declares, and how it did so far."""

from datetime import datetime
from typing import Any, Self

from app.domain.device import Target
from app.domain.finding import Finding, Severity
from app.domain.health import Health
from app.domain.plugin import Capability, FoundPlugin, ModelFile, OptionSpec, OptionType
from app.registry.models import ModelShelf
from app.store.plugin_history import PluginHistory
from app.store.plugins import PluginRecord
from app.web.schemas_history import HistoryDocument
from app.web.schemas_pipeline import Document


class OptionDocument(Document):
    """One option of a plugin, as its form field needs it."""

    name: str
    type: OptionType
    default: Any
    title: str
    help: str
    minimum: float | None
    maximum: float | None
    choices: list[str]

    @classmethod
    def of(cls, option: OptionSpec) -> Self:
        """Describe an option."""
        return cls(
            name=option.name,
            type=option.type,
            default=option.default,
            title=option.title,
            help=option.help,
            minimum=option.minimum,
            maximum=option.maximum,
            choices=list(option.choices),
        )


class ModelDocument(Document):
    """A model file a plugin needs, whether it is here, and where it can be had (`sightline models pull NAME`)."""

    name: str
    present: bool
    file: str
    sha256: str
    size: int
    url: str
    license: str

    @classmethod
    def of(cls, model: ModelFile, *, present: bool) -> Self:
        """Describe a model file."""
        return cls(
            name=model.name, present=present, file=model.file, sha256=model.sha256, size=model.size,
            url=model.url, license=model.license,
        )  # fmt: skip


class FindingDocument(Document):
    """One thing a rule found wrong with a plugin: where, what, and how to mend it."""

    rule: str
    severity: Severity
    path: str
    message: str
    cure: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """Describe a finding."""
        return cls(rule=finding.rule, severity=finding.severity, path=finding.path, message=finding.message, cure=finding.cure)


class RecordDocument(Document):
    """How a plugin did over every stored job; durations are per frame."""

    jobs: int
    frames: int
    soft_failures: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    health: Health
    health_reason: str
    last_job_id: str | None
    last_at: datetime | None

    @classmethod
    def of(cls, record: PluginRecord) -> Self:
        """Describe a record."""
        return cls(
            jobs=record.jobs,
            frames=record.frames,
            soft_failures=record.soft_failures,
            p50_ms=record.timing.percentile_ms(50),
            p95_ms=record.timing.percentile_ms(95),
            p99_ms=record.timing.percentile_ms(99),
            max_ms=record.timing.max_ms,
            health=record.health,
            health_reason=record.health_reason,
            last_job_id=record.last_job_id,
            last_at=record.last_at,
        )


class PluginDocument(Document):
    """A plugin that was found: what it declares (null where it is broken, with the reason), and how it did so far.

    The history is told of one plugin alone; in lists it is null.
    """

    id: str
    origin: str
    broken: bool
    reason: str | None
    findings: list[FindingDocument]
    name: str | None
    version: str | None
    description: str | None
    author: str | None
    license: str | None
    capabilities: list[Capability]
    output: str | None
    latency_budget_ms: float | None
    stateful: bool | None
    needs_pixels: bool | None
    warmup_frames: int | None
    needs_outputs: list[str]
    devices: list[Target]
    options: list[OptionDocument]
    models: list[ModelDocument]
    record: RecordDocument | None
    history: HistoryDocument | None

    @classmethod
    def of(
        cls,
        found: FoundPlugin,
        record: PluginRecord | None = None,
        history: PluginHistory | None = None,
        *,
        shelf: ModelShelf,
    ) -> Self:
        """Describe a plugin; without record and history where they are not at hand. `shelf` is where its models may lie."""
        about = found.metadata
        models = about.models if about else ()
        plain = ("name", "version", "description", "author", "license", "output", "latency_budget_ms", "stateful")
        names = (*plain, "needs_pixels", "warmup_frames")
        return cls(
            id=found.id,
            origin=found.origin,
            broken=found.broken,
            reason=found.reason,
            findings=[FindingDocument.of(finding) for finding in found.findings],
            **{name: getattr(about, name, None) for name in names},
            capabilities=list(about.capabilities) if about else [],
            needs_outputs=list(about.needs_outputs) if about else [],
            devices=list(about.devices) if about else [],
            options=[OptionDocument.of(option) for option in about.options] if about else [],
            models=[ModelDocument.of(model, present=shelf.has(found.id, model)) for model in models],
            record=RecordDocument.of(record) if record else None,
            history=HistoryDocument.of(history) if history else None,
        )
