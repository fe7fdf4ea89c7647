"""Pipelines and feeds made by chance: a pipeline is refused or its job ends whole, a feed is refused or keeps to its query."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.insight import FILTERABLE_TYPES
from app.web.openapi import openapi_document
from tests.conftest import Server, Servers, write_clip
from tests.e2e.test_jobs import end_of, rows_of, submit
from tests.soak.fuzzing import ODD_TEXTS, TEXTS, fitting, fuzz, held, tried

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
DOCUMENT = json.loads(json.dumps(openapi_document()))
FRAMES = 8
ALWAYS = {"hello", "gap", "close"}
LIGHT = ("brightness", "square", "follower", "recent", "motion_mog2", "qr_codes", "line_counter", "scene_changes", "tracker")
IDS = st.sampled_from(["a", "b", "c", *LIGHT[:4]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that sources may lie in."""
    return tmp_path_factory.mktemp("fuzzed pipelines")


@pytest.fixture(scope="module")
def clip(folder: Path) -> Path:
    """A clip of a few frames."""
    return write_clip(folder / "clip.mp4", frames=FRAMES, size=(96, 64))


@pytest.fixture(scope="module")
def house(module_servers: Servers, folder: Path) -> Iterator[Server]:
    """A server to be tried."""
    with tried(module_servers, folder, SIGHTLINE_SOURCE_ROOTS=str(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def api(house: Server) -> Iterator[httpx.Client]:
    """A client of that server."""
    with house.client() as client:
        yield client


def options_of(api: httpx.Client) -> st.SearchStrategy[dict[str, Any]]:
    """Make options by the names that the plugins declare, with values of every kind."""
    items = api.get("/v1/plugins").json()["items"]
    names = [option["name"] for item in items if item["id"] in LIGHT for option in item["options"] or ()]
    values = st.one_of(st.integers(-2, 500), st.floats(0, 1), st.booleans(), TEXTS, st.lists(st.integers(0, 9), max_size=3))
    return st.dictionaries(st.sampled_from(sorted({*names, "nothing"} - {"ms"})), values, max_size=1)


def test_a_pipeline_made_by_chance_is_refused_with_reasons_or_its_job_ends_whole(api: httpx.Client, clip: Path) -> None:
    told: Counter[str] = Counter()
    words = {
        "plugin": st.sampled_from(LIGHT), "id": IDS, "needs": st.lists(IDS, max_size=1), "stage": IDS, "device": st.just("cpu"),
        "options": st.one_of(st.just({}), options_of(api)), "every": st.integers(1, 9), "frame_timeout_s": st.integers(5, 30),
        "when": st.one_of(st.none(), st.fixed_dictionaries({"stage": IDS})), "label": st.sampled_from(["person", "x"]),
    }  # fmt: skip
    form = DOCUMENT["components"]["schemas"]["PipelineForm"]
    alone = st.fixed_dictionaries(
        {"plugin": st.sampled_from(["brightness", "motion_mog2", "qr_codes"]), "every": words["every"]}
    )
    fit = st.fixed_dictionaries(
        {"stages": st.lists(alone, min_size=1, max_size=3)}
    )  # stages that need no other: they are taken
    pipelines = st.one_of(fit, st.booleans().flatmap(lambda spoilt: fitting(DOCUMENT, form, words, spoilt)))

    @fuzz(60)
    @given(pipelines)
    def order(pipeline: Any) -> None:
        answer = api.post("/v1/jobs", json={"source": {"path": str(clip)}, "pipeline": pipeline})
        told[str(held(DOCUMENT, "post", "/v1/jobs", answer).status_code)] += 1
        saved = held(DOCUMENT, "put", "/v1/pipelines/{name}", api.put("/v1/pipelines/tried", json=pipeline))
        if answer.status_code != httpx.codes.CREATED:
            assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
            return
        assert saved.is_success, saved.text  # what a job takes can be saved
        kept = saved.json()["pipeline"]
        again = held(DOCUMENT, "put", "/v1/pipelines/{name}", api.put("/v1/pipelines/tried", json=kept)).json()
        assert again["pipeline"] == kept
        job = end_of(api, answer.json()["id"])
        told[job["status"]] += 1
        held(DOCUMENT, "get", "/v1/jobs/{id}", api.get(f"/v1/jobs/{job['id']}"))
        held(DOCUMENT, "get", "/v1/jobs/{id}/result", api.get(f"/v1/jobs/{job['id']}/result"))
        assert api.get(f"/jobs/{job['id']}", headers={"Accept": "text/html"}).status_code == httpx.codes.OK
        if job["status"] == "failed":
            assert job["error"]
        else:
            assert [row["frame_index"] for row in rows_of(api, job["id"])] == list(range(FRAMES))
        assert api.delete(f"/v1/jobs/{job['id']}").status_code == httpx.codes.NO_CONTENT

    order()
    print(dict(told))
    assert told["201"] >= 10
    assert told["422"] >= 10


def test_a_feed_asked_for_by_chance_is_refused_or_tells_what_was_asked_for_and_ends(api: httpx.Client, clip: Path) -> None:
    told: Counter[int] = Counter()
    job = end_of(api, submit(api, clip, {"plugin": "brightness"}, {"plugin": "motion_mog2"}))["id"]
    head = str(api.get(f"/v1/jobs/{job}/facts").json()["items"][-1]["id"])
    good: dict[str, st.SearchStrategy[str]] = {
        "types": st.lists(st.sampled_from([*sorted(FILTERABLE_TYPES), "hello", "x"]), max_size=3).map(",".join),
        "plugin": st.sampled_from(["brightness", "brightness,motion_mog2", "nobody"]),
        "labels": st.sampled_from(["moving", "a,b", ","]), "min_confidence": st.sampled_from(["0", "0.5", "1", "1.1", "-0"]),
        "max_rate": st.sampled_from(["1", "0.001", "1000", "0", "-1"]), "rewind": st.sampled_from(["0", "3", "10000", "10001"]),
        "last_event_id": st.sampled_from(["0", head, head, "9" * 18, "-1"]), "page": st.sampled_from(["job", "jobs", "x"]),
    }  # fmt: skip
    odd = st.sampled_from([text for text in ODD_TEXTS if len(text) < 8000])
    queries = st.dictionaries(st.sampled_from(sorted(good)), st.none(), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: st.one_of(good[name], good[name], good[name], odd) for name in chosen})
    )
    ways = st.sampled_from(["/v1/jobs/{id}/insights", "/v1/jobs/{id}/insights", "/v1/insights", "/live"])

    @fuzz(150)
    @given(ways, queries)
    def follow(path: str, query: dict[str, str]) -> None:
        asked = query if "{id}" in path else {"job": job, **query}
        answer = api.get(f"{path.replace('{id}', job)}?{urlencode(asked)}")  # the job has ended, and so a feed of it ends
        told[answer.status_code] += 1
        if path == "/live":
            assert answer.status_code in {200, 400}, answer.text
        elif answer.status_code == httpx.codes.NO_CONTENT:
            assert "last_event_id" in query
        else:
            held(DOCUMENT, "get", path, answer)
            kinds = re.findall(r"^event: (\w+)$", answer.text, re.MULTILINE)
            if answer.status_code == httpx.codes.OK:
                assert (kinds[0], kinds[-1]) == ("hello", "close")
                wanted = {name.strip() for name in query.get("types", "").split(",")} - {""}
                assert not query.get("types") or set(kinds) <= wanted | ALWAYS

    follow()
    print(dict(told))
    assert {200, 204, 400} <= set(told)
