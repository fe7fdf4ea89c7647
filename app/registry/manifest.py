"""plugin.toml: what a plugin declares, read and checked without importing its code."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.device import Target
from app.domain.errors import BadManifest
from app.domain.finding import Finding, Severity
from app.domain.output import OUTPUT_KINDS, TRACKS
from app.domain.plugin import Capability, ModelFile, OptionSpec, OptionType, PluginMetadata
from app.registry.fault import findings, toml_path
from app.registry.options import check_options

__all__ = ["MANIFEST", "Manifest", "OptionTable", "check_options", "examine_manifest", "manifest_schema", "read_manifest"]

MANIFEST: Final = "plugin.toml"
ID_PATTERN: Final = r"[a-z][a-z0-9_]{1,63}"
_ENTRY: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
_SEMVER: Final = (
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)  # semver.org's own expression

Line = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\r\n]*\S[^\r\n]*$")]


class _Table(BaseModel):
    """A table of the manifest: nothing extra, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class OptionTable(_Table):
    """`[options.<name>]`: one option, from which the form is rendered."""

    type: OptionType = Field(strict=False, description="What the option holds; each type has its form control.")
    default: Any = Field(description="Its value where a job says nothing; of the option's type and within its limits.")
    title: Line = Field(description="The form field's name.")
    help: str = Field(default="", description="A sentence beside the form field.")
    minimum: int | float | None = Field(default=None, description="The least a number may be.")
    maximum: int | float | None = Field(default=None, description="The most a number may be.")
    choices: list[Line] = Field(default_factory=list, description="What a choice, or each of some strings, may be.")

    def spec(self, name: str) -> OptionSpec:
        """Give the option as the domain knows it; a list of strings becomes a tuple."""
        default = tuple(self.default) if isinstance(self.default, list) else self.default
        return OptionSpec(
            name, self.type, default, self.title, self.help, self.minimum, self.maximum, choices=tuple(self.choices)
        )


class ModelTable(_Table):
    """`[[models]]`: one model file, never shipped, only told where it can be had."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$", description="Its plain file name.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file, 64 lower-case hex digits.")
    size: int = Field(gt=0, description="Its size in bytes.")
    url: str = Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])\S+$", description="Where it can be had.")
    license: Line = Field(description="Its licence, as an SPDX expression.")


class Manifest(_Table):
    """The whole of plugin.toml."""

    id: str = Field(pattern=f"^{ID_PATTERN}$", description="The plugin's id; its folder has the same name.")
    name: Line = Field(description="What people call it.")
    version: str = Field(pattern=f"^{_SEMVER}$", description="A semantic version.")
    description: Line = Field(description="One sentence on what it finds.")
    author: Line = Field(description="Who wrote it.")
    license: Line = Field(description="Its licence, as an SPDX expression.")
    entry: str = Field(pattern=f"^{_ENTRY}$", description="Where its class is: module:Class, relative to the folder.")
    capabilities: list[Annotated[Capability, Field(strict=False)]] = Field(min_length=1, description="What it does.")
    output: str = Field(pattern=f"^({'|'.join(OUTPUT_KINDS)})$", description="The typed output it gives for each frame.")
    latency_budget_ms: float = Field(gt=0, description="Milliseconds a frame it promises to stay within.")
    stateful: bool = Field(default=False, description="Whether a frame's output depends on the frames before it.")
    needs_pixels: bool = Field(default=True, description="Whether it looks at pixels, or reads earlier stages' outputs alone.")
    warmup_frames: int | None = Field(default=None, ge=1, description="Frames after which its state is as good as whole.")
    needs_outputs: list[Annotated[str, Field(pattern=f"^({'|'.join((*OUTPUT_KINDS, TRACKS))})$")]] = Field(
        default_factory=list, description="Kinds of output it reads from earlier stages; `tracks` are detections with a track."
    )
    devices: list[Annotated[Target, Field(strict=False)]] = Field(
        default=[Target.CPU], min_length=1, description="Targets its networks can use, the best first."
    )
    options: dict[Annotated[str, Field(pattern=f"^{ID_PATTERN}$")], OptionTable] = Field(
        default_factory=dict, description="Options, by name."
    )
    models: list[ModelTable] = Field(default_factory=list, description="Model files its options may name.")

    def metadata(self) -> PluginMetadata:
        """Give the manifest as the domain knows it."""
        plain = self.model_dump(exclude={"capabilities", "devices", "needs_outputs", "options", "models"})
        return PluginMetadata(
            **plain,
            capabilities=tuple(self.capabilities),
            devices=tuple(self.devices),
            needs_outputs=tuple(self.needs_outputs),
            options=tuple(table.spec(name) for name, table in self.options.items()),
            models=tuple(ModelFile(**model.model_dump()) for model in self.models),
        )


def examine_manifest(folder: Path) -> tuple[PluginMetadata | None, tuple[Finding, ...]]:
    """Read `folder`/plugin.toml and hold it to its rules; no metadata where it breaks one."""
    from app.registry.manifest_rules import MANIFEST_RULES  # noqa: PLC0415  # the rules are about Manifest, from here

    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except OSError as error:
        return None, (_finding("readable", f"it cannot be read ({error.strerror})"),)
    except UnicodeDecodeError as error:
        return None, (_finding("readable", f"it is not UTF-8 text (byte {error.start})"),)
    try:
        manifest = Manifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        path = f"{MANIFEST}:{line[1]}" if line else MANIFEST
        return None, (_finding("toml", f"it is not TOML: {error}", path),)
    except ValidationError as error:
        items = error.errors(include_url=False)
        return None, tuple(_finding(_rule_of(item), _sentence(item), toml_path(text, item["loc"])) for item in items)
    found = tuple(findings(Severity.ERROR, MANIFEST_RULES, manifest, text))
    return None if found else manifest.metadata(), found


def read_manifest(folder: Path) -> PluginMetadata:
    """Read `folder`/plugin.toml; raise BadManifest with the places and what was expected there."""
    metadata, found = examine_manifest(folder)
    if metadata is None:
        reason = "; ".join(finding.message for finding in found)
        raise BadManifest(path=f"{folder.name}/{MANIFEST}", reason=reason)
    return metadata


def manifest_schema() -> dict[str, Any]:
    """Give the JSON schema of plugin.toml."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Manifest.model_json_schema()}


_CURES: Final = {
    "readable": "Write it as UTF-8 text that this user may read.",
    "toml": "Mend the line; https://toml.io has the language.",
    "needed-fields": "Add it; `sightline plugins schema` prints every field.",
    "known-fields": "Remove it, or mend its spelling; `sightline plugins schema` prints every field.",
    "id-form": "Use lower-case letters, digits and _, beginning with a letter.",
    "semver": "Write MAJOR.MINOR.PATCH, such as 1.0.0.",
    "entry-form": "Write module:Class, such as plugin:MyPlugin for the class MyPlugin in plugin.py.",
    "option-name": "Use lower-case letters, digits and _, beginning with a letter.",
    "option-type": f"Choose one of {', '.join(OptionType)}.",
}
_FORMS: Final = {
    "id": "id-form", "version": "semver", "entry": "entry-form", "capabilities": "capabilities", "output": "output-kind",
    "latency_budget_ms": "budget", "warmup_frames": "warmup", "needs_outputs": "needs-outputs",
    "devices": "devices", "models": "models",
}  # fmt: skip


def _finding(rule: str, message: str, path: str = MANIFEST) -> Finding:
    return Finding(rule, Severity.ERROR, path, message, _CURES.get(rule, "Write what was expected there."))


def _rule_of(item: Any) -> str:
    """Name the rule that one of pydantic's findings is about."""
    if item["type"] in ("missing", "extra_forbidden"):
        return "needed-fields" if item["type"] == "missing" else "known-fields"
    place = item["loc"]
    if place[0] != "options":
        return _FORMS.get(str(place[0]), "field-form")
    if place[-1] == "[key]":
        return "option-name"
    return "option-type" if place[-1] == "type" else "option-form"


def _sentence(item: Any) -> str:
    """Turn one of pydantic's findings into words: the place, what stands there, what is wanted."""
    place = ".".join(str(part) for part in item["loc"] if part != "[key]") or "the manifest"
    if item["type"] == "missing":
        return f"{place} is missing"
    if item["type"] == "extra_forbidden":
        return f"{place} is not known"
    wanted = re.sub(r"^(Input|String|Value|List|Dictionary) should ", "should ", item["msg"])
    wanted = re.sub(r"^should match pattern .*", f"should be {_patterns().get(str(item['loc'][0]), item['msg'])}", wanted)
    return f"{place} is {item['input']!r}, but {wanted}"


def _patterns() -> dict[str, str]:
    """Say in words what the fields that follow a pattern hold."""
    line = "one line of text"
    return {
        "id": "lower-case letters, digits and _, beginning with a letter",
        "options": "an option named by lower-case letters, digits and _, with one line of text for its title",
        "version": "a semantic version such as 1.0.0",
        "entry": "module:Class, such as plugin:MyPlugin",
        "output": f"one of {', '.join(OUTPUT_KINDS)}",
        "needs_outputs": f"one of {', '.join((*OUTPUT_KINDS, TRACKS))}",
        "models": "a plain file name, 64 hex digits of SHA-256, an https address and a license",
        **dict.fromkeys(("name", "description", "author", "license"), line),
    }
