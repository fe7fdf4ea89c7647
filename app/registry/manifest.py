"""plugin.toml: what a plugin declares, read and checked without importing its code."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.domain.device import Target
from app.domain.errors import BadManifest
from app.domain.output import OUTPUT_KINDS
from app.domain.plugin import Capability, ModelFile, OptionSpec, OptionType, PluginMetadata
from app.registry.options import check_options, find_flaw

__all__ = ["MANIFEST", "Manifest", "check_options", "manifest_schema", "read_manifest"]

MANIFEST: Final = "plugin.toml"
ID_PATTERN: Final = r"[a-z][a-z0-9_]{1,63}"
_ENTRY: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
_SEMVER: Final = (
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?"
)  # semver.org's own expression
_NUMBERS: Final = (OptionType.INTEGER, OptionType.NUMBER)
_LISTS: Final = (OptionType.CHOICE, OptionType.STRINGS)

Line = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\r\n]*\S[^\r\n]*$")]


class _Table(BaseModel):
    """A table of the manifest: nothing extra, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class OptionTable(_Table):
    """`[options.<name>]`: one option, from which the form is rendered."""

    type: OptionType = Field(strict=False)
    default: Any
    title: Line
    help: str = ""
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: list[Line] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_its_own_limits(self) -> "OptionTable":
        if (self.minimum is not None or self.maximum is not None) and self.type not in _NUMBERS:
            raise ValueError(f"minimum and maximum are for numbers, but the type is {self.type}")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        if self.choices and self.type not in _LISTS:
            raise ValueError(f"choices are for choice and strings, but the type is {self.type}")
        if self.type is OptionType.CHOICE and not self.choices:
            raise ValueError("a choice needs choices")
        if flaw := find_flaw(self.spec(""), self.default):
            raise ValueError(f"default is {self.default!r}, expected {flaw}")
        return self

    def spec(self, name: str) -> OptionSpec:
        """Give the option as the domain knows it; a list of strings becomes a tuple."""
        default = tuple(self.default) if isinstance(self.default, list) else self.default
        return OptionSpec(
            name, self.type, default, self.title, self.help, self.minimum, self.maximum, choices=tuple(self.choices)
        )


class ModelTable(_Table):
    """`[[models]]`: one model file, never shipped, only told where it can be had."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)
    url: str = Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])\S+$")
    license: Line


class Manifest(_Table):
    """The whole of plugin.toml."""

    id: str = Field(pattern=f"^{ID_PATTERN}$")
    name: Line
    version: str = Field(pattern=f"^{_SEMVER}$")
    description: Line
    author: Line
    license: Line
    entry: str = Field(pattern=f"^{_ENTRY}$")
    capabilities: list[Annotated[Capability, Field(strict=False)]] = Field(min_length=1)
    output: str = Field(pattern=f"^({'|'.join(OUTPUT_KINDS)})$")
    latency_budget_ms: float = Field(gt=0)
    stateful: bool = False
    needs_pixels: bool = True
    warmup_frames: int | None = Field(default=None, ge=1)
    devices: list[Annotated[Target, Field(strict=False)]] = Field(default=[Target.CPU], min_length=1)
    options: dict[Annotated[str, Field(pattern=f"^{ID_PATTERN}$")], OptionTable] = Field(default_factory=dict)
    models: list[ModelTable] = Field(default_factory=list)

    @model_validator(mode="after")
    def _holds_together(self) -> "Manifest":
        if self.warmup_frames is not None and not self.stateful:
            raise ValueError("warmup_frames is for stateful plugins, but stateful is false")
        for field, values in (("capabilities", self.capabilities), ("devices", self.devices)):
            if len(set(values)) != len(values):
                raise ValueError(f"{field} names something twice")
        files = [model.file for model in self.models]
        if len(set(files)) != len(files):
            raise ValueError("models names a file twice")
        if self.models and all(table.type is not OptionType.MODEL for table in self.options.values()):
            raise ValueError("models are named, but no option of type model leads to them")
        return self

    def metadata(self) -> PluginMetadata:
        """Give the manifest as the domain knows it."""
        plain = self.model_dump(exclude={"capabilities", "devices", "options", "models"})
        return PluginMetadata(
            **plain,
            capabilities=tuple(self.capabilities),
            devices=tuple(self.devices),
            options=tuple(table.spec(name) for name, table in self.options.items()),
            models=tuple(ModelFile(**model.model_dump()) for model in self.models),
        )


def read_manifest(folder: Path) -> PluginMetadata:
    """Read `folder`/plugin.toml; raise BadManifest with the place and what was expected there."""
    path = folder / MANIFEST
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad(folder, f"it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise _bad(folder, f"it is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise _bad(folder, f"it is not TOML: {error}") from error
    try:
        return Manifest.model_validate(document).metadata()
    except ValidationError as error:
        raise _bad(folder, "; ".join(_sentence(item) for item in error.errors(include_url=False))) from error


def manifest_schema() -> dict[str, Any]:
    """Give the JSON schema of plugin.toml."""
    return Manifest.model_json_schema()


def _bad(folder: Path, reason: str) -> BadManifest:
    return BadManifest(path=f"{folder.name}/{MANIFEST}", reason=reason)


def _sentence(item: Any) -> str:
    """Turn one of pydantic's findings into words: the place, what stands there, what is wanted."""
    place = ".".join(str(part) for part in item["loc"] if part != "[key]") or "the manifest"
    if item["type"] == "missing":
        return f"{place} is missing"
    if item["type"] == "extra_forbidden":
        return f"{place} is not known"
    if item["type"] == "value_error":
        return f"{place}: {item['ctx']['error']}" if item["loc"] else str(item["ctx"]["error"])
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
        "models": "a plain file name, 64 hex digits of SHA-256, an https address and a license",
        **dict.fromkeys(("name", "description", "author", "license"), line),
    }
