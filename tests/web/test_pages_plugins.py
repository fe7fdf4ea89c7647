"""The pages of plugins and devices: what is here, how it did, why not, and the sign-in."""

from collections.abc import Callable
from pathlib import Path

import httpx

from app.domain.device import EXAMPLE_DECISION
from app.domain.job import StageBreakdown
from app.domain.timing import Histogram
from app.registry.discover import Catalogue
from app.store import breakdowns
from tests.conftest import ROOT
from tests.web.conftest import Api, send_nothing, serve, tell_of_trouble
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


def test_a_plugin_shows_its_history_by_version_and_by_job(api: Api, clip: Path) -> None:
    assert "No job has used it yet" in Page(api.client.get("/plugins/people_hog").text)["plugin-history"].text
    assert api.client.get("/v1/plugins/people_hog").json()["history"] == {"versions": [], "uses": []}
    job_id = api.submit(clip, name="Crossing").json()["id"]
    tell_of_trouble(api.parts, job_id, "people_hog")
    api.work_off(job_id)
    page = Page(api.client.get("/plugins/people_hog").text)
    told = page["plugin-history"].text
    assert "Crossing" in told
    assert [e for e in page.all("a", href=f"/jobs/{job_id}") if e.within("plugin-history")]
    known = api.client.get("/v1/plugins/people_hog").json()
    (use,) = known["history"]["uses"]
    assert (use["job_id"], use["job_name"], use["health"], use["fallback"]) == (job_id, "Crossing", "degraded", True)
    assert use["frames"] == known["record"]["frames"]
    assert all(item["history"] is None for item in api.client.get("/v1/plugins").json()["items"])


def test_a_plugin_shows_what_it_promises_against_what_it_took_and_where_it_ran(api: Api, clip: Path) -> None:
    page = Page(api.client.get("/plugins/people_hog").text)
    assert "against the 250 ms a frame that it promises" in page["plugin-plot"].text
    assert "No job has decided" in page["plugin-devices"].text
    for name in ("One", "Two"):
        job_id = api.submit(clip, name=name).json()["id"]
        tell_of_trouble(api.parts, job_id, "people_hog")
        api.work_off(job_id)
    page = Page(api.client.get("/plugins/people_hog").text)
    plot = page["plugin-plot"].text
    assert "In its newest use p95 was 1.5 ms, 1 % of the 250 ms it promises." in plot
    assert "It kept its budget in each of the last 2 uses." in plot
    assert [e.text for e in page.all("title") if e.within("plugin-plot")] == [
        f"{name}: p50 1.5 ms, p95 1.5 ms, 1 frame, degraded" for name in ("One", "Two")
    ]
    devices = page["plugin-devices"].text
    assert "2 times, asked for cuda" in devices
    assert EXAMPLE_DECISION.reason in devices
    assert "1 frame of 20 failed" in page["plugin-health"].text
    assert [e for e in page.all("a", href=f"/jobs/{job_id}") if e.within("plugin-devices")]


def test_times_over_the_budget_are_told_and_another_version_is_marked(api: Api, clip: Path) -> None:
    for version, milliseconds in (("1.0.0", 20), ("1.1.0", 900)):
        job_id = api.submit(clip, name=version).json()["id"]
        timing = Histogram()
        timing.add(milliseconds * 1000)
        row = StageBreakdown("people_hog", "people_hog", version, frames=1, timing=timing, budget_ms=250.0)
        with api.parts.store.begin() as tx:
            breakdowns.merge(tx, job_id, [row])
    page = Page(api.client.get("/plugins/people_hog").text)
    assert "It was over its budget in 1 of the last 2 uses." in page["plugin-plot"].text
    assert "version 1.1.0" in page["plugin-plot"].text
    assert len([e for e in page.all("g") if e.attributes.get("class") == "use over"]) == 1
    assert [e for e in Page(api.client.get("/plugins").text).all("rect") if e.attributes.get("class") == "over"]


def test_a_model_that_is_not_here_comes_with_the_command_that_gets_it(api: Api) -> None:
    (model,) = api.parts.catalogue.get("faces_yunet").models[:1]
    told = Page(api.client.get("/plugins/faces_yunet").text)["plugin-inspector"].text
    assert f"Fetch it: sightline models pull {model.name}" in told
    assert "Not here" in told
    assert "not here" in Page(api.client.get("/plugins").text)["plugin-list"].text


def test_plugins_are_narrowed_by_what_they_can(api: Api) -> None:
    page = Page(api.client.get("/plugins?can=measure").text)
    assert [e.text for e in page.all("h2") if e.within("plugin-list")] == ["Image quality"]
    assert "No plugin here can" in Page(api.client.get("/plugins?can=fly").text)["plugin-list"].text


def try_out(api: Api, plugin: str, picture: tuple[str, bytes], **fields: str) -> httpx.Response:
    """Send the form of a plugin's page, as a browser without scripts does."""
    data = {"plugins": plugin, "tags": "tried", **fields}
    return api.client.post(f"/plugins/{plugin}/try", data=data, files={"file": picture}, headers={"Accept": "text/html"})


def test_a_plugin_is_tried_on_a_picture_as_a_job_and_its_page_shows_what_it_found(api: Api, still: Path) -> None:
    option = "set.people_hog.min_confidence"
    answer = try_out(api, "people_hog", (still.name, still.read_bytes()), **{option: "0.25"})
    assert answer.status_code == 303
    (job,) = api.client.get("/v1/jobs?tag=tried").json()["items"]
    assert job["pipeline"]["stages"][0]["options"]["min_confidence"] == 0.25
    assert answer.headers["location"] == f"/plugins/people_hog?tried={job['id']}"
    page = Page(api.client.get(answer.headers["location"]).text)
    assert f"Looking at {still.name}…" in page["plugin-trial"].text
    assert [e["content"] for e in page.all("meta") if "http-equiv" in e] == ["2"]
    api.work_off(job["id"])
    page = Page(api.client.get(answer.headers["location"]).text)
    told = page["plugin-trial"].text
    assert "things found" in told
    assert "The plugin took 1.5 ms" in told or "1.5 ms" in told
    assert [e["src"] for e in page.all("img") if e.within("plugin-trial")] == [f"/v1/jobs/{job['id']}/frames/0.jpg"]
    assert [e for e in page.all("g") if e.attributes.get("data-stage") == "people_hog"]
    assert [e for e in page.all("meta") if "http-equiv" in e] == []


def test_a_trial_that_cannot_be_taken_is_explained_and_its_options_are_kept(api: Api) -> None:
    answer = try_out(api, "people_hog", ("notes.png", b"just words"), **{"set.people_hog.min_confidence": "0.25"})
    assert answer.status_code == 422
    page = Page(answer.text)
    assert "notes.png cannot be read" in page["plugin-try"].text
    assert page["option-people_hog-min_confidence"]["value"] == "0.25"
    assert api.stored_jobs() == 0
    assert api.left_on_disk() == []
    answer = try_out(api, "people_hog", ("notes.png", b"just words"), **{"set.people_hog.min_confidence": "7"})
    assert "Expected" in Page(answer.text)["wrong-people_hog-min_confidence"].text
    assert api.client.post("/plugins/nothing/try", headers={"Accept": "text/html"}).status_code == 404


def test_a_plugin_brings_its_own_sample_and_one_that_follows_others_says_so(api: Api) -> None:
    answer = send_nothing(api, "/plugins/qr_codes/try", {"plugins": "qr_codes", "tags": "tried", "sample": "qr_codes"})
    assert answer.headers["location"].startswith("/plugins/qr_codes?tried=")
    (job,) = api.client.get("/v1/jobs").json()["items"]
    assert job["source"]["kind"] == "image"
    assert api.client.post(f"/v1/jobs/{job['id']}/again").status_code == 201
    page = Page(api.client.get("/plugins/tracker").text)
    assert "what other stages find" in page["plugin-try"].text
    assert page.all("form", id="try-form") == []


def test_a_trial_that_is_gone_or_of_another_plugin_is_not_shown(api: Api, still: Path) -> None:
    job_id = api.submit(still, plugins="motion_mog2").json()["id"]
    for tried in ("nothing", job_id):
        page = Page(api.client.get(f"/plugins/people_hog?tried={tried}").text)
        assert page["plugin-trial"].text == ""


def test_a_broken_plugin_is_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "half").mkdir(parents=True)
    (tmp_path / "plugins" / "half" / "plugin.toml").write_text('id = "half"\n')
    with serve(tmp_path / "home") as api:
        broken = Catalogue.discover([ROOT / "plugins", tmp_path / "plugins"], entry_points=False)
        object.__setattr__(api.parts, "catalogue", broken)  # the parts are frozen; a test may
        page = Page(api.client.get("/plugins").text)
        assert "Broken" in page["plugin-list"].text
        assert "name" in page["plugin-list"].text
        found = broken.found["half"]
        assert found.findings[0].cure in page["plugin-list"].text
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


def test_the_panel_of_a_stage_tells_what_its_plugin_declares_and_how_it_does(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    api.work_off(job_id)
    page = Page(api.client.get(f"/jobs/{job_id}").text)
    panel = page["inspect-people_hog"].text
    assert "0.6 by default; 0 to 1" in panel
    assert "sightline plugins validate" in panel
    (plot,) = [e["data-plot"] for e in page.elements if "data-plot" in e and e.within("inspect-people_hog")]
    told = Page(api.client.get(plot).text)
    assert "In its newest use p95 was 1.5 ms" in told["plugin-plot-people_hog"].text


def test_a_job_in_any_state_can_be_run_again_or_taken_over(api: Api, still: Path) -> None:
    job_id = api.submit(still).json()["id"]
    page = Page(api.client.get(f"/jobs/{job_id}").text)
    assert "hidden" not in page["again-job"]
    assert page.all("a", href=f"/?like={job_id}")
    answer = api.client.post(f"/jobs/{job_id}/again")
    assert answer.status_code == 303
    assert answer.headers["location"] != f"/jobs/{job_id}"
