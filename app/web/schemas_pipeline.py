"""What a job does to which source, as the API shows it."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from app.domain.address import mask
from app.domain.job import Job
from app.domain.media import SourceKind
from app.domain.pipeline import OnError, Pipeline, SavedPipeline, Stage


class Document(BaseModel):
    """What every document of the API shares: the declared fields and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceDocument(Document):
    """Where a job's frames come from, with its measured facts; null where unknown. An upload has no path.

    What is secret in an address (who signs in, tokens) stands as `***`.
    """

    kind: SourceKind
    name: str
    path: str | None
    url: str | None
    sha256: str | None
    size_bytes: int | None
    width: int | None
    height: int | None
    fps: float | None
    duration_s: float | None
    frames: int | None
    codec: str | None
    rotation: int | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Describe a job's source."""
        ref, media = job.source, job.media
        return cls(
            kind=ref.kind,
            name=ref.name,
            path=None if ref.upload else ref.path,
            url=None if ref.url is None else mask(ref.url),
            sha256=ref.sha256,
            size_bytes=ref.size_bytes,
            width=media.width if media else None,
            height=media.height if media else None,
            fps=media.fps if media else None,
            duration_s=media.duration_s if media else None,
            frames=media.frames if media else None,
            codec=media.codec if media else None,
            rotation=media.rotation if media else None,
        )


class ConditionDocument(Document):
    """When a stage runs: an earlier stage found something (of this label, this sure)."""

    stage: str
    label: str | None
    min_confidence: float


class StageDocument(Document):
    """One stage of a pipeline with everything filled in."""

    id: str
    plugin: str
    options: dict[str, Any]
    needs: list[str]
    every: int
    when: ConditionDocument | None
    device: str | None
    on_error: OnError
    max_error_rate: float
    frame_timeout_s: float

    @classmethod
    def of(cls, stage: Stage) -> Self:
        """Describe a stage, its failure policy laid flat."""
        when = stage.when
        return cls(
            id=stage.id,
            plugin=stage.plugin,
            options=dict(stage.options),
            needs=list(stage.needs),
            every=stage.every,
            when=ConditionDocument(stage=when.stage, label=when.label, min_confidence=when.min_confidence) if when else None,
            device=stage.device,
            on_error=stage.policy.on_error,
            max_error_rate=stage.policy.max_error_rate,
            frame_timeout_s=stage.policy.frame_timeout_s,
        )


class PipelineDocument(Document):
    """Stages in the order they run."""

    stages: list[StageDocument]

    @classmethod
    def of(cls, pipeline: Pipeline) -> Self:
        """Describe a pipeline."""
        return cls(stages=[StageDocument.of(stage) for stage in pipeline.stages])


class SavedPipelineDocument(Document):
    """A pipeline under its name, as it was saved: options that are not named take their defaults when it runs."""

    name: str
    pipeline: PipelineDocument
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, saved: SavedPipeline) -> Self:
        """Describe a saved pipeline."""
        pipeline = PipelineDocument.of(saved.pipeline)
        return cls(name=saved.name, pipeline=pipeline, created_at=saved.created_at, updated_at=saved.updated_at)
