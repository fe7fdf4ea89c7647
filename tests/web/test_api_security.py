"""Who may ask: Host, Origin, token and sign-in, and the headers of every answer."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.web.security import HEADERS, session_of
from tests.web.conftest import Api, problem

TOKEN = "correct horse battery staple"


@pytest.fixture
def locked(start_api: Callable[..., Api]) -> Api:
    """An API with a token."""
    return start_api(token=TOKEN)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000", "LOCALHOST:99", "localhost."])
def test_every_name_of_the_loopback_is_answered_whatever_the_port(api: Api, host: str) -> None:
    assert api.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.5", "", "[::1", "a@localhost:b"]
)
def test_another_host_is_refused_everywhere(api: Api, host: str) -> None:
    for path in ("/v1/jobs", "/healthz", "/", "/static/css/base.css"):
        answer = api.client.get(path, headers={"Host": host})
        told = problem(answer, 403)
        assert told["type"] == "/problems/foreign-request"
        assert repr(host) in told["detail"]


def test_a_name_the_server_was_given_is_answered(start_api: Callable[..., Api]) -> None:
    api = start_api(hosts=frozenset({"vision.example"}))
    assert api.client.get("/healthz", headers={"Host": "vision.example:443"}).status_code == 200
    problem(api.client.get("/healthz", headers={"Host": "other.example"}), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_no_other_web_page_can_change_anything_here(api: Api, still: Path, headers: dict[str, str]) -> None:
    job_id = api.submit(still).json()["id"]
    for method, path in (("POST", "/v1/jobs"), ("POST", f"/v1/jobs/{job_id}/cancel"), ("DELETE", f"/v1/jobs/{job_id}")):
        problem(api.client.request(method, path, headers=headers), 403)
    assert api.client.get(f"/v1/jobs/{job_id}", headers=headers).json()["status"] == "queued"


def test_this_servers_own_pages_can_change_things(api: Api, still: Path) -> None:
    job_id = api.submit(still).json()["id"]
    own = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    assert api.client.post(f"/v1/jobs/{job_id}/cancel", headers=own).status_code == 200


def test_with_a_token_everything_but_the_sign_of_life_wants_it(locked: Api) -> None:
    assert locked.client.get("/healthz").status_code == 200
    for path in ("/v1/jobs", "/v1/insights", "/v1/openapi.json", "/readyz", "/metrics", "/live?page=job"):
        answer = locked.client.get(path)
        assert problem(answer, 401)["type"] == "/problems/not-signed-in"
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(locked.client.post("/v1/jobs"), 401)


@pytest.mark.parametrize("given", [f"Bearer {TOKEN}x", "Bearer", TOKEN, f"Basic {TOKEN}", "Bearer wr\u00f6ng"])
def test_a_wrong_token_is_refused(locked: Api, given: str) -> None:
    problem(locked.client.get("/v1/jobs", headers={"Authorization": given.encode()}), 401)


def test_the_right_token_opens_the_api(locked: Api) -> None:
    for scheme in ("Bearer", "bearer"):
        assert locked.client.get("/v1/jobs", headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


def test_a_browser_is_led_to_the_sign_in_and_back(locked: Api) -> None:
    browser = httpx.Client(base_url=locked.url, headers={"Accept": "text/html"}, trust_env=False)
    with browser:
        led = browser.get("/jobs?status=failed")
        assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/jobs%3Fstatus%3Dfailed")
        form = browser.get(led.headers["location"])
        assert form.status_code == 200
        assert 'value="/jobs?status=failed"' in form.text
        wrong = browser.post("/sign-in", data={"token": "wrong", "next": "/jobs"})
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        signed = browser.post("/sign-in", data={"token": TOKEN, "next": "/jobs?status=failed"})
        assert (signed.status_code, signed.headers["location"]) == (303, "/jobs?status=failed")
        cookie = signed.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert browser.get("/v1/jobs").status_code == 200
        browser.post("/sign-out")
        assert browser.get("/v1/jobs").status_code == 401


def test_a_cookie_that_was_made_up_is_refused(locked: Api) -> None:
    for value in (TOKEN, session_of(TOKEN)[:-1] + "x", session_of("other")):
        problem(locked.client.get("/v1/jobs", headers={"Cookie": f"sightline_session={value}"}), 401)


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_a_sign_in_leads_to_no_other_server(locked: Api, wanted: str) -> None:
    signed = locked.client.post("/sign-in", data={"token": TOKEN, "next": wanted})
    assert (signed.status_code, signed.headers["location"]) == (303, "/")


def test_every_answer_carries_the_security_headers(api: Api) -> None:
    answers = [api.client.get(path) for path in ("/healthz", "/v1/jobs", "/none", "/v1/jobs?x=1", "/static/none", "/sign-in")]
    answers.append(api.client.get("/healthz", headers={"Host": "evil.example"}))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.url, name)
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_long_answers_are_packed_for_who_takes_it(api: Api) -> None:
    packed = api.client.get("/v1/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = api.client.get("/v1/openapi.json", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
