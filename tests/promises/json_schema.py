"""The parts of a JSON schema that others rely on, in words: its fields, whether each is required, and what each holds."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from tests.promises.change import Kind, Part

GIVEN, ANSWERED = "given", "answered"
_WORDS: Final = {"description", "title", "examples", "$schema"}  # for people: they may be worded anew


def schema_parts(name: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the parts of a named schema: itself, each value it may have, each field."""
    inner = {key: value for key, value in schema.items() if key not in {"properties", "required", "enum", "$defs"}}
    yield name, describe(inner)
    yield from ((f"{name} ={value}", "allowed") for value in schema.get("enum", ()))
    required = schema.get("required", ())
    for field, held in schema.get("properties", {}).items():
        yield f"{name}.{field}", f"{'required' if field in required else 'optional'}, {describe(held)}"


def describe(schema: Any) -> str:
    """Say in words what a schema allows."""
    if not isinstance(schema, Mapping):
        return "anything" if schema is True else json.dumps(schema)
    told = {key: value for key, value in schema.items() if key not in _WORDS}
    if "$ref" in told:
        kind = str(told.pop("$ref")).rpartition("/")[2]
    elif either := told.pop("anyOf", told.pop("oneOf", None)):
        kind = " or ".join(map(describe, either))
    elif told.get("type") == "array":
        kind = f"list of {describe(told.pop('items', True))}"
        told.pop("type")
    elif told.get("type") == "object" and isinstance(told.get("additionalProperties"), Mapping):
        kind = f"object of {describe(told.pop('additionalProperties'))}"
        told.pop("type")
    else:
        kind = str(told.pop("type", "anything"))
    more = [f"{key} {json.dumps(value, ensure_ascii=False, sort_keys=True)}" for key, value in sorted(told.items())]
    return f"{kind} ({', '.join(more)})" if more else kind


def weigh_field(part: Part) -> Kind:
    """Say what a change means to those who give a value of this schema, and to those who are answered one."""
    if part.new_name or part.now is None:
        return Kind.BREAKING
    need, held, sides = _read(part.now)
    if part.before is None:
        return Kind.BREAKING if GIVEN in sides and need == "required" else Kind.ADDITIVE
    before, held_before, sides_before = _read(part.before)
    if held != held_before:
        return Kind.BREAKING
    loosened, tightened = (before, need) == ("required", "optional"), (before, need) == ("optional", "required")
    breaks = (loosened and ANSWERED in sides_before) or (tightened and GIVEN in sides_before)
    return Kind.BREAKING if breaks else Kind.ADDITIVE


def say_field(part: Part) -> str:
    """Say what became of a field, without the words on whose side it is."""
    before, now = (value.partition(" · ")[0] if value is not None else None for value in (part.before, part.now))
    return replace(part, before=before, now=now).sentence


def _read(value: str) -> tuple[str, str, str]:
    """Take a part's value apart: whether it is required, what it holds, and whose side it is on."""
    told, _, sides = value.partition(" · ")
    need, _, held = told.partition(", ")
    return (need, held, sides) if need in ("required", "optional") else ("", told, sides)


def reached(schemas: Mapping[str, Any], roots: Collection[Any]) -> set[str]:
    """Give the names of the schemas that `roots` refer to, directly or through others."""
    found: set[str] = set()
    waiting: list[Any] = list(roots)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            name = str(value.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                waiting.append(schemas.get(name, {}))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found
