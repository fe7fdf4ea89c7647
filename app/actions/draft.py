"""What a person asks for when submitting a job, and how a pipeline given as JSON is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.job import Pace
from app.domain.media import SourceRef
from app.domain.pipeline import MAX_STAGES, Condition, FailurePolicy, OnError, Stage, number_stage_ids, refuse
from app.store import pipelines
from app.store.engine import Store

StageId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A job as it was asked for: a source, and plugins by their ids, the stages of a pipeline, or the name of a saved one.

    Nothing of it is checked yet.

    A model may be named by its path when it lies in one of `model_roots`. `fingerprint` tells two requests with the same
    Idempotency-Key apart; `runner` names the process that alone may run the job; `set_options` overrides options by stage id.
    """

    source: SourceRef
    stages: tuple[Stage, ...] | None = None
    plugins: tuple[str, ...] = ()
    saved: str | None = None
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


def with_saved_stages(draft: Draft, store: Store) -> Draft:
    """Give the draft with the stages of the saved pipeline that it names, where it names one; raise UnknownPipeline."""
    if draft.saved is None or draft.stages is not None:
        return draft
    with store.read() as tx:
        return replace(draft, stages=pipelines.get(tx, draft.saved).pipeline.stages)


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


def read_stages(document: object) -> tuple[Stage, ...]:
    """Read a pipeline from a decoded JSON document, in any order; raise BadPipeline saying where it is wrong and why.

    How the stages fit each other is not looked at here.
    """
    try:
        form = PipelineForm.model_validate(document)
    except ValidationError as invalid:
        flaws = invalid.errors(include_url=False, include_input=False, include_context=False)
        raise refuse([f"{_place(flaw['loc'])}: {flaw['msg']}" for flaw in flaws]) from None
    defaults = number_stage_ids(tuple(stage.plugin for stage in form.stages))
    return tuple(_stage(stage, default) for stage, default in zip(form.stages, defaults, strict=True))


def _place(parts: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in parts) or "the document"


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
