"""Check a pipeline before anything runs: plugins, options, devices, and how the stages fit; every problem is told."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from app.actions.draft import Draft
from app.devices.runtimes import missing_runtime
from app.domain.device import DeviceRequest
from app.domain.errors import (
    BadDevice,
    BadOption,
    BrokenPlugin,
    ModelMissing,
    RuntimeMissing,
    SightlineError,
    UnknownPlugin,
)
from app.domain.fit import find_misfits, wire
from app.domain.pipeline import Pipeline, Stage, arrange, find_problems, number_stage_ids, refuse
from app.domain.plugin import PluginMetadata
from app.registry.discover import Catalogue
from app.registry.manifest import check_options
from app.registry.options import read_option

_OF_A_STAGE: Final = (BadDevice, BadOption, ModelMissing, RuntimeMissing)


def complete_pipeline(draft: Draft, catalogue: Catalogue) -> Pipeline:
    """Give the draft's pipeline with every option checked and filled in; raises what `check_pipeline` does.

    Plugins that were named without a pipeline take what they need of each other by themselves.
    """
    stages = draft.stages
    if stages is None:
        stages = tuple(map(Stage, number_stage_ids(draft.plugins), draft.plugins))
        stages = wire(stages, _known(stages, catalogue)[0])
    return check_pipeline(stages, catalogue, set_options=draft.set_options, model_roots=draft.model_roots)


def check_pipeline(
    stages: Sequence[Stage],
    catalogue: Catalogue,
    *,
    set_options: Mapping[str, Mapping[str, Any]] | None = None,
    model_roots: Iterable[Path] = (),
) -> Pipeline:
    """Give `stages` as a pipeline that can run here: in order, every option filled in, those of `set_options` (by stage) set.

    A single problem is raised as what it is: UnknownPlugin, BrokenPlugin, BadOption, BadDevice, ModelMissing,
    RuntimeMissing or BadPipeline; of several, BadPipeline tells them all.
    """
    known, problems = _known(stages, catalogue)
    complete: list[Stage] = []
    roots = tuple(model_roots)
    for stage in stages:
        if stage.plugin in known:
            try:
                complete.append(_complete(stage, known[stage.plugin], catalogue, (set_options or {}).get(stage.id, {}), roots))
            except _OF_A_STAGE as problem:
                problems.append(problem)
    problems += _strange(set_options or {}, stages)
    told = [*find_problems(stages), *find_misfits(stages, known)]
    if len(problems) == 1 and not told:
        raise problems[0]
    if problems or told:
        raise refuse([*told, *map(_as_clause, problems)])
    return Pipeline(arrange(complete))


def _known(stages: Sequence[Stage], catalogue: Catalogue) -> tuple[dict[str, PluginMetadata], list[SightlineError]]:
    """Give what is known of the stages' plugins by id, and an error for each that is not."""
    known: dict[str, PluginMetadata] = {}
    problems: list[SightlineError] = []
    for plugin in dict.fromkeys(stage.plugin for stage in stages):
        try:
            known[plugin] = catalogue.get(plugin)
        except (UnknownPlugin, BrokenPlugin) as problem:
            problems.append(problem)
    return known, problems


def _complete(
    stage: Stage, metadata: PluginMetadata, catalogue: Catalogue, options: Mapping[str, Any], roots: tuple[Path, ...]
) -> Stage:
    if stage.device is not None:
        DeviceRequest.parse(stage.device)
    specs = {spec.name: spec for spec in metadata.options}
    read = {name: read_option(specs[name], v) if isinstance(v, str) and name in specs else v for name, v in options.items()}
    checked = check_options(metadata, stage.id, {**stage.options, **read})
    missing = missing_runtime(checked.get("runtime"))
    if missing is not None:
        raise RuntimeMissing(stage=stage.id, runtime=checked["runtime"], reason=missing.sentence)
    checked = catalogue.models.checked(metadata, catalogue.folder(stage.plugin), stage.id, checked, roots)
    return msgspec.structs.replace(stage, options=checked)


def _strange(set_options: Mapping[str, Mapping[str, Any]], stages: Sequence[Stage]) -> list[SightlineError]:
    """An error for each stage whose options are set and that is not there."""
    ids = {stage.id for stage in stages}
    expected = f"a stage of the pipeline ({', '.join(stage.id for stage in stages)})"
    return [
        BadOption(stage=name, option=next(iter(options), ""), actual="set", expected=expected)
        for name, options in set_options.items()
        if name not in ids
    ]


def _as_clause(problem: SightlineError) -> str:
    """An error's sentence, to stand among others."""
    text = str(problem).rstrip(".")
    return text[0].lower() + text[1:]
