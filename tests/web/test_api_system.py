"""Plugins, devices, health, metrics, static files, and what becomes of errors nobody foresaw."""

from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.domain import errors
from app.domain.device import FallbackCode
from app.domain.job import JobStatus, StageBreakdown
from app.domain.timing import Histogram
from app.store import breakdowns
from app.web.assets import STATIC, static_url
from app.web.errors import STATUS, problem_of
from app.web.parts import Readiness
from tests.web.conftest import Api, problem, tell_of_trouble


def family(kind: type[errors.SightlineError]) -> Iterator[type[errors.SightlineError]]:
    """Every error of the domain, at any depth."""
    for child in kind.__subclasses__():
        yield child
        yield from family(child)


def test_every_error_of_the_family_has_its_status() -> None:
    named = {kind for kind in family(errors.SightlineError) if kind.__module__ == errors.__name__}
    assert named - set(STATUS) == set()  # one defined elsewhere stands below one of these, and has its status
    assert {kind for kind in family(errors.SightlineError) if not named & set(kind.__mro__)} == set()


def test_an_error_nobody_foresaw_says_nothing_of_itself() -> None:
    told = problem_of(ValueError("the secret is 42"))
    assert (told.status, told.type) == (500, "/problems/internal-error")
    assert "42" not in told.body().decode()


def test_a_crash_in_a_handler_is_a_problem_without_its_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(type(api.parts.store), "read", broken)
    answer = api.client.get("/v1/jobs")
    told = problem(answer, 500)
    assert told["title"] == "Internal error"
    assert "42" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nowhere", "/v1/nowhere", "/v1/jobs/a/b/c", "/v1/plugins/nowhere", "/static/nowhere.css"])
def test_an_address_that_is_not_there_is_a_problem(api: Api, path: str) -> None:
    problem(api.client.get(path), 404)


def test_a_browser_gets_a_page_for_an_address_that_is_not_there_and_a_problem_from_the_api(api: Api) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = api.client.get("/nowhere", headers=browser)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing at /nowhere." in page.text
    problem(api.client.get("/v1/nowhere", headers=browser), 404)


def test_a_name_in_an_address_is_no_markup_on_its_error_page(api: Api) -> None:
    page = api.client.get("/<script>alert(1)</script>", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<script>alert" not in page.text


def test_a_method_that_is_not_there_says_which_are(api: Api) -> None:
    answer = api.client.put("/v1/jobs/a")
    assert problem(answer, 405)["type"] == "/problems/method-not-allowed"
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))
    assert problem_of(HTTPException(405)).title == "Method not allowed"


def test_plugins_are_listed_with_what_they_declare_and_how_they_did(api: Api, still: Path) -> None:
    api.work_off(api.submit(still).json()["id"])
    listed = {plugin["id"]: plugin for plugin in api.client.get("/v1/plugins").json()["items"]}
    assert {"people_hog", "motion_mog2"} <= set(listed)
    hog = api.client.get("/v1/plugins/people_hog").json()
    assert {**hog, "history": None} == listed["people_hog"]  # the history is told of one plugin alone
    assert (hog["broken"], hog["output"], hog["stateful"]) == (False, "detections", False)
    assert {option["name"] for option in hog["options"]} == set(api.parts.catalogue.get("people_hog").defaults())
    assert (hog["record"]["jobs"], hog["record"]["frames"], hog["record"]["max_ms"]) == (1, 1, 1.5)
    assert listed["motion_mog2"]["record"]["jobs"] == 0
    assert problem(api.client.get("/v1/plugins/none"), 404)["type"] == "/problems/no-such-plugin"


def test_a_broken_plugin_is_listed_with_its_reason(api: Api, tmp_path: Path) -> None:
    from app.registry.discover import Catalogue
    from app.registry.models import ModelShelf
    from app.store.plugins import PluginRecord
    from app.web.schemas_plugins import PluginDocument

    folder = tmp_path / "plugins" / "bent"
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text("id = 'bent'\n")
    (found,) = Catalogue.discover([folder.parent], entry_points=False).found.values()
    told = PluginDocument.of(found, PluginRecord(), shelf=ModelShelf(None))
    assert (told.id, told.broken, told.name, told.options) == ("bent", True, None, [])
    assert told.reason


def test_devices_say_why_a_target_cannot_be_used(api: Api) -> None:
    devices = api.client.get("/v1/devices").json()
    targets = {state["target"]: state for state in devices["targets"]}
    assert targets["cpu"]["available"] is True
    assert all(state["available"] or (state["code"] and state["reason"]) for state in targets.values())
    assert devices["workers"] == []


def test_readiness_is_red_with_the_reasons(start_api: Callable[..., Api]) -> None:
    api = start_api(Readiness({"database": None, "pool": "no worker is ready"}))
    answer = api.client.get("/readyz")
    told = problem(answer, 503)
    assert told["checks"] == {"database": None, "pool": "no worker is ready"}
    assert told["ready"] is False
    assert "pool: no worker is ready" in told["detail"]
    assert int(answer.headers["retry-after"]) > 0
    assert api.client.get("/healthz").json() == {"status": "ok"}


def test_metrics_count_what_the_history_holds(api: Api, clip: Path) -> None:
    done, failed, _ = (api.submit(clip).json()["id"] for _ in range(3))
    tell_of_trouble(api.parts, done, "people_hog")
    api.work_off(done)
    committed = api.work_off(failed, most=1, to=JobStatus.FAILED).frames_done
    answer = api.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in text_string_to_metric_families(answer.text)
        for sample in metric.samples
    }
    assert {status: samples["sightline_jobs", status] for status in ("queued", "completed", "failed", "running")} == {
        "queued": 1,
        "completed": 1,
        "failed": 1,
        "running": 0,
    }
    assert samples["sightline_frames_done",] == 90 + committed
    assert samples["sightline_segments", "committed"] >= 2
    assert samples["sightline_fallbacks", "not_built"] == 1
    assert {samples["sightline_fallbacks", code] for code in FallbackCode if code != "not_built"} == {0}
    assert (samples["sightline_warnings",], samples["sightline_subscribers",]) == (1, 0)
    for name in ("insights_published", "insights_delivered", "insights_conflated", "facts_dropped", "feed_bytes"):
        assert samples[f"sightline_{name}_total",] == 0


def test_metrics_tell_how_long_each_plugin_takes_as_a_histogram(api: Api, clip: Path) -> None:
    job_id = api.submit(clip).json()["id"]
    timing = Histogram()
    for microseconds in (100, 127, 128, 1_000, 5_000, 40_000_000):
        timing.add(microseconds)
    with api.parts.store.begin() as tx:
        row = StageBreakdown("people_hog", "people_hog", "1.0.0", frames=6, soft_failures=2, timing=timing)
        breakdowns.merge(tx, job_id, [row, StageBreakdown("decode", frames=6, timing=timing)])
    families = {family.name: family for family in text_string_to_metric_families(api.client.get("/metrics").text)}
    family = families["sightline_plugin_frame_seconds"]
    assert family.type == "histogram"
    assert {sample.labels["plugin"] for sample in family.samples} == {"people_hog"}  # decoding is no plugin's
    buckets = [(float(s.labels["le"]), s.value) for s in family.samples if s.name.endswith("_bucket")]
    assert dict(buckets)[0.000128] == 2  # shorter than 128 µs
    assert (dict(buckets)[0.001024], dict(buckets)[0.008192], dict(buckets)[33.554432], buckets[-1]) == (4, 5, 5, (inf, 6))
    assert buckets == sorted(buckets)
    assert {s.name.rpartition("_")[2]: s.value for s in family.samples if "le" not in s.labels} == {
        "count": 6, "sum": 40.006355,
    }  # fmt: skip
    assert [(s.labels["plugin"], s.value) for s in families["sightline_soft_failures"].samples] == [("people_hog", 2)]


def test_a_static_file_is_kept_for_ever_under_the_address_of_its_content(api: Api) -> None:
    name = next(path.relative_to(STATIC).as_posix() for path in sorted(STATIC.rglob("*.js")))
    current = api.client.get(static_url(name))
    assert current.status_code == 200
    assert current.content == (STATIC / name).read_bytes()
    assert "immutable" in current.headers["cache-control"]
    for address in (f"/static/{name}", f"/static/{name}?v=000000000000"):
        assert api.client.get(address).headers["cache-control"] == "no-cache"
    kept = api.client.get(f"/static/{name}", headers={"If-None-Match": current.headers["etag"]})
    assert kept.status_code == 304


def test_nothing_outside_the_static_folder_is_served(api: Api) -> None:
    for path in ("/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml", "/static/..%2fpyproject.toml"):
        problem(api.client.get(path), 404)


def test_the_parts_reach_the_handlers(api: Api) -> None:
    from app.web.parts import parts_of
    from app.web.routes import build_app

    app = build_app(api.parts)
    assert parts_of(Request({"type": "http", "app": app})) is api.parts
