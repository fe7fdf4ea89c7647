"""The forms of pages on their way to jobs: what they hold beyond the API's fields, and every source a person can name there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from anyio.to_thread import run_sync
from starlette.requests import Request

from app.actions.again import source_again
from app.actions.delete import drop_unused_upload
from app.actions.source import open_all, open_url
from app.actions.submit import submit
from app.domain.errors import BadField, SightlineError
from app.domain.job import Job
from app.domain.media import SourceRef
from app.store import jobs
from app.web.api_submit import refuse_when_full, uploaded
from app.web.contexts.option_form import FIELD_PREFIX, read_fields
from app.web.errors import NoSuchPlugin
from app.web.parts import Parts, parts_of
from app.web.samples import sample_of
from app.web.schemas_submit import LISTS, JobFields
from app.web.uploads import receive_form

PLACE_PREFIX: Final = "place."  # where a picked plugin stands in the order, by its id
SOURCES: Final = ("path", "url", "like", "sample")  # sources that are named, not sent
_PAGES_OWN: Final = (*SOURCES, "pipeline_name")
_LAST: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of a form: the jobs that were stored, and what was refused of a folder's files."""

    jobs: tuple[Job, ...]
    refused: tuple[SightlineError, ...] = ()


async def accept_form(request: Request) -> Accepted:
    """Store the jobs that a page's form asks for; raise a domain error where there is none, and then leave nothing behind.

    The form holds the fields of every plugin's options; those of plugins that are not picked count for nothing.
    """
    parts = parts_of(request)
    await run_sync(refuse_when_full, parts)
    reader = await receive_form(request, parts.storage, parts.limits.max_upload_bytes)
    try:
        named = {name: reader.fields.get(name, [""])[0].strip() for name in SOURCES}
        fields = read_form(reader.fields, parts)
        if reader.upload is None:
            sources, sent = await _named(parts, named)
        else:
            stored = await run_sync(reader.upload.finish)
            sources, sent = (await run_sync(uploaded, stored),), stored.sha256
    finally:
        reader.discard()
    try:
        return await _submit_each(parts, fields, sources)
    except BaseException:  # also when cancelled: an upload that no job uses is not kept
        if sent:
            drop_unused_upload(sent, store=parts.store, storage=parts.storage)
        raise


def read_form(fields: Mapping[str, Sequence[str]], parts: Parts) -> JobFields:
    """Read the fields of a page's form as the API's: plugins in the order their places say, options of the picked ones."""
    plugins = [plugin for plugin in fields.get("plugins", ()) if plugin]
    plugins.sort(key=partial(_place, fields))
    given: dict[str, Any] = {
        name: values if name in LISTS else values[0]
        for name, values in fields.items()
        if name not in _PAGES_OWN and not name.startswith((FIELD_PREFIX, PLACE_PREFIX)) and values[0] != ""
    }
    found = {plugin: parts.catalogue.found[plugin].metadata for plugin in plugins if plugin in parts.catalogue.found}
    options = read_fields(fields, {plugin: metadata for plugin, metadata in found.items() if metadata})
    return JobFields.read(given | {"plugins": plugins} | ({"options": options} if options else {}), ("file", *SOURCES))


def _place(fields: Mapping[str, Sequence[str]], plugin: str) -> float:
    text = next(iter(fields.get(f"{PLACE_PREFIX}{plugin}", ())), "")
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 4 else _LAST


async def _named(parts: Parts, named: Mapping[str, str]) -> tuple[tuple[SourceRef, ...], str]:
    """Open the source a form names without sending it, and give the hash of an upload that was made for it."""
    roots = parts.limits.source_roots
    if named["path"]:
        return await run_sync(open_all, named["path"], roots), ""
    if named["url"]:
        allowed = parts.limits.allow_private_sources
        return (await run_sync(partial(open_url, named["url"], allow_private=allowed)),), ""
    if named["like"]:
        return (await run_sync(_again, parts, named["like"]),), ""
    if named["sample"]:
        source = await run_sync(_sample, parts, named["sample"])
        return (source,), source.sha256 or ""
    raise BadField(field="file", actual="missing", expected="an image or a video")


def _again(parts: Parts, job_id: str) -> SourceRef:
    with parts.store.read() as tx:
        return source_again(jobs.get(tx, job_id), parts.limits.source_roots)


def _sample(parts: Parts, of: str) -> SourceRef:
    path = sample_of(parts, of)
    if path is None:
        raise NoSuchPlugin(plugin=of, known=", ".join(parts.catalogue.found) or "none")
    upload = parts.storage.new_upload(f"{of} {path.name}" if of in parts.catalogue.found else path.name, 2**40)
    try:
        upload.write(path.read_bytes())
        return uploaded(upload.finish())
    finally:
        upload.discard()


async def _submit_each(parts: Parts, fields: JobFields, sources: Sequence[SourceRef]) -> Accepted:
    """Submit a job for each source, and keep back what is refused of several."""
    made: list[Job] = []
    refused: list[SightlineError] = []
    for source in sources:
        draft = fields.draft(source, idempotency_key=None, fingerprint=None, model_roots=parts.limits.source_roots)
        if len(sources) > 1:
            draft = replace(draft, name=source.name)
        try:
            job, _ = await submit(
                draft, store=parts.store, catalogue=parts.catalogue, max_queued=parts.limits.max_queued_jobs, wake=parts.wake
            )
        except SightlineError as error:
            refused.append(error)
        else:
            made.append(job)
    if not made:
        raise refused[0]
    return Accepted(tuple(made), tuple(refused))
