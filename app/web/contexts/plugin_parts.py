"""What a plugin brings with it, as its page explains it: options, models, and what the rules found wrong with it."""

from dataclasses import dataclass
from typing import Final

from app.domain.finding import Finding, Severity
from app.domain.plugin import ModelFile, OptionSpec, OptionType
from app.registry.models import ModelShelf
from app.web.contexts.stage import plain
from app.web.contexts.words import Sign, number, size

_SIGNS: Final = {
    Severity.ERROR: Sign("Error", "circle-x", "bad"),
    Severity.WARNING: Sign("Wanting", "triangle-alert", "warn"),
}
_HERE: Final = Sign("Here", "circle-check", "ok")
_MISSING: Final = Sign("Not here", "download", "warn")
_KINDS: Final = {
    OptionType.INTEGER: "whole number",
    OptionType.NUMBER: "number",
    OptionType.BOOLEAN: "yes or no",
    OptionType.STRING: "text",
    OptionType.CHOICE: "choice",
    OptionType.STRINGS: "texts",
    OptionType.MODEL: "model",
}


@dataclass(frozen=True, slots=True)
class OptionView:
    """An option a plugin takes, as its page explains it."""

    name: str
    title: str
    help: str
    kind: str
    default: str
    limits: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model file a plugin can use; `command` gets it where it is not here (empty where it is)."""

    name: str
    sign: Sign
    about: str
    state: str
    command: str


@dataclass(frozen=True, slots=True)
class FindingView:
    """What a rule found wrong with a plugin."""

    sign: Sign
    rule: str
    path: str
    message: str
    cure: str


def view_option(option: OptionSpec) -> OptionView:
    """Explain an option."""
    limits = ""
    if option.choices:
        limits = " or ".join(option.choices)
    elif option.minimum is not None and option.maximum is not None:
        limits = f"{_bound(option.minimum)} to {_bound(option.maximum)}"
    elif option.minimum is not None:
        limits = f"at least {_bound(option.minimum)}"
    elif option.maximum is not None:
        limits = f"at most {_bound(option.maximum)}"
    return OptionView(option.name, option.title, option.help, _KINDS[option.type], plain(option.default), limits)


def view_model(plugin_id: str, model: ModelFile, shelf: ModelShelf) -> ModelView:
    """Say whether a model is here, and how to get it where it is not."""
    state = shelf.state(plugin_id, model)
    about = f"{model.file}, {size(model.size)}, {model.license}"
    if state is None:
        return ModelView(model.name, _HERE, about, "", "")
    told = "" if state == "is not here" else f"Its file {state}."
    return ModelView(model.name, _MISSING, about, told, f"sightline models pull {model.name}")


def view_finding(finding: Finding) -> FindingView:
    """Tell a finding as sentences."""
    message = f"{finding.message[:1].upper()}{finding.message[1:]}."
    return FindingView(_SIGNS[finding.severity], finding.rule, finding.path, message, finding.cure)


def _bound(value: float) -> str:
    return number(value) if value == int(value) else f"{value:g}"
