"""What a person asks for when submitting a job, and how a pipeline given as JSON is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.errors import BadPipeline
from app.domain.job import Pace
from app.domain.media import SourceRef
from app.domain.pipeline import MAX_STAGES, Condition, FailurePolicy, OnError, Pipeline, Stage, number_stage_ids

StageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job as it was asked for: a source, and either plugins by their ids or a pipeline.

    A model may be named by its path when it lies in one of `model_roots`. `fingerprint` tells two requests with the same
    Idempotency-Key apart; `runner` names the process that alone may run the job; `set_options` overrides options by stage id.
    """

    source: SourceRef
    stages: Pipeline | None = None
    plugins: tuple[str, ...] = ()
    device: str = "auto"
    strict_device: bool = False
    priority: int = 0
    pace: Pace = Pace.MAX
    loop: int = 1
    name: str = ""
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    fingerprint: str | None = None
    runner: str | None = None
    set_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    model_roots: tuple[Path, ...] = ()


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ConditionForm(_Form):
    """Run a stage only on frames where an earlier stage found something."""

    stage: StageId
    label: str | None = None
    min_confidence: float = Field(default=0.0, ge=0, le=1)


class StageForm(_Form):
    """One stage of a pipeline; without an id it takes the plugin's, then `_2`, `_3`."""

    id: StageId | None = None
    plugin: str = Field(min_length=1, max_length=100)
    options: dict[str, Any] = Field(default_factory=dict)
    needs: list[StageId] = Field(default_factory=list)
    every: int = Field(default=1, ge=1, le=1_000_000)
    when: ConditionForm | None = None
    device: str | None = None
    on_error: OnError = OnError.SKIP_FRAME
    max_error_rate: float = Field(default=0.5, ge=0, le=1)
    frame_timeout_s: float = Field(default=30.0, gt=0, le=3600)


class PipelineForm(_Form):
    """Stages in the order they run."""

    stages: list[StageForm] = Field(min_length=1, max_length=MAX_STAGES)


def read_pipeline(document: object) -> Pipeline:
    """Read a pipeline from a decoded JSON document; raise BadPipeline saying where it is wrong and why."""
    try:
        form = PipelineForm.model_validate(document)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BadPipeline.because(f"{where}: {first['msg']}") from None
    defaults = number_stage_ids(tuple(stage.plugin for stage in form.stages))
    return Pipeline(tuple(_stage(stage, default) for stage, default in zip(form.stages, defaults, strict=True)))


def _stage(form: StageForm, default_id: str) -> Stage:
    when = form.when
    return Stage(
        id=form.id or default_id,
        plugin=form.plugin,
        options=form.options,
        needs=tuple(form.needs),
        every=form.every,
        when=Condition(when.stage, when.label, when.min_confidence) if when else None,
        device=form.device,
        policy=FailurePolicy(form.on_error, form.max_error_rate, form.frame_timeout_s),
    )
