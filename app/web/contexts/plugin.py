"""Plugins as their pages show them: what each declares, how it did so far, and what is wrong with a broken one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.health import Health
from app.domain.pipeline import SavedPipeline
from app.domain.plugin import FoundPlugin, PluginMetadata
from app.registry.models import ModelShelf
from app.store.plugins import PluginRecord
from app.web.contexts.option_form import OptionField, view_fields
from app.web.contexts.plugin_parts import FindingView, ModelView, OptionView, view_finding, view_model, view_option
from app.web.contexts.plugin_plot import view_spark
from app.web.contexts.stage import TARGET_NAMES, HealthView, view_health
from app.web.contexts.words import Sign, ago, milliseconds, number, percent, plural, promise, slug

_BROKEN: Final = Sign("Broken", "circle-x", "bad")
_UNUSED: Final = Sign("Not used yet", "circle-dashed", "muted")


@dataclass(frozen=True, slots=True)
class PluginChoice:
    """A plugin as one may pick it for a job."""

    id: str
    name: str
    description: str
    capabilities: tuple[str, ...]
    budget: str
    stateful: bool
    chosen: bool
    fields: tuple[OptionField, ...] = ()
    reads: str = ""
    place: str = ""

    @property
    def wrong(self) -> bool:
        """Say whether an option is wrong."""
        return any(field.problem for field in self.fields)


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """A pipeline as one may pick it for a job; `chain` names its stages in their order, `value` is one that is not saved."""

    name: str
    chain: str
    chosen: bool
    value: str = ""


@dataclass(frozen=True, slots=True)
class PluginCard:
    """A plugin in the list of plugins."""

    id: str
    key: str
    name: str
    url: str
    description: str
    capabilities: tuple[str, ...]
    facts: str
    health: HealthView
    broken: str
    cure: str = ""
    spark: tuple[tuple[float, float, bool], ...] = ()
    speed: str = ""
    wanting: str = ""


@dataclass(frozen=True, slots=True)
class PluginView:
    """All that a plugin's page shows."""

    card: PluginCard
    promise: str
    folder: str
    facts: tuple[tuple[str, str], ...]
    options: tuple[OptionView, ...]
    models: tuple[ModelView, ...]
    numbers: tuple[tuple[str, str], ...]
    last_job: str
    findings: tuple[FindingView, ...]


def view_choices(
    found: Sequence[FoundPlugin],
    chosen: Sequence[str],
    given: Mapping[str, str] | None = None,
    problem: tuple[str, str, str] | None = None,
    places: Mapping[str, str] | None = None,
) -> tuple[PluginChoice, ...]:
    """Give the plugins that can be picked, those in `chosen` picked, with the fields of their options.

    `given` are the texts of fields filled in before, `places` those of the order by plugin; `problem` names a stage, its
    wrong option, and what was expected.
    """
    stage, *wrong = problem or ("", "", "")
    return tuple(
        PluginChoice(
            id=meta.id,
            name=meta.name,
            description=meta.description,
            capabilities=tuple(word.value for word in meta.capabilities),
            budget=promise(meta.latency_budget_ms),
            stateful=meta.stateful,
            chosen=meta.id in chosen,
            fields=view_fields(meta, given or {}, (wrong[0], wrong[1]) if meta.id == stage else None),
            reads=", ".join(meta.needs_outputs),
            place=(places or {}).get(meta.id, ""),
        )
        for meta in (plugin.metadata for plugin in found)
        if meta
    )


def view_pipelines(saved: Sequence[SavedPipeline], chosen: str) -> tuple[PipelineChoice, ...]:
    """Give the saved pipelines that can be picked, the one called `chosen` picked."""
    return tuple(PipelineChoice(one.name, " → ".join(one.pipeline.ids), one.name == chosen) for one in saved)


@dataclass(frozen=True, slots=True)
class PluginOverview:
    """The list of plugins: what can be used, what is broken, the capabilities to choose from, and a sentence about all."""

    cards: tuple[PluginCard, ...]
    broken: tuple[PluginCard, ...]
    capabilities: tuple[tuple[str, int, bool], ...]
    wanted: str
    sentence: str


def view_cards(
    found: Sequence[FoundPlugin], records: Mapping[str, PluginRecord], shelf: ModelShelf, wanted: str = ""
) -> PluginOverview:
    """Give the list of plugins, of those that can be used the ones with the capability `wanted` (empty: all)."""
    cards = [view_card(plugin, records.get(plugin.id), shelf) for plugin in found]
    usable, broken = [card for card in cards if not card.broken], [card for card in cards if card.broken]
    words = sorted({word for card in usable for word in card.capabilities})
    unused = sum(card.id not in records for card in usable)
    told = [f"{plural(len(usable), 'plugin')} can be used"]
    told += [f"{len(broken)} cannot, for the reason below"] if broken else []
    told += [f"{unused or 'none'} of them not used yet"] if usable and records else []
    return PluginOverview(
        cards=tuple(card for card in usable if not wanted or wanted in card.capabilities),
        broken=tuple(broken),
        capabilities=tuple((word, sum(word in card.capabilities for card in usable), word == wanted) for word in words),
        wanted=wanted,
        sentence="; ".join(told) + ".",
    )


def view_card(plugin: FoundPlugin, record: PluginRecord | None, shelf: ModelShelf | None = None) -> PluginCard:
    """Give a plugin as one of a list; with `shelf` it says which of its models are not here."""
    meta = plugin.metadata
    facts = []
    if meta:
        facts = [f"version {meta.version}", f"budget {promise(meta.latency_budget_ms)} per frame"]
        facts.append(plural(record.jobs, "job") if record and record.jobs else "no job yet")
        facts += [plural(len(plugin.findings), "finding")] if plugin.findings else []
    return PluginCard(
        id=plugin.id,
        key=slug(plugin.id),
        name=meta.name if meta else plugin.id,
        url=f"/plugins/{plugin.id}",
        description=meta.description if meta else "",
        capabilities=tuple(word.value for word in meta.capabilities) if meta else (),
        facts=" · ".join(facts),
        health=_health(plugin, record),
        broken=(plugin.reason or "It cannot be used.") if plugin.broken else "",
        cure=plugin.findings[0].cure if plugin.broken and plugin.findings else "",
        spark=view_spark(tuple(record.p95_ms), meta.latency_budget_ms) if meta and record else (),
        speed=_speed(meta, record),
        wanting=_wanting(meta, shelf) if meta and shelf else "",
    )


def _speed(meta: PluginMetadata | None, record: PluginRecord | None) -> str:
    if meta is None or record is None or not record.timing.count:
        return ""
    p95 = record.timing.percentile_ms(95)
    return f"p95 {milliseconds(p95)}, {percent(p95 / meta.latency_budget_ms)} of its budget"


def _wanting(meta: PluginMetadata, shelf: ModelShelf) -> str:
    missing = [model for model in meta.models if not shelf.has(meta.id, model)]
    return f"{len(missing)} of {plural(len(meta.models), 'model')} not here" if missing else ""


def _health(plugin: FoundPlugin, record: PluginRecord | None) -> HealthView:
    if plugin.broken:
        return HealthView(plugin.id, plugin.id, _BROKEN, plugin.reason or "")
    if record is None or not record.jobs:
        return HealthView(plugin.id, plugin.id, _UNUSED, "Its health is known once a job has used it.")
    reason = record.health_reason or ("No trouble in its newest job." if record.health is Health.OK else "")
    return view_health(plugin.id, plugin.id, record.health, reason)


def view_plugin(plugin: FoundPlugin, record: PluginRecord, shelf: ModelShelf) -> PluginView:
    """Give all that a plugin's page shows; `shelf` is where its models may lie."""
    meta = plugin.metadata
    return PluginView(
        card=view_card(plugin, record, shelf),
        promise=promise(meta.latency_budget_ms) if meta else "",
        folder=str(plugin.folder),
        facts=tuple(_facts(plugin, meta)),
        options=tuple(map(view_option, meta.options)) if meta else (),
        models=tuple(view_model(meta.id, model, shelf) for model in meta.models) if meta else (),
        numbers=_numbers(record),
        last_job=record.last_job_id or "",
        findings=tuple(map(view_finding, plugin.findings)),
    )


def _facts(plugin: FoundPlugin, meta: PluginMetadata | None) -> list[tuple[str, str]]:
    facts = [("Id", plugin.id), ("Found in", plugin.origin)]
    if meta:
        facts += [
            ("Version", meta.version),
            ("Author", meta.author),
            ("Licence", meta.license),
            ("Gives", meta.output),
            *([("Reads", ", ".join(meta.needs_outputs))] if meta.needs_outputs else []),
            ("Runs on", ", ".join(TARGET_NAMES[target] for target in meta.devices)),
            ("Latency budget", f"{promise(meta.latency_budget_ms)} per frame"),
            ("Frames", _frames(meta)),
        ]
    return facts


def _frames(meta: PluginMetadata) -> str:
    if not meta.stateful:
        return "any frame alone, on every worker"
    return "sees every frame in order, on one worker" if meta.needs_pixels else "follows the other stages, in frame order"


def _numbers(record: PluginRecord) -> tuple[tuple[str, str], ...]:
    if not record.jobs:
        return ()
    timing = record.timing
    return (
        ("Jobs", number(record.jobs)),
        ("Frames", number(record.frames)),
        ("Soft failures", number(record.soft_failures)),
        ("p50", milliseconds(timing.percentile_ms(50))),
        ("p95", milliseconds(timing.percentile_ms(95))),
        ("Slowest", milliseconds(timing.max_ms)),
        ("Last used", ago(record.last_at) if record.last_at else "–"),
    )
