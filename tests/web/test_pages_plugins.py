"""The pages of plugins and devices: what is here, how it did, why not, and the sign-in."""

from collections.abc import Callable
from pathlib import Path

import httpx

from app.registry.discover import Catalogue
from tests.conftest import ROOT
from tests.web.conftest import Api, serve, tell_of_trouble
from tests.web.html import Page


def test_plugins_are_listed_with_what_they_promise(api: Api) -> None:
    page = Page(api.client.get("/plugins").text)
    told = page["plugin-list"].text
    assert "People (HOG)" in told
    assert "budget 250 ms per frame" in told
    assert "Not used yet" in told


def test_a_plugin_shows_its_options_and_how_it_did(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id)
    page = Page(api.client.get("/plugins/people_hog").text)
    assert "Least confidence" in page["plugin-inspector"].text
    assert "0.6 by default; 0 to 1" in page["plugin-inspector"].text
    assert "Degraded" in page["plugin-health"].text
    assert "1 frame of 20 failed" in page["plugin-health"].text
    assert [e for e in page.all("a", href=f"/jobs/{job_id}") if e.within("plugin-health")]


def test_a_broken_plugin_is_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "half").mkdir(parents=True)
    (tmp_path / "plugins" / "half" / "plugin.toml").write_text('id = "half"\n')
    with serve(tmp_path / "home") as api:
        broken = Catalogue.discover([ROOT / "plugins", tmp_path / "plugins"], entry_points=False)
        object.__setattr__(api.parts, "catalogue", broken)  # the parts are frozen; a test may
        page = Page(api.client.get("/plugins").text)
        assert "Broken" in page["plugin-list"].text
        assert "name" in page["plugin-list"].text
        page = Page(api.client.get("/plugins/half").text)
        assert "Broken" in page["plugin-health"].text
        assert "half" not in Page(api.client.get("/").text)["plugin-picker"].text


def test_devices_say_what_is_here_and_why_not(api: Api) -> None:
    page = Page(api.client.get("/devices").text)
    told = page["main"].text
    assert "CUDA" in told
    assert "not_built" in told
    assert "opencv-contrib-python-headless" in told
    assert {"device-usage", "connection-state", "pause-updates"} <= set(page.by_id)


def test_the_sign_in_page_lets_in_who_knows_the_token(start_api: Callable[..., Api]) -> None:
    api = start_api(token="a long secret")
    with httpx.Client(base_url=api.url, trust_env=False, headers={"Accept": "text/html"}) as browser:
        assert browser.get("/jobs").headers["location"] == "/sign-in?next=/jobs"
        assert Page(browser.get("/sign-in?next=/jobs").text).all("input", name="next")[0]["value"] == "/jobs"
        refused = browser.post("/sign-in", data={"token": "guess", "next": "/jobs"})
        assert refused.status_code == 401
        assert "not the server's token" in Page(refused.text)["main"].text
        assert browser.post("/sign-in", data={"token": "a long secret", "next": "/jobs"}).headers["location"] == "/jobs"
        assert browser.get("/jobs").status_code == 200
