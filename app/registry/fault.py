"""What a rule about plugins yields, and how it becomes a finding."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from app.domain.finding import Finding, Severity
from app.registry.toml_lines import line_of


class Fault(NamedTuple):
    """What a rule found: where, what, and how to mend it.

    `place` is a file of the plugin's folder (`plugin.py:3` with a line), or the place of a key in plugin.toml as a tuple.
    """

    place: str | tuple[str | int, ...]
    message: str
    cure: str


Rule = Callable[[Any], Iterator[Fault]]


def findings(severity: Severity, rules: Iterable[Rule], subject: object, toml: str) -> Iterator[Finding]:
    """Hold `subject` to rules, each named by its function; `toml` is the text of plugin.toml, for its lines."""
    for rule in rules:
        for place, message, cure in rule(subject):
            path = place if isinstance(place, str) else toml_path(toml, place)
            yield Finding(rule.__name__.replace("_", "-"), severity, path, message, cure)


def toml_path(toml: str, place: tuple[str | int, ...]) -> str:
    """Name the line of plugin.toml on which a key stands."""
    line = line_of(toml, place)
    return "plugin.toml" if line is None else f"plugin.toml:{line}"
