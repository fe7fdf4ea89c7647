"""A plugin's history as the API shows it: version by version, and its newest uses."""

from datetime import datetime
from typing import Self

from app.domain.health import Health
from app.store.plugin_history import PluginHistory, PluginUse, VersionRecord
from app.web.schemas_pipeline import Document


class VersionDocument(Document):
    """One version of a plugin over every stored job; durations are per frame."""

    version: str
    uses: int
    frames: int
    soft_failures: int
    over_budget: int
    fallbacks: int
    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, known: VersionRecord) -> Self:
        """Describe a version."""
        return cls(
            version=known.version, uses=known.uses, frames=known.frames, soft_failures=known.soft_failures,
            over_budget=known.over_budget, fallbacks=known.fallbacks, p50_ms=known.timing.percentile_ms(50),
            p95_ms=known.timing.percentile_ms(95),
        )  # fmt: skip


class UseDocument(Document):
    """A plugin as one stage of one job; health is null until it was judged."""

    job_id: str
    job_name: str
    stage: str
    version: str | None
    frames: int
    soft_failures: int
    over_budget: int
    fallback: bool
    p95_ms: float
    health: Health | None
    at: datetime

    @classmethod
    def of(cls, use: PluginUse) -> Self:
        """Describe a use."""
        return cls(
            job_id=use.job_id, job_name=use.job_name, stage=use.stage, version=use.version, frames=use.frames,
            soft_failures=use.soft_failures, over_budget=use.over_budget, fallback=use.fallback,
            p95_ms=use.timing.percentile_ms(95), health=use.health, at=use.at,
        )  # fmt: skip


class HistoryDocument(Document):
    """The versions of a plugin that were used, the newest use first, and its newest uses."""

    versions: list[VersionDocument]
    uses: list[UseDocument]

    @classmethod
    def of(cls, history: PluginHistory) -> Self:
        """Describe a history."""
        versions = [VersionDocument.of(known) for known in history.versions]
        return cls(versions=versions, uses=[UseDocument.of(use) for use in history.uses])
