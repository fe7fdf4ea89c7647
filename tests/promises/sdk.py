"""Promise 4: what a plugin is written against: the SDK's names and signatures, plugin.toml, and the typed outputs."""

import dataclasses
import enum
import inspect
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

import app.sdk
from app.domain.output import EXAMPLES
from app.registry.manifest import manifest_schema
from tests.promises.change import Kind, Part, text_of
from tests.promises.json_schema import GIVEN, say_field, schema_parts, weigh_field
from tests.promises.promise import Baseline, Promise
from tests.promises.subject import Subject

KEPT: Final = "tests/baselines"


def show_names(_subject: Subject) -> str:
    """List every public name of app.sdk: its methods with each argument, its fields, its members."""
    parts = {part: value for name in sorted(app.sdk.__all__) for part, value in _of_name(name, getattr(app.sdk, name))}
    return text_of("Public names and signatures of app.sdk.", parts)


def show_manifest(_subject: Subject) -> str:
    """Give the JSON schema of plugin.toml."""
    return json.dumps(manifest_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def manifest_parts(text: str) -> dict[str, str]:
    """Give every field of plugin.toml."""
    schema = json.loads(text)
    tables = {"plugin.toml": schema, **schema.get("$defs", {})}
    return {part: f"{value} · {GIVEN}" for name, table in tables.items() for part, value in schema_parts(name, table)}


def show_outputs(_subject: Subject) -> str:
    """Give the canonical example of every typed output, as it stands in a frame's row."""
    return json.dumps(json.loads(msgspec.json.encode(EXAMPLES)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def output_parts(text: str) -> dict[str, str]:
    """Give every value of the examples by its place."""
    return dict(_leaves("", json.loads(text)))


def weigh_name(part: Part) -> Kind:
    """More is additive, but for an argument that must be given."""
    must_be_given = "(" in part.name and "default" not in (part.now or "") and "*" not in (part.now or "")
    return Kind.ADDITIVE if part.before is None and not must_be_given else Kind.BREAKING


def _of_name(name: str, held: Any) -> Iterator[tuple[str, str]]:
    if not inspect.isclass(held):
        yield name, _annotation(held)
        return
    kind = (
        "protocol"
        if getattr(held, "_is_protocol", False)
        else f"class of {', '.join(base.__name__ for base in held.__bases__)}"
    )
    yield name, kind
    if issubclass(held, enum.Enum):
        yield from ((f"{name}.{member.name}", repr(member.value)) for member in held)
        return
    fields = _fields(held)
    yield from ((f"{name}.{field}", _annotation(kind)) for field, kind in fields.items())
    if kind != "protocol" and not issubclass(held, BaseException):
        yield from _arguments(name, held)
    for member, value in inspect.getmembers_static(held):
        if member.startswith("_") or member in fields:
            continue
        if isinstance(value, property) and value.fget:
            yield f"{name}.{member}", f"property {_annotation(inspect.signature(value.fget).return_annotation)}"
        elif isinstance(value, classmethod | staticmethod) or inspect.isfunction(value):
            if not getattr(held, member).__module__.startswith("app."):
                continue  # a library's own, such as an enum's or an exception's
            yield from _method(f"{name}.{member}", getattr(held, member))


def _fields(held: type) -> dict[str, Any]:
    if dataclasses.is_dataclass(held):
        return {field.name: field.type for field in dataclasses.fields(held) if not field.name.startswith("_")}
    own = {name: kind for base in reversed(held.__mro__) for name, kind in inspect.get_annotations(base).items()}
    return {name: kind for name, kind in own.items() if not name.startswith("_")}


def _method(name: str, method: Any) -> Iterator[tuple[str, str]]:
    yield name, f"returns {_annotation(inspect.signature(method).return_annotation)}"
    yield from _arguments(name, method)


def _arguments(name: str, called: Any) -> Iterator[tuple[str, str]]:
    kinds: dict[Any, str] = {
        inspect.Parameter.POSITIONAL_ONLY: "/", inspect.Parameter.VAR_POSITIONAL: "*args",
        inspect.Parameter.VAR_KEYWORD: "**more", inspect.Parameter.KEYWORD_ONLY: "by name",
    }  # fmt: skip
    given = [argument for argument in inspect.signature(called).parameters.values() if argument.name != "self"]
    for place, argument in enumerate(given, 1):
        where = kinds.get(argument.kind, str(place))
        default = "" if argument.default is argument.empty else f", default {_default(argument.default)}"
        yield f"{name}({argument.name})", f"{where}, {_annotation(argument.annotation)}{default}"


def _default(value: Any) -> str:
    return f"{value.__name__}()" if inspect.isclass(value) or inspect.isfunction(value) else repr(value)


def _annotation(kind: Any) -> str:
    if kind is inspect.Parameter.empty:
        return "anything"
    return (
        kind
        if isinstance(kind, str)
        else inspect.formatannotation(kind).replace("app.domain.", "").replace("pathlib._local", "pathlib")
    )


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from (leaf for key, held in value.items() for leaf in _leaves(f"{place}.{key}".lstrip("."), held))
    elif isinstance(value, list) and any(isinstance(held, dict | list) for held in value):
        yield from (leaf for number, held in enumerate(value) for leaf in _leaves(f"{place}[{number}]", held))
    else:
        yield place, json.dumps(value, ensure_ascii=False)


PLUGINS = Promise(
    "plugins",
    "plugin.toml's schema, the typed outputs' examples, the SDK's public names and signatures",
    baselines=(
        Baseline(f"{KEPT}/sdk.txt", show_names, weigh=weigh_name),
        Baseline(f"{KEPT}/plugin-toml.json", show_manifest, manifest_parts, weigh_field, say_field),
        Baseline(f"{KEPT}/outputs.json", show_outputs, output_parts),
    ),
)
