"""The feed's manners over HTTP: headers, HEAD and OPTIONS, other origins, when to come back, and who finds no room."""

import httpx
import pytest

from tests.conftest import Server, Servers
from tests.served_feed import is_
from tests.sse import follow

PATHS = ["/v1/insights", "/live?page=home"]
FRIEND, STRANGER = "https://wall.example", "https://other.example"


@pytest.fixture(scope="module")
def house(module_servers: Servers) -> Server:
    """A server that pages of one origin may read, with room for three subscribers."""
    origins = f"{FRIEND}, http://localhost:3000"
    return module_servers.start(
        env={"SIGHTLINE_WORKERS": "1", "SIGHTLINE_CORS_ORIGINS": origins, "SIGHTLINE_MAX_SUBSCRIBERS": "3"}
    )


def ask(server: Server, method: str, path: str, **headers: str) -> httpx.Response:
    """Ask for something that is no stream."""
    with server.client() as client:
        return client.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_is_kept_by_nobody_and_says_when_to_come_back(house: Server, path: str) -> None:
    retries = set()
    for _ in range(4):
        with follow(house.url + path) as stream:
            headers = stream.response.headers
            assert headers["content-type"].startswith("text/event-stream")
            assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
            assert "content-encoding" not in headers
            assert "access-control-allow-origin" not in headers
            stream.until(lambda event: event.id is not None)
            retries.add(*stream.parser.retries)
    assert all(500 <= retry <= 1500 for retry in retries)
    assert len(retries) > 1, "they would all come back at the same moment"


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_like_get_without_a_body_and_takes_no_place(house: Server, path: str) -> None:
    for _ in range(5):
        head = ask(house, "HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")
        assert head.headers["cache-control"] == "no-store"
    assert ask(house, "HEAD", f"{path}{'&' if '?' in path else '?'}colour=red").status_code == 400
    with follow(house.url + path) as stream:
        stream.until(lambda event: event.id is not None)


@pytest.mark.parametrize("path", PATHS)
def test_options_says_what_may_be_done_and_anything_else_is_not_allowed(house: Server, path: str) -> None:
    options = ask(house, "OPTIONS", path)
    assert (options.status_code, options.content, options.headers["allow"]) == (204, b"", "GET, HEAD, OPTIONS")
    refused = ask(house, "POST", path)
    assert refused.status_code == 405
    assert {method.strip() for method in refused.headers["allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}


def test_a_configured_origin_may_read_the_api_and_the_feed_and_no_other_may(house: Server) -> None:
    with follow(f"{house.url}/v1/insights", headers={"Origin": FRIEND}) as stream:
        assert stream.response.headers["access-control-allow-origin"] == FRIEND
        assert "Origin" in stream.response.headers["vary"]
        assert "access-control-allow-credentials" not in stream.response.headers
        stream.until(is_("hello"))
    for path in ("/v1/jobs", "/v1/jobs/nowhere", "/v1/insights?colour=red"):
        assert ask(house, "GET", path, Origin=FRIEND).headers["access-control-allow-origin"] == FRIEND
        assert "access-control-allow-origin" not in ask(house, "GET", path, Origin=STRANGER).headers
    assert "access-control-allow-origin" not in ask(house, "GET", "/", Origin=FRIEND).headers, "pages are read by nobody else"


def test_a_preflight_is_answered_for_reading_only(house: Server) -> None:
    asked = {
        "Origin": FRIEND,
        "Access_Control_Request_Method": "GET",
        "Access_Control_Request_Headers": "authorization,last-event-id",
    }
    answer = ask(house, "OPTIONS", "/v1/jobs/any/insights", **asked)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, FRIEND)
    assert {"Last-Event-ID", "Authorization"} <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-origin" not in ask(house, "OPTIONS", "/v1/insights", **{**asked, "Origin": STRANGER}).headers
    writing = ask(house, "OPTIONS", "/v1/jobs", **{**asked, "Access_Control_Request_Method": "POST"})
    assert "access-control-allow-methods" not in writing.headers
    assert ask(house, "POST", "/v1/jobs", Origin=FRIEND).status_code == 403


def test_whoever_finds_no_room_is_told_when_to_come_back(house: Server) -> None:
    with (
        follow(f"{house.url}/v1/insights") as one,
        follow(f"{house.url}/v1/insights") as two,
        follow(f"{house.url}/live?page=home") as three,
    ):
        for stream in (one, two, three):
            stream.until(lambda event: event.id is not None)
        for path in PATHS:
            for method in ("GET", "HEAD"):
                refused = ask(house, method, path)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")


def test_without_a_configured_origin_nothing_is_said_about_origins(server: Server) -> None:
    for method, path in [("GET", "/v1/jobs"), ("OPTIONS", "/v1/insights"), ("HEAD", "/v1/insights")]:
        answer = ask(server, method, path, Origin=FRIEND, Access_Control_Request_Method="GET")
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
