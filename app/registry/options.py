"""Options of a stage: what a plugin takes, checked and completed."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from app.domain.errors import BadOption
from app.domain.plugin import OptionSpec, OptionType, PluginMetadata


def check_options(metadata: PluginMetadata, stage_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give every option of a plugin: those given (checked), the others at their default; raise BadOption."""
    specs = {spec.name: spec for spec in metadata.options}
    for name, value in given.items():
        if name not in specs:
            known = f"one of {', '.join(specs)}" if specs else "no options: the plugin has none"
            raise BadOption(stage=stage_id, option=name, actual=value, expected=known)
        if expected := find_flaw(specs[name], value):
            raise BadOption(stage=stage_id, option=name, actual=value, expected=expected)
    return metadata.defaults() | {name: _as_declared(specs[name], value) for name, value in given.items()}


def read_option(spec: OptionSpec, text: str) -> Any:
    """Turn text from a form or a command line into the option's type; text that does not fit is given back as it is."""
    stripped = text.strip()
    if spec.type is OptionType.BOOLEAN:
        return {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}.get(
            stripped.lower(), text
        )
    if spec.type is OptionType.STRINGS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if spec.type in (OptionType.INTEGER, OptionType.NUMBER):
        try:
            return int(stripped) if spec.type is OptionType.INTEGER else float(stripped)
        except ValueError:
            return text
    return text


def find_flaw(spec: OptionSpec, value: object) -> str | None:
    """Say what was expected where a value does not fit an option, or None where it does."""
    if spec.type is OptionType.BOOLEAN:
        return None if isinstance(value, bool) else "true or false"
    if spec.type in (OptionType.INTEGER, OptionType.NUMBER):
        return _flaw_in_number(spec, value)
    if spec.type is OptionType.STRING:
        return None if isinstance(value, str) else "text"
    if spec.type is OptionType.MODEL:
        return _flaw_in_model(spec, value)
    if spec.type is OptionType.CHOICE:
        return None if isinstance(value, str) and value in spec.choices else f"one of {', '.join(spec.choices)}"
    wanted = f"a list of some of {', '.join(spec.choices)}" if spec.choices else "a list of texts"
    fits = isinstance(value, list | tuple) and all(
        isinstance(v, str) and (not spec.choices or v in spec.choices) for v in value
    )
    return None if fits else wanted


def _flaw_in_model(spec: OptionSpec, value: object) -> str | None:
    """Check the form only: whether the model is here is asked when a job is submitted."""
    if isinstance(value, str) and "\0" not in value and (value or not spec.default):
        return None
    return "the name of a known model, or a model file of this machine"


def _flaw_in_number(spec: OptionSpec, value: object) -> str | None:
    """Check type and limits; a boolean is no number, a whole number may stand for a real one."""
    whole = spec.type is OptionType.INTEGER
    expected = "a whole number" if whole else "a number"
    if spec.minimum is not None and spec.maximum is not None:
        expected += f" from {spec.minimum:g} to {spec.maximum:g}"
    elif spec.minimum is not None:
        expected += f", at least {spec.minimum:g}"
    elif spec.maximum is not None:
        expected += f", at most {spec.maximum:g}"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not isfinite(value):
        return expected
    low = spec.minimum is not None and value < spec.minimum
    high = spec.maximum is not None and value > spec.maximum
    return expected if low or high else None


def _as_declared(spec: OptionSpec, value: Any) -> Any:
    if spec.type is OptionType.NUMBER:
        return float(value)
    return tuple(value) if spec.type is OptionType.STRINGS else value
