"""What a person chose in the form for a new job: kept when it could not be taken, or taken over from another job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import msgspec
from starlette.datastructures import QueryParams

from app.domain.fit import wire
from app.domain.job import Job, Pace
from app.domain.pipeline import FailurePolicy, Stage
from app.domain.plugin import PluginMetadata
from app.web.contexts.option_form import FIELD_PREFIX, field_name, text_of
from app.web.form_submit import PLACE_PREFIX
from app.web.schemas_pipeline import PipelineDocument

_PLAIN_FIELDS: Final = ("pipeline", "device", "path", "url", "like", "name", "pace", "loop", "pipeline_name")
Known = Mapping[str, PluginMetadata]


@dataclass(frozen=True, slots=True)
class Choices:
    """The form's fields as texts; `pipeline` is the name of a saved one or, of a job that cannot be shown in fields, JSON."""

    plugins: Sequence[str] = ()
    pipeline: str = ""
    device: str = "auto"
    strict: bool = False
    path: str = ""
    url: str = ""
    like: str = ""
    name: str = ""
    tags: str = ""
    pace: str = Pace.MAX.value
    loop: str = "1"
    pipeline_name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_query(cls, query: QueryParams) -> Self:
        """Take what an address asks for: `?plugin=` (several), `?pipeline=`."""
        return cls(plugins=tuple(query.getlist("plugin")), pipeline=query.get("pipeline", ""))

    @classmethod
    def of_fields(cls, fields: Mapping[str, Sequence[str]]) -> Self:
        """Take a form that was sent."""
        given = {name: values[0] for name in _PLAIN_FIELDS if (values := fields.get(name)) and values[0]}
        return cls(
            plugins=tuple(fields.get("plugins", ())),
            strict=bool(fields.get("strict_device")),
            tags=", ".join(fields.get("tags", ())),
            options={name: values[0] for name, values in fields.items() if name.startswith(FIELD_PREFIX)},
            places={
                name.removeprefix(PLACE_PREFIX): values[0] for name, values in fields.items() if name.startswith(PLACE_PREFIX)
            },
            **given,
        )

    @classmethod
    def of_job(cls, job: Job, known: Known) -> Self:
        """Take another job over: its source, stages, device, and the rest."""
        stages = job.pipeline.stages
        shared = cls(
            device=job.device_requested,
            strict=job.strict_device,
            like=job.id,
            name="" if job.name == job.source.name else job.name,
            tags=", ".join(job.tags),
            pace=job.pace.value,
            loop=str(job.loop),
        )
        if not _fit_for_fields(stages, known):
            return replace(shared, pipeline=PipelineDocument.of(job.pipeline).model_dump_json())
        return replace(
            shared,
            plugins=tuple(stage.plugin for stage in stages),
            options={field_name(s.plugin, name): text_of(value) for s in stages for name, value in s.options.items()},
            places={stage.plugin: str(number) for number, stage in enumerate(stages, 1)},
        )


def _fit_for_fields(stages: Sequence[Stage], known: Known) -> bool:
    """Say whether a pipeline says no more than which plugins run, in which order, with which options."""
    if any(stage.plugin not in known or stage.id != stage.plugin for stage in stages):
        return False
    bare = [msgspec.structs.replace(stage, needs=()) for stage in stages]
    plain = all(s.every == 1 and not s.when and not s.device and s.policy == FailurePolicy() for s in stages)
    return plain and {s.id: set(s.needs) for s in wire(bare, known)} == {s.id: set(s.needs) for s in stages}
