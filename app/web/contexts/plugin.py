"""Plugins as their pages show them: what each declares, how it did so far, and what is wrong with a broken one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.health import Health
from app.domain.plugin import FoundPlugin, ModelFile, OptionSpec, PluginMetadata
from app.registry.models import ModelShelf
from app.store.plugins import PluginRecord
from app.web.contexts.stage import TARGET_NAMES, HealthView, plain, view_health
from app.web.contexts.words import Sign, milliseconds, moment, number, plural, size, slug

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


@dataclass(frozen=True, slots=True)
class OptionView:
    """An option a plugin takes, as its page explains it."""

    name: str
    title: str
    help: str
    default: str
    limits: str


@dataclass(frozen=True, slots=True)
class PluginView:
    """All that a plugin's page shows."""

    card: PluginCard
    facts: tuple[tuple[str, str], ...]
    options: tuple[OptionView, ...]
    models: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]
    last_job: str
    findings: tuple[str, ...]


def view_choices(found: Sequence[FoundPlugin], chosen: Sequence[str]) -> tuple[PluginChoice, ...]:
    """Give the plugins that can be picked, those in `chosen` picked."""
    return tuple(
        PluginChoice(
            id=meta.id,
            name=meta.name,
            description=meta.description,
            capabilities=tuple(word.value for word in meta.capabilities),
            budget=milliseconds(meta.latency_budget_ms),
            stateful=meta.stateful,
            chosen=meta.id in chosen,
        )
        for meta in (plugin.metadata for plugin in found)
        if meta
    )


def view_card(plugin: FoundPlugin, record: PluginRecord | None) -> PluginCard:
    """Give a plugin as one of a list."""
    meta = plugin.metadata
    facts = []
    if meta:
        facts = [f"version {meta.version}", f"budget {milliseconds(meta.latency_budget_ms)} per frame"]
        facts.append(plural(record.jobs, "job") if record and record.jobs else "no job yet")
    return PluginCard(
        id=plugin.id,
        key=slug(plugin.id),
        name=meta.name if meta else plugin.id,
        url=f"/plugins/{plugin.id}",
        description=meta.description if meta else "",
        capabilities=tuple(word.value for word in meta.capabilities) if meta else (),
        facts=" · ".join(facts),
        health=_health(plugin, record),
        broken=plugin.reason or "",
    )


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
        card=view_card(plugin, record),
        facts=tuple(_facts(plugin, meta)),
        options=tuple(_option(option) for option in meta.options) if meta else (),
        models=tuple((model.name, _model(meta.id, model, shelf)) for model in meta.models) if meta else (),
        numbers=_numbers(record),
        last_job=record.last_job_id or "",
        findings=plugin.findings,
    )


def _facts(plugin: FoundPlugin, meta: PluginMetadata | None) -> list[tuple[str, str]]:
    facts = [("Id", plugin.id), ("Found in", plugin.origin)]
    if meta:
        facts += [
            ("Version", meta.version),
            ("Author", meta.author),
            ("Licence", meta.license),
            ("Gives", meta.output),
            ("Runs on", ", ".join(TARGET_NAMES[target] for target in meta.devices)),
            ("Latency budget", f"{milliseconds(meta.latency_budget_ms)} per frame"),
            ("Frames", "sees every frame in order, on one worker" if meta.stateful else "any frame alone, on every worker"),
        ]
    return facts


def _option(option: OptionSpec) -> OptionView:
    limits = ""
    if option.choices:
        limits = " or ".join(option.choices)
    elif option.minimum is not None and option.maximum is not None:
        limits = f"{option.minimum:g} to {option.maximum:g}"
    elif option.minimum is not None:
        limits = f"at least {option.minimum:g}"
    elif option.maximum is not None:
        limits = f"at most {option.maximum:g}"
    return OptionView(option.name, option.title, option.help, plain(option.default), limits)


def _model(plugin_id: str, model: ModelFile, shelf: ModelShelf) -> str:
    about = f"{size(model.size)}, {model.license}"
    state = shelf.state(plugin_id, model)
    return f"{about}, is here" if state is None else f"{about}, {state}. Fetch it: sightline models pull {model.name}"


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
        ("Last used", moment(record.last_at)),
    )
