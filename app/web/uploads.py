"""Multipart bodies on their way to disk: parsed and hashed as they come, never whole in memory."""

from collections.abc import Callable
from typing import Final

from anyio.to_thread import run_sync
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.domain.errors import BadField, BodyTooLarge, MalformedBody, UploadTooLarge
from app.media.storage import Storage, Upload
from app.web.schemas_submit import LISTS

MAX_FIELDS_BYTES: Final = 1_000_000  # everything of a body that is not the file
_BLOCK_BYTES: Final = 256 * 1024  # parsed at once, in a thread: hashing and writing keep off the event loop


class FormReader:
    """Reads a multipart body in pieces: small fields into memory, the one file into storage.

    After `finish` every field stands in `fields`, and `upload` is the file, whole on disk but not yet kept (None: there was
    none). Whatever happens, `discard` leaves nothing behind.
    """

    def __init__(self, boundary: bytes, new_upload: Callable[[str], Upload]) -> None:
        self.fields: dict[str, list[str]] = {}
        self.upload: Upload | None = None
        self.ended = False
        self._new_upload = new_upload
        self._spent = 0
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._field: str | None = None
        self._file_name = ""
        self._text = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
                "on_end": self._body_ends,
            },
        )

    def feed(self, block: bytes) -> None:
        """Take the next bytes; raise MalformedBody, BodyTooLarge, UploadTooLarge, DiskFull or BadField."""
        try:
            self._parser.write(block)
        except FormParserError as wrong:
            raise MalformedBody.because(str(wrong).rstrip(".")) from None

    def finish(self) -> None:
        """Say that no more bytes come; raise MalformedBody where the closing boundary is missing."""
        if not self.ended:
            raise MalformedBody.because("it ends before its closing boundary")

    def discard(self) -> None:
        """Remove what was written, unless it was kept."""
        if self.upload is not None:
            self.upload.discard()

    def _part_begins(self) -> None:
        self._disposition, self._field, self._file_name = b"", None, ""
        self._text.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._spend(end - start)
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        name = options.get(b"name")
        if kind != b"form-data" or not name:
            raise MalformedBody.because("a part has no name")
        self._field = name.decode(errors="replace")
        if self._field == "file":
            self._file_begins(options.get(b"filename", b"upload").decode(errors="replace"))
        elif self._field in self.fields and self._field not in LISTS:
            raise BadField(field=self._field, actual="given twice", expected="one value")

    def _file_begins(self, file_name: str) -> None:
        if self.upload is not None:
            raise BadField(field="file", actual="given twice", expected="one file")
        if file_name:  # a form's file control that was left empty has no name and no bytes
            self.upload = self._new_upload(file_name)
        self._file_name = file_name

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._field != "file":
            self._spend(len(piece))
            self._text += piece
            return
        if self.upload is None:
            self._file_begins("upload")
        if self.upload is not None:
            self.upload.write(piece)

    def _part_ends(self) -> None:
        if self._field is None or self._field == "file":
            return
        try:
            text = self._text.decode()
        except UnicodeDecodeError:
            raise MalformedBody.because(f"the field {self._field!r} is not UTF-8") from None
        self.fields.setdefault(self._field, []).append(text)

    def _body_ends(self) -> None:
        self.ended = True

    def _spend(self, count: int) -> None:
        self._spent += count
        if self._spent > MAX_FIELDS_BYTES:
            raise BodyTooLarge(limit_kb=MAX_FIELDS_BYTES // 1000)


async def receive_form(request: Request, storage: Storage, limit_bytes: int) -> FormReader:
    """Read a whole multipart body; the caller keeps the upload or discards it.

    Raises MalformedBody, BodyTooLarge, UploadTooLarge (as soon as the limit is passed), DiskFull or BadField: then nothing
    is left on disk.
    """
    _refuse_announced(request, limit_bytes)
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise MalformedBody.because("its Content-Type names no boundary")
    try:
        reader = FormReader(boundary, lambda name: storage.new_upload(name, limit_bytes))
    except FormParserError as wrong:
        raise MalformedBody.because(str(wrong).rstrip(".")) from None
    request.state.form_fields = reader.fields  # a page shows a person's choices again, also when the body is refused
    try:
        block = bytearray()
        async for chunk in request.stream():
            block += chunk
            if len(block) >= _BLOCK_BYTES:
                await run_sync(reader.feed, bytes(block))
                block.clear()
            if reader.ended:
                break
        await run_sync(reader.feed, bytes(block))
        reader.finish()
    except ClientDisconnect:
        reader.discard()
        raise MalformedBody.because("the connection ended before the body did") from None
    except BaseException:
        reader.discard()
        raise
    return reader


def _refuse_announced(request: Request, limit_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes + MAX_FIELDS_BYTES:
        raise UploadTooLarge(limit_mb=limit_bytes // 1_000_000)


async def receive_body(request: Request) -> bytes:
    """Read a body that holds no file; raise MalformedBody, BodyTooLarge."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FIELDS_BYTES:
                raise BodyTooLarge(limit_kb=MAX_FIELDS_BYTES // 1000)
    except ClientDisconnect:
        raise MalformedBody.because("the connection ended before the body did") from None
    return bytes(body)
