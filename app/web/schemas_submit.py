"""What a job is submitted with: the fields of a form or of a JSON body, checked and named when wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.actions.draft import Draft, read_stages
from app.domain.errors import BadField, BadPipeline, UnknownField
from app.domain.job import Pace
from app.domain.media import SourceRef

LISTS: Final = frozenset({"plugins", "tags"})  # may come as a comma list, as a JSON list, or as a field that repeats
_PLAIN = r"^[^\x00-\x1f\x7f]*$"


def _split(value: object) -> object:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        return value
    return [part.strip() for item in given for part in item.split(",") if part.strip()]


def _decode(value: object) -> object:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise BadPipeline.because(f"it is not JSON: {wrong}") from None


class JobFields(BaseModel):
    """The fields of a job that do not say where its frames come from."""

    model_config = ConfigDict(extra="forbid")

    plugins: Annotated[list[Annotated[str, Field(max_length=100)]], BeforeValidator(_split)] = Field(
        default_factory=list, description="Plugin ids, as a list or parted by commas; instead of `pipeline`."
    )
    pipeline: Annotated[Any, BeforeValidator(_decode)] = Field(
        default=None, description="A pipeline, as JSON, or the name of a saved one; instead of `plugins`."
    )
    options: Annotated[dict[str, dict[str, Any]], BeforeValidator(_decode)] = Field(
        default_factory=dict,
        description="Options by stage id, over those of the pipeline; a text is read as what it means.",
    )
    device: str = Field(default="auto", max_length=32, description="auto, cuda, cuda:N, cuda_fp16, openvino, opencl or cpu.")
    strict_device: bool = Field(default=False, description="Fail rather than run on another device than the one asked for.")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first.")
    pace: Pace = Field(default=Pace.MAX, description="As fast as it goes, or at the source's own speed.")
    loop: int = Field(default=1, ge=1, le=1000, description="Passes over the source.")
    name: str = Field(default="", max_length=200, pattern=_PLAIN, description="What to call the job; else the source's name.")
    tags: Annotated[list[Annotated[str, Field(max_length=64, pattern=_PLAIN)]], BeforeValidator(_split)] = Field(
        default_factory=list, max_length=32, description="Words to find the job by, as a list or parted by commas."
    )

    @classmethod
    def read(cls, given: Mapping[str, object], also_known: tuple[str, ...] = ()) -> Self:
        """Read fields; raise UnknownField, BadField or BadPipeline."""
        try:
            fields = cls.model_validate(given)
        except ValidationError as invalid:
            raise _say(invalid, (*also_known, *cls.model_fields)) from None
        if fields.pipeline is not None and fields.plugins:
            raise BadField(field="pipeline", actual="given beside plugins", expected="only one of the two")
        if fields.pipeline is None and not fields.plugins:
            raise BadField(field="plugins", actual="missing", expected="a list of plugin ids, or a pipeline")
        return fields

    def draft(
        self, source: SourceRef, *, idempotency_key: str | None, fingerprint: str | None, model_roots: tuple[Path, ...] = ()
    ) -> Draft:
        """Give the draft of a job on this source; raise BadPipeline."""
        return Draft(
            source=source,
            stages=None if self.pipeline is None or isinstance(self.pipeline, str) else read_stages(self.pipeline),
            plugins=tuple(self.plugins),
            saved=self.pipeline if isinstance(self.pipeline, str) else None,
            set_options=self.options,
            device=self.device,
            strict_device=self.strict_device,
            priority=self.priority,
            pace=self.pace,
            loop=self.loop,
            name=self.name.strip(),
            tags=tuple(dict.fromkeys(self.tags)),
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            model_roots=model_roots,
        )


class SourceField(BaseModel):
    """Where the frames come from: an address, or a file of the server's machine (in one of its source roots)."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(
        default=None,
        max_length=2000,
        description="An http, https, rtsp, rtsps, rtmp, rtmps, srt or udp address; read by the worker, not before.",
    )
    path: str | None = Field(default=None, max_length=4096)


class JobRequest(JobFields):
    """A job as it is submitted in JSON."""

    source: SourceField


def _say(invalid: ValidationError, known: tuple[str, ...]) -> UnknownField | BadField:
    first = invalid.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        names = tuple(SourceField.model_fields) if len(first["loc"]) > 1 else known
        return UnknownField(field=field, known=", ".join(names))
    if first["type"] == "missing":
        return BadField(field=field, actual="missing", expected="a value")
    expected = first["msg"].removeprefix("Input should be ").removeprefix("Value should be ")
    return BadField(field=field, actual=shorten(first["input"]), expected=expected)


def shorten(value: object) -> str:
    """Give a value as it may stand in a sentence."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
