"""POST /v1/jobs: from a request's body to a stored job."""

import hashlib
from typing import Any, Final

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.actions.again import again
from app.actions.delete import drop_unused_upload
from app.actions.source import open_path, open_url
from app.actions.submit import submit
from app.domain.errors import BadField, MalformedBody, QueueFull, UnsupportedBody
from app.domain.job import Job
from app.domain.media import SourceRef
from app.media.probe import identify
from app.media.storage import StoredUpload
from app.store import jobs
from app.web.parts import Parts, parts_of
from app.web.responses import json_response
from app.web.schemas import JobDocument, job_document
from app.web.schemas_submit import LISTS, JobFields, JobRequest, SourceField
from app.web.uploads import receive_body, receive_form

MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"
_KEY_LENGTH: Final = 255


async def create_job(request: Request) -> Response:
    """Take a job: 201, where it is, and the job; a repeated Idempotency-Key answers the same job with 201 again."""
    job, created = await accept_job(request)
    parts = parts_of(request)
    document = await run_sync(_document, parts, job)
    headers = {"Location": f"/v1/jobs/{job.id}"} | ({} if created else {"Idempotency-Replayed": "true"})
    return json_response(document, 201, headers)


async def repeat_job(request: Request) -> Response:
    """POST /v1/jobs/{id}/again: a new job with the same source, pipeline and device; 201, where it is, and the job."""
    job = await run_again(request, request.path_params["id"])
    document = await run_sync(_document, parts_of(request), job)
    return json_response(document, 201, {"Location": f"/v1/jobs/{job.id}"})


async def run_again(request: Request, job_id: str) -> Job:
    """Store a job like an earlier one and give it; raise a domain error."""
    parts = parts_of(request)
    limits = parts.limits
    return await again(
        job_id, store=parts.store, catalogue=parts.catalogue, roots=limits.source_roots,
        max_queued=limits.max_queued_jobs, wake=parts.wake,
    )  # fmt: skip


async def accept_job(request: Request) -> tuple[Job, bool]:
    """Store the job a request asks for, and say whether it is new; raise a domain error, and then leave nothing behind."""
    parts = parts_of(request)
    key = _idempotency_key(request)
    if key is None:  # with a key the job may be stored already, and is answered however full the queue is
        await run_sync(refuse_when_full, parts)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return await _accept_form(request, parts, key)
    if kind == JSON:
        return await _accept_json(request, parts, key)
    raise UnsupportedBody(actual=kind, expected=f"{MULTIPART} or {JSON}")


async def _accept_form(request: Request, parts: Parts, key: str | None) -> tuple[Job, bool]:
    reader = await receive_form(request, parts.storage, parts.limits.max_upload_bytes)
    try:
        given: dict[str, Any] = {name: values if name in LISTS else values[0] for name, values in reader.fields.items()}
        fields = JobFields.read({name: value for name, value in given.items() if value != ""}, ("file",))
        if reader.upload is None:
            raise BadField(field="file", actual="missing", expected="an image or a video")
        stored = await run_sync(reader.upload.finish)
    finally:
        reader.discard()
    try:
        return await _submit(parts, fields, await run_sync(uploaded, stored), key)
    except BaseException:  # also when cancelled: an upload that no job uses is not kept
        drop_unused_upload(stored.sha256, store=parts.store, storage=parts.storage)
        raise


async def _accept_json(request: Request, parts: Parts, key: str | None) -> tuple[Job, bool]:
    body = await receive_body(request)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise MalformedBody.because(str(wrong)) from None
    if not isinstance(document, dict):
        raise MalformedBody.because("expected a JSON object")
    fields = JobRequest.read(document)
    source = await run_sync(_open, parts, fields.source)
    return await _submit(parts, fields, source, key)


async def _submit(parts: Parts, fields: JobFields, source: SourceRef, key: str | None) -> tuple[Job, bool]:
    roots = parts.limits.source_roots
    draft = fields.draft(source, idempotency_key=key, fingerprint=_fingerprint(fields, source), model_roots=roots)
    return await submit(
        draft, store=parts.store, catalogue=parts.catalogue, max_queued=parts.limits.max_queued_jobs, wake=parts.wake
    )


def uploaded(stored: StoredUpload) -> SourceRef:
    """Give an upload as a source."""
    return SourceRef(
        kind=identify(stored.path),
        name=stored.name,
        path=str(stored.path),
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        upload=True,
    )


def _open(parts: Parts, source: SourceField) -> SourceRef:
    if (source.url is None) == (source.path is None):
        raise BadField(field="source", actual="url and path" if source.url else "empty", expected="either url or path")
    if source.url is not None:
        return open_url(source.url, allow_private=parts.limits.allow_private_sources)
    return open_path(source.path or "", parts.limits.source_roots)


def _fingerprint(fields: JobFields, source: SourceRef) -> str:
    told = fields.model_dump(mode="json", exclude={"source"})
    what = [told, source.sha256, None if source.upload else source.path, source.url]
    return hashlib.sha256(msgspec.json.encode(what, order="sorted")).hexdigest()


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _KEY_LENGTH and key.isprintable()):
        expected = f"1 to {_KEY_LENGTH} printable characters"
        raise BadField(field="Idempotency-Key", actual=f"{len(key)} characters", expected=expected)
    return key


def refuse_when_full(parts: Parts) -> None:
    """Raise QueueFull where no more jobs may wait: before a body is read for nothing."""
    with parts.store.read() as tx:
        queued = jobs.waiting(tx)
    if queued >= parts.limits.max_queued_jobs:
        raise QueueFull(queued=queued)


def _document(parts: Parts, job: Job) -> JobDocument:
    with parts.store.read() as tx:
        return job_document(tx, jobs.get(tx, job.id))
