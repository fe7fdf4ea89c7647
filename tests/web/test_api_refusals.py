"""What POST /v1/jobs refuses: each time a clear problem, no job, and no file left behind."""

import json
import socket
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.web.conftest import Api, problem
from tests.web.html import Page

EDGE = "edge"
MULTIPART = {"content-type": f"multipart/form-data; boundary={EDGE}"}


def part(name: str, value: bytes | str, filename: str | None = None) -> bytes:
    """Write one part of a multipart body."""
    of_file = f'; filename="{filename}"' if filename is not None else ""
    text = value.encode() if isinstance(value, str) else value
    return f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n\r\n'.encode() + text + b"\r\n"


END = f"--{EDGE}--\r\n".encode()
PLUGINS = part("plugins", "people_hog")


def nothing_left(api: Api) -> bool:
    """Say whether neither a job nor a file is there."""
    return api.stored_jobs() == 0 and api.left_on_disk() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"this is no video, it only says so\n" * 20, "cannot be read as an image or a video", id="a text"),
        pytest.param(b"", "", id="an empty file"),
    ],
)
def test_a_file_that_is_no_media_is_refused_and_removed(api: Api, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    told = problem(api.submit(path), 422)
    assert told["type"] in {"/problems/unreadable-media", "/problems/empty-media"}
    assert words in told["detail"]
    assert "clip.mp4" in told["detail"]
    assert nothing_left(api)
    assert api.rung == []


def test_a_clip_cut_off_in_its_middle_is_refused_or_planned_as_far_as_it_goes(api: Api, clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) // 2])  # the index stands at the end of this file: without it nothing can be opened
    assert problem(api.submit(path), 422)["type"] == "/problems/unreadable-media"
    assert nothing_left(api)


FORM_FLAWS: list[tuple[dict[str, Any], str, str]] = [
    ({"plugins": "no_such"}, "unknown-plugin", "no_such"),
    ({"plugins": ""}, "bad-field", "plugins"),
    ({"plugins": "people_hog", "pipeline": "{}"}, "bad-field", "pipeline"),
    ({"plugins": "", "pipeline": "{not json"}, "bad-pipeline", "JSON"),
    ({"plugins": "", "pipeline": '{"stages": []}'}, "bad-pipeline", "stages"),
    ({"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "colour": 1}]}'}, "bad-pipeline", "stages.0.colour"),
    ({"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "every": 0}]}'}, "bad-pipeline", "stages.0.every"),
    ({"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "needs": ["x"]}]}'}, "bad-pipeline", "needs"),
    ({"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "options": {"zoom": 1}}]}'}, "bad-option", "zoom"),
    (
        {"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "options": {"min_confidence": 7}}]}'},
        "bad-option",
        "min_confidence",
    ),
    ({"plugins": "", "pipeline": '{"stages": [{"plugin": "people_hog", "device": "tpu"}]}'}, "bad-device", "tpu"),
    ({"device": "tpu"}, "bad-device", "tpu"),
    ({"colour": "red"}, "unknown-field", "colour"),
    ({"priority": "high"}, "bad-field", "priority"),
    ({"loop": "0"}, "bad-field", "loop"),
    ({"pace": "fast"}, "bad-field", "pace"),
    ({"strict_device": "perhaps"}, "bad-field", "strict_device"),
    ({"name": ["one", "two"]}, "bad-field", "name"),
    ({"name": "a\nb"}, "bad-field", "name"),
]


@pytest.mark.parametrize(("fields", "kind", "word"), FORM_FLAWS, ids=lambda value: json.dumps(value)[:60])
def test_a_form_with_a_wrong_field_is_refused(api: Api, still: Path, fields: dict[str, Any], kind: str, word: str) -> None:
    told = problem(api.submit(still, **fields), 422)
    assert told["type"] == f"/problems/{kind}"
    assert word in told["detail"]
    assert nothing_left(api)


def test_an_unknown_field_is_answered_with_the_known_ones(api: Api, still: Path) -> None:
    told = problem(api.submit(still, colour="red"), 422)
    known = "file, plugins, pipeline, options, device, strict_device, priority, pace, loop, name, tags"
    assert told["detail"] == f"There is no field 'colour' here; the known ones are {known}."


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        pytest.param(PLUGINS + END, 422, "file", id="no file"),
        pytest.param(PLUGINS + part("file", b"", "") + END, 422, "file", id="a file control left empty"),
        pytest.param(PLUGINS + part("file", b"x", "a") + part("file", b"y", "b") + END, 422, "one file", id="two files"),
        pytest.param(PLUGINS + part("file", b"x" * 5000, "a"), 400, "closing boundary", id="no closing boundary"),
        pytest.param(PLUGINS + part("file", b"x" * 5000, "a")[:-700], 400, "closing boundary", id="ends in the file"),
        pytest.param(b"", 400, "closing boundary", id="nothing at all"),
        pytest.param(b"garbage that is no form", 400, "could not be read", id="garbage"),
        pytest.param(
            b"--" + EDGE.encode() + b"\r\nContent-Type: x\r\n\r\nv\r\n" + END, 400, "no name", id="a part with no name"
        ),
        pytest.param(part("name", b"\xff\xfe") + END, 400, "UTF-8", id="a field that is no text"),
        pytest.param(part("name", b"x" * 1_100_000) + END, 413, "1000 kB", id="a field without end"),
        pytest.param(part("file", b"x" * 2_000_001, "a") + END, 413, "2 MB", id="one byte too many"),
    ],
)
def test_a_body_that_cannot_be_taken_leaves_nothing_behind(api: Api, body: bytes, status: int, word: str) -> None:
    told = problem(api.client.post("/v1/jobs", content=body, headers=MULTIPART), status)
    assert word in told["detail"]
    assert nothing_left(api)


def test_an_upload_too_large_by_its_length_is_refused_before_it_is_sent(api: Api) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART['content-type']}\r\n"
        connection.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode())
        answer = HTTPResponse(connection)
        answer.begin()
        told = json.loads(answer.read())
    assert (answer.status, told["status"], told["type"]) == (413, 413, "/problems/upload-too-large")
    assert "SIGHTLINE_MAX_UPLOAD_MB" in told["detail"]
    assert nothing_left(api)


def test_an_upload_too_large_is_refused_while_it_comes_without_a_length(api: Api) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        yield PLUGINS + part("file", b"", "a")[:-2]
        while sent < 60_000_000:
            sent += 100_000
            yield b"x" * 100_000

    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART['content-type']}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.setblocking(False)
        answer = b""
        for piece in endless():
            connection.setblocking(True)
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.setblocking(False)
            try:
                answer = connection.recv(4096)
                break
            except BlockingIOError:
                continue
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert sent < 60_000_000
    assert nothing_left(api)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_connection_cut_off_half_way_leaves_nothing_behind(api: Api, clip: Path, how: str) -> None:
    body = PLUGINS + part("file", clip.read_bytes() * 20, "clip.mp4") + END
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {MULTIPART['content-type']}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", api.port), timeout=20)
    connection.sendall(head.encode() + body[: len(body) - 20_000])
    wait_until(lambda: any(name.endswith(".part") for name in api.left_on_disk()), "the upload to begin")
    if how == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_until(lambda: api.left_on_disk() == [], "the upload to be removed")
    assert api.stored_jobs() == 0
    assert api.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b'{"source": {"path": "/x"}', 400, "malformed-body"),
        (b"[]", 400, "malformed-body"),
        (b"\xff", 400, "malformed-body"),
        (b"[" * 100_000, 400, "malformed-body"),
        (b'{"a": "' + b"x" * 1_100_000 + b'"}', 413, "body-too-large"),
        (b"{}", 422, "bad-field"),
        (b'{"source": {}, "plugins": ["people_hog"]}', 422, "bad-field"),
        (b'{"source": {"path": "/x", "url": "http://x/"}, "plugins": "people_hog"}', 422, "bad-field"),
        (b'{"source": {"file": "/x"}, "plugins": "people_hog"}', 422, "unknown-field"),
        (b'{"source": {"path": "/x"}, "plugins": "people_hog", "file": 1}', 422, "unknown-field"),
        (b'{"source": {"path": "/x"}, "plugins": {"a": 1}}', 422, "bad-field"),
        (b'{"source": {"url": "rtsp://10.0.0.1/"}, "plugins": "people_hog"}', 422, "unsupported-source"),
        (b'{"source": {"path": "/etc/passwd"}, "plugins": "people_hog"}', 422, "unsupported-source"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_json_body_that_cannot_be_taken_is_refused(api: Api, body: bytes, status: int, kind: str) -> None:
    answer = api.client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert problem(answer, status)["type"] == f"/problems/{kind}"
    assert nothing_left(api)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "video/mp4", ""])
def test_a_body_of_another_type_is_refused(api: Api, kind: str) -> None:
    told = problem(api.client.post("/v1/jobs", content=b"x", headers={"content-type": kind}), 415)
    assert "multipart/form-data or application/json" in told["detail"]


def test_a_form_without_a_boundary_is_malformed(api: Api) -> None:
    answer = api.client.post("/v1/jobs", content=END, headers={"content-type": "multipart/form-data"})
    assert "boundary" in problem(answer, 400)["detail"]


def test_a_link_out_of_an_open_folder_is_refused(start_api: Callable[..., Api], tmp_path: Path, clip: Path) -> None:
    inside = tmp_path / "open"
    inside.mkdir()
    (inside / "link.mp4").symlink_to(clip)
    api = start_api(source_roots=(inside,))
    for path in (inside / "link.mp4", inside / ".." / "secret.mp4", inside / "missing.mp4", Path("relative.mp4")):
        told = problem(api.client.post("/v1/jobs", json={"source": {"path": str(path)}, "plugins": "people_hog"}), 422)
        assert told["type"] == "/problems/unsupported-source"
    assert api.stored_jobs() == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9/x", "SIGHTLINE_ALLOW_PRIVATE_SOURCES"),
        ("rtsp://user:secret@[::1]/x", "SIGHTLINE_ALLOW_PRIVATE_SOURCES"),
        ("file:///etc/passwd", "begins with http"),
        ("http://user:secret/@host:port/", "such as rtsp://"),
    ],
)
def test_an_address_that_may_not_be_read_is_refused_and_its_password_not_repeated(api: Api, url: str, reason: str) -> None:
    answer = api.client.post("/v1/jobs", json={"source": {"url": url}, "plugins": "people_hog"})
    assert reason in problem(answer, 422)["detail"]
    assert "secret" not in answer.text
    assert nothing_left(api)


def test_an_address_is_read_once(start_api: Callable[..., Api]) -> None:
    api = start_api(allow_private_sources=True)
    asked = {"source": {"url": "rtsp://10.0.0.1/"}, "plugins": "people_hog", "loop": 2}
    assert "1 pass over an address" in problem(api.client.post("/v1/jobs", json=asked), 422)["detail"]
    assert api.stored_jobs() == 0


def test_a_missing_model_is_refused_with_the_command_that_fetches_it(api: Api, still: Path) -> None:
    told = problem(api.submit(still, plugins="onnx_detector"), 422)
    assert told["type"] == "/problems/model-missing"
    assert told["detail"].endswith("which is not here (3.7 MB, Apache-2.0). Fetch it: sightline models pull yolox_nano_416")
    assert nothing_left(api)


def test_a_model_by_its_path_is_refused_outside_the_open_folders(api: Api, still: Path) -> None:
    for path in ("/etc/hostname", "/no/such/model.onnx"):  # the same words, so that nothing can be learned of the machine
        stage = {"plugin": "onnx_detector", "options": {"model": path}}
        told = problem(api.submit(still, plugins="", pipeline=json.dumps({"stages": [stage]})), 422)
        assert told["type"] == "/problems/bad-option"
        assert told["detail"].endswith("or a file in a folder of SIGHTLINE_SOURCE_ROOTS.")
    assert nothing_left(api)


def test_a_plugin_tells_whether_its_models_are_here(api: Api) -> None:
    models = {model["name"]: model["present"] for model in api.client.get("/v1/plugins/onnx_detector").json()["models"]}
    assert models == {"yolox_nano_416": False, "fastestdet_352": False}
    page = Page(api.client.get("/plugins/onnx_classifier").text)
    assert "Fetch it: sightline models pull mnist" in page["plugin-inspector"].text
