"""The feed of a real job, from submit to close: what it tells, by the schemas it promises, cut and resumed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.conftest import Server, Servers, write_clip
from tests.sse import Event, NothingLeft, follow

TEST_PLUGINS = Path(__file__).parents[1] / "plugins"
FACTS = {"status", "device", "health", "warning"}
SLOW = '{"stages": [{"plugin": "motion_mog2"}, {"plugin": "brightness", "options": {"ms": 20}}]}'


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred frames: some seconds of work at 20 ms a frame."""
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=200)


def submit(server: Server, clip: Path, pipeline: str) -> str:
    """Submit a clip with a pipeline as JSON; give the job's id."""
    with server.client() as client, clip.open("rb") as file:
        answer = client.post("/v1/jobs", files={"file": (clip.name, file)}, data={"pipeline": pipeline})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


def flaws(server: Server, events: list[Event]) -> list[str]:
    """Hold every event to the schema of its type in the server's own OpenAPI document."""
    with server.client() as client:
        document = client.get("/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    found = []
    for event in events:
        wanted = {"$ref": f"#/components/schemas/Insight{event.type.capitalize()}", "components": document["components"]}
        assert f"Insight{event.type.capitalize()}" in schemas, f"{event.type} has no schema"
        check = Draft202012Validator(wanted, format_checker=FormatChecker())
        found += [f"{event.type}: {error.message}" for error in check.iter_errors(event.json)]
    return found


def test_a_job_is_told_from_submit_to_close(house: Server, long_clip: Path) -> None:
    job_id = submit(house, long_clip, SLOW)
    pictures: dict[int, bytes] = {}
    with follow(f"{house.url}/v1/jobs/{job_id}/insights") as stream, house.client() as client:
        events: list[Event] = []
        for event in stream:
            events.append(event)
            if event.type == "overlay" and len(pictures) < 5:
                answer = client.get(event.json["image_url"])
                assert (answer.status_code, answer.headers["content-type"]) == (httpx.codes.OK, "image/jpeg")
                pictures[event.json["frame_index"]] = answer.content
    assert flaws(house, events) == []

    statuses = [event.json["status"] for event in events if event.type == "status"]
    assert statuses == ["queued", "running", "finalizing", "completed"]
    told = [event.json["progress"] for event in events if event.type == "progress"]
    assert told == sorted(told)
    assert (told[0] < 100, told[-1]) == (True, 100)
    overlays = [event.json for event in events if event.type == "overlay"]
    indices = [overlay["frame_index"] for overlay in overlays]
    assert len(pictures) >= 3
    assert all(picture.startswith(b"\xff\xd8") for picture in pictures.values())
    assert indices == sorted(indices)
    assert all({"motion_mog2", "brightness"} == set(overlay["outputs"]) for overlay in overlays)
    assert {"metrics", "usage", "device"} <= {event.type for event in events}
    assert (events[0].type, events[-1].type, events[-1].json["reason"]) == ("hello", "close", "completed")

    with house.client() as client:
        rows = client.get(f"/v1/jobs/{job_id}/frames").text.splitlines()
        assert len(rows) == 200
        stored = client.get(f"/v1/jobs/{job_id}/result").json()["frames"]
    for overlay in overlays:  # what was drawn live is what is kept
        assert overlay["outputs"] == stored[overlay["frame_index"]]["outputs"]


def test_cut_at_any_point_and_resumed_no_fact_is_missing_or_doubled(house: Server, long_clip: Path) -> None:
    job_id = submit(house, long_clip, SLOW)
    address, told, last, connections = f"{house.url}/v1/jobs/{job_id}/insights", [], None, 0
    with suppress(NothingLeft):  # cut between the last fact and `close`
        while not told or told[-1].type != "close":
            connections += 1
            with follow(address, last_event_id=last) as stream:
                for count, event in enumerate(stream):
                    if event.type in FACTS and event.id is not None:
                        told.append(event)
                        last = event.id
                    elif event.type in FACTS or event.type == "close":
                        told.append(event)
                    elif event.type == "hello" and last is None:
                        last = event.id  # the snapshot that follows holds all there is up to here
                    if count == connections + 3:  # somewhere else each time
                        break
    assert connections > 5
    with house.client() as client:
        kept = client.get(f"/v1/jobs/{job_id}/facts").json()["items"]
    statuses = [event.json["status"] for event in told if event.type == "status"]
    assert statuses == [fact["status"] for fact in kept if fact["type"] == "status"]
    numbers = [event.id for event in told if event.id is not None and event.type in FACTS]
    assert numbers == sorted(set(numbers))
    snapshot = sum(event.type in FACTS and event.id is None for event in told)
    assert snapshot + len(numbers) == len(kept)


def test_a_script_that_only_wants_facts_gets_nothing_else(
    house: Server, long_clip: Path, wait_until: Callable[..., Any]
) -> None:
    job_id = submit(house, long_clip, '{"stages": [{"plugin": "brightness"}]}')
    with follow(f"{house.url}/v1/jobs/{job_id}/insights?types=status") as stream:
        events = list(stream)
    assert {event.type for event in events} == {"hello", "status", "close"}
    with house.client() as client:
        wait_until(lambda: client.get(f"/v1/jobs/{job_id}").json()["finished_at"], "the job's end in the database")
        last = max(event.id or 0 for event in events)
        again = client.get(f"/v1/jobs/{job_id}/insights", headers={"Last-Event-ID": str(last)})
    assert again.status_code == httpx.codes.NO_CONTENT


def test_pictures_are_made_only_for_who_watches_and_no_more_often_than_is_set(servers: Servers, long_clip: Path) -> None:
    rates = {"SIGHTLINE_OVERLAYS_PER_S": "4", "SIGHTLINE_METRICS_PER_S": "1"}
    house = servers.start(env={"SIGHTLINE_WORKERS": "2", "SIGHTLINE_PLUGINS_PATH": str(TEST_PLUGINS), **rates})
    fast = '{"stages": [{"plugin": "brightness", "options": {"ms": 6}}]}'

    def pictured(job_id: str) -> int:
        with house.client() as client:
            rows = client.get(f"/v1/jobs/{job_id}").json()["breakdown"]
        return next((row["frames"] for row in rows if row["stage"] == "preview"), 0)

    told: dict[str, list[Event]] = {}
    for asked in ("types=status,progress", "plugin=motion_mog2", ""):
        job_id = submit(house, long_clip, fast)
        with follow(f"{house.url}/v1/jobs/{job_id}/insights?{asked}") as stream:
            told[asked] = list(stream)
        assert (pictured(job_id) > 0) == (asked == ""), asked
    for kind, rate in (("overlay", 4), ("metrics", 1)):
        moments = [datetime.fromisoformat(event.json["at"]) for event in told[""] if event.type == kind]
        assert len(moments) - 1 <= rate * (moments[-1] - moments[0]).total_seconds() * 1.2 + 1, kind
    assert len([event for event in told[""] if event.type == "overlay"]) > 1
