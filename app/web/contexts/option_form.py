"""The options of a plugin as fields of the form for a new job, each rendered from what its manifest says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.domain.plugin import OptionSpec, OptionType, PluginMetadata
from app.web.contexts.words import slug

FIELD_PREFIX: Final = "set."
_BLANK_MATTERS: Final = frozenset({OptionType.STRING, OptionType.STRINGS})
_INPUTS: Final = {OptionType.INTEGER: "number", OptionType.NUMBER: "number"}


@dataclass(frozen=True, slots=True)
class OptionField:
    """One field: its name in the form, what it holds, and what is wrong with it (empty where nothing is)."""

    name: str
    key: str
    title: str
    help: str
    input: str
    value: str
    choices: tuple[tuple[str, str], ...]
    minimum: str
    maximum: str
    step: str
    known: tuple[str, ...]
    problem: str


def view_fields(meta: PluginMetadata, given: Mapping[str, str], problem: tuple[str, str] | None) -> tuple[OptionField, ...]:
    """Give the fields of a plugin's options; `given` are texts by field name, `problem` the name of a wrong option and why."""
    return tuple(_field(meta, spec, given, problem) for spec in meta.options)


def read_fields(fields: Mapping[str, Sequence[str]], plugins: Mapping[str, PluginMetadata]) -> dict[str, dict[str, str]]:
    """Give the options that a form holds for the chosen plugins, by stage id; a field left blank means the default."""
    options: dict[str, dict[str, str]] = {}
    for plugin, meta in plugins.items():
        for spec in meta.options:
            text = next(iter(fields.get(field_name(plugin, spec.name), ())), None)
            if text is not None and (text.strip() or spec.type in _BLANK_MATTERS):
                options.setdefault(plugin, {})[spec.name] = text
    return options


def field_name(plugin: str, option: str) -> str:
    """Name of an option's field in the form."""
    return f"{FIELD_PREFIX}{plugin}.{option}"


def _field(meta: PluginMetadata, spec: OptionSpec, given: Mapping[str, str], problem: tuple[str, str] | None) -> OptionField:
    name = field_name(meta.id, spec.name)
    choices: tuple[tuple[str, str], ...] = ()
    if spec.type is OptionType.BOOLEAN:
        choices = (("true", "On"), ("false", "Off"))
    elif spec.type is OptionType.CHOICE:
        choices = tuple((choice, choice) for choice in spec.choices)
    help_text = f"{spec.help} Parted by commas.".strip() if spec.type is OptionType.STRINGS else spec.help
    return OptionField(
        name=name,
        key=slug(f"{meta.id}-{spec.name}"),
        title=spec.title,
        help=help_text,
        input=_INPUTS.get(spec.type, "text"),
        value=given.get(name, text_of(spec.default)),
        choices=choices,
        minimum="" if spec.minimum is None else f"{spec.minimum:g}",
        maximum="" if spec.maximum is None else f"{spec.maximum:g}",
        step="1" if spec.type is OptionType.INTEGER else "any",
        known=tuple(model.name for model in meta.models) if spec.type is OptionType.MODEL else (),
        problem=problem[1] if problem and problem[0] == spec.name else "",
    )


def text_of(value: Any) -> str:
    """Write an option's value as its field holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return "" if value is None else str(value)
