"""What the fields of plugin.toml owe each other, one rule to a function; a manifest that breaks one cannot be used."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.domain.plugin import OptionType
from app.registry.fault import Fault, Rule
from app.registry.manifest import Manifest
from app.registry.options import find_flaw

_NUMBERS: Final = (OptionType.INTEGER, OptionType.NUMBER)
_LISTS: Final = (OptionType.CHOICE, OptionType.STRINGS)


def option_limits(manifest: Manifest) -> Iterator[Fault]:
    """Limits are for numbers, and the least is not above the most."""
    for name, table in manifest.options.items():
        place = ("options", name, "minimum" if table.minimum is not None else "maximum")
        if (table.minimum is not None or table.maximum is not None) and table.type not in _NUMBERS:
            message = f"options.{name}: minimum and maximum are for numbers, but the type is {table.type}"
            yield Fault(place, message, "Remove the limits, or make the option a number.")
        elif table.minimum is not None and table.maximum is not None and table.minimum > table.maximum:
            message = f"options.{name}: minimum {table.minimum} is above maximum {table.maximum}"
            yield Fault(place, message, "Turn the two around.")


def option_choices(manifest: Manifest) -> Iterator[Fault]:
    """A choice has choices; beside it only a list of strings may have them."""
    for name, table in manifest.options.items():
        if table.choices and table.type not in _LISTS:
            message = f"options.{name}: choices are for choice and strings, but the type is {table.type}"
            yield Fault(("options", name, "choices"), message, 'Remove the choices, or write type = "choice".')
        elif table.type is OptionType.CHOICE and not table.choices:
            yield Fault(("options", name, "type"), f"options.{name}: a choice needs choices", 'Add choices = ["…", "…"].')


def option_default(manifest: Manifest) -> Iterator[Fault]:
    """A default is of its option's type and within its limits."""
    for name, table in manifest.options.items():
        crossed = table.minimum is not None and table.maximum is not None and table.minimum > table.maximum
        if crossed or (table.type is OptionType.CHOICE and not table.choices):
            continue  # nothing could fit
        if expected := find_flaw(table.spec(""), table.default):
            message = f"options.{name}: default is {table.default!r}, expected {expected}"
            yield Fault(("options", name, "default"), message, "Give a default that a person might have chosen.")


def warmup_is_for_the_stateful(manifest: Manifest) -> Iterator[Fault]:
    """Only a stateful plugin has a state to warm up."""
    if manifest.warmup_frames is not None and not manifest.stateful:
        message = "warmup_frames is for stateful plugins, but stateful is false"
        yield Fault(("warmup_frames",), message, "Remove it, or write stateful = true.")


def nothing_twice(manifest: Manifest) -> Iterator[Fault]:
    """Lists name each thing once."""
    named: dict[str, Sequence[str]] = {
        "capabilities": manifest.capabilities,
        "needs_outputs": manifest.needs_outputs,
        "devices": manifest.devices,
    }
    for field, values in named.items():
        if len(set(values)) != len(values):
            yield Fault((field,), f"{field} names something twice", "Name each once.")
    files = [model.file for model in manifest.models]
    if len(set(files)) != len(files):
        place = ("models", max(index for index, file in enumerate(files) if file in files[:index]), "file")
        yield Fault(place, "models names a file twice", "Give each model a file of its own.")


def models_have_an_option(manifest: Manifest) -> Iterator[Fault]:
    """A model that no option leads to could never be used."""
    if manifest.models and all(table.type is not OptionType.MODEL for table in manifest.options.values()):
        message = "models are named, but no option of type model leads to them"
        yield Fault(("models", 0), message, 'Add an option with type = "model" whose default is a model\'s name.')


MANIFEST_RULES: Final[tuple[Rule, ...]] = (
    option_limits,
    option_choices,
    option_default,
    warmup_is_for_the_stateful,
    nothing_twice,
    models_have_an_option,
)
