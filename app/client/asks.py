"""What may be asked of the API, and how answers and problems are read; who sends it is not known here."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO, Final, Generic, TypedDict, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from app.client.answers import FrameRow, Job, JobPage
from app.client.errors import ServerRefused, ServerUnreachable, UnreadableAnswer
from app.domain.job import JobStatus

T = TypeVar("T")
BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})
_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class JobFields(TypedDict, total=False):
    """The fields of a job that do not say where its frames come from."""

    plugins: Sequence[str] | str
    pipeline: Mapping[str, Any]
    options: Mapping[str, Mapping[str, Any]]
    device: str
    strict_device: bool
    priority: int
    pace: str
    loop: int
    name: str
    tags: Sequence[str] | str


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """One request, and the type of its answer."""

    method: str
    path: str
    answer: type[T]
    options: dict[str, Any] = field(default_factory=dict)


def show(job: Job | str) -> Ask[Job]:
    """Ask for one job."""
    return Ask("GET", _path(job), Job)


def move(job: Job | str, verb: str) -> Ask[Job]:
    """Ask that a job be cancelled, paused, resumed, stopped or retried."""
    return Ask("POST", f"{_path(job)}/{verb}", Job)


def delete(job: Job | str) -> Ask[None]:
    """Ask that an ended job be deleted."""
    return Ask("DELETE", _path(job), type(None))


def jobs(status: Sequence[JobStatus | str], plugin: str | None, q: str | None, limit: int, cursor: str | None) -> Ask[JobPage]:
    """Ask for a page of jobs."""
    query = {"status": ",".join(status), "plugin": plugin, "q": q, "limit": limit, "cursor": cursor}
    return Ask("GET", "/v1/jobs", JobPage, {"params": {name: value for name, value in query.items() if value}})


def frames(job: Job | str, start: int, end: int | None) -> Ask[FrameRow]:
    """Ask for a job's rows of frames `[start, end)`, one to a line."""
    query = {"start": start, **({} if end is None else {"end": end})}
    return Ask("GET", f"{_path(job)}/frames", FrameRow, {"params": query})


def feed(job: Job | str | Sequence[str] | None, **filters: Sequence[str] | str | float | None) -> tuple[str, dict[str, Any]]:
    """Give the address of a feed and its query: of one job, of several, or of all."""
    given = {name: value for name, value in filters.items() if value is not None and value != ()}
    query = {name: value if isinstance(value, str | int | float) else ",".join(value) for name, value in given.items()}
    if isinstance(job, Job | str):
        return f"{_path(job)}/insights", query
    return "/v1/insights", {**({"job": ",".join(job)} if job else {}), **query}


def submit_file(name: str, file: BinaryIO, fields: JobFields, key: str | None) -> Ask[Job]:
    """Ask for a job on a file that is sent along."""
    return Ask("POST", "/v1/jobs", Job, {"files": {"file": (name, file)}, "data": _form(fields), **_keyed(key)})


def submit_source(url: str | None, path: str | None, fields: JobFields, key: str | None) -> Ask[Job]:
    """Ask for a job on an address, or on a file of the server's machine."""
    source = {name: value for name, value in (("url", url), ("path", path)) if value is not None}
    return Ask("POST", "/v1/jobs", Job, {"json": {"source": source, **fields}, **_keyed(key)})


def read(response: httpx.Response, answer: type[T]) -> T:
    """Read an answer; raise ServerRefused for a problem, UnreadableAnswer for what is no answer of the API."""
    if response.is_error:
        raise refusal(response)
    if response.status_code == HTTPStatus.NO_CONTENT:
        return answer()
    return read_json(response.content, decoder_of(answer))


def decoder_of(answer: type[T]) -> msgspec.json.Decoder[T]:
    """Give what reads JSON of a type.

    It is kept: where msgspec takes a type apart it drops an exception that comes up meanwhile, so that Ctrl-C would be lost.
    """
    return _DECODERS.get(answer) or _DECODERS.setdefault(answer, msgspec.json.Decoder(answer))


def read_json(body: bytes | str, decoder: msgspec.json.Decoder[T]) -> T:
    """Read JSON; raise UnreadableAnswer."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as wrong:
        raise UnreadableAnswer.because(str(wrong)) from None


def refusal(response: httpx.Response) -> ServerRefused:
    """Turn a problem (RFC 9457) into an error; what stands before the server may answer without one."""
    try:
        told = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        told = {}
    detail = told.get("detail") or f"The server answered {response.status_code} {response.reason_phrase}."
    return ServerRefused(
        detail=detail, status=response.status_code, title=told.get("title", ""), type=told.get("type", "about:blank")
    )


class Rows:
    """Rows of frames, out of bytes that may be cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[FrameRow]:
        """Take in bytes and give the rows they complete; raise UnreadableAnswer."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [read_json(line, decoder_of(FrameRow)) for line in lines]


@contextmanager
def patience() -> Iterator[None]:
    """Let an error pass that another time may not bring: nobody answers, or somebody is too busy to."""
    try:
        yield
    except ServerUnreachable:
        pass
    except ServerRefused as refused:
        if refused.status not in BUSY:
            raise


def unreachable(lost: httpx.TransportError, url: httpx.URL) -> ServerUnreachable:
    """Turn a failure of the connection into an error."""
    return ServerUnreachable(url=str(url), reason=str(lost) or type(lost).__name__)


def connection_options(url: str, token: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of an httpx client: the token on every request, and no proxy for this machine itself."""
    headers = {"User-Agent": "sightline", **({"Authorization": f"Bearer {token}"} if token else {})}
    defaults = {"timeout": httpx.Timeout(30.0), "trust_env": urlsplit(url).hostname not in _LOOPBACK}
    return {**defaults, **options, "base_url": url, "headers": {**headers, **options.get("headers", {})}}


def _path(job: Job | str) -> str:
    return f"/v1/jobs/{quote(job.id if isinstance(job, Job) else job, safe='')}"


def _keyed(key: str | None) -> dict[str, Any]:
    return {} if key is None else {"headers": {"Idempotency-Key": key}}


def _form(fields: JobFields) -> dict[str, str]:
    """Write fields as a form has them: lists parted by commas, the rest as JSON where it is no text."""
    form: dict[str, str] = {}
    for name, value in fields.items():
        if name in {"plugins", "tags"} and not isinstance(value, str):
            form[name] = ",".join(value)  # type: ignore[arg-type]  # a sequence of texts by JobFields, which items() forgets
        else:
            form[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return form
