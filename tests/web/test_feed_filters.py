"""What a feed can be narrowed to, through the door: plugins, labels, confidence, types, rate and the last facts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.insight import INSIGHT_EXAMPLES, Overlay
from app.domain.output import Classification, ClassScore, Detection, Detections
from app.store import facts
from tests.served_feed import Feed, brief, fact_of, get, is_, progress, serve
from tests.sse import follow

EXAMPLE = INSIGHT_EXAMPLES["overlay"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """A served feed with two queued jobs: `a` runs hog and mog (fact 1), `b` mog alone (fact 2)."""
    with serve(tmp_path_factory.mktemp("feed")) as started:
        started.add("a", people="hog", moves="mog")
        started.add("b", moves="mog")
        yield started


def overlay(job_id: str, frame: int) -> Overlay:
    """Build an overlay of two stages."""
    outputs = {
        "people": Detections((Detection("person", 0.9, EXAMPLE.outputs["people_hog"].detections[0].box),  # type: ignore[attr-defined]  # the example has it
                              Detection("person", 0.3, EXAMPLE.outputs["people_hog"].detections[0].box))),  # type: ignore[attr-defined]  # the example has it
        "moves": Classification((ClassScore("motion", 0.7), ClassScore("still", 0.3))),
    }  # fmt: skip
    return msgspec.structs.replace(EXAMPLE, job_id=job_id, frame_index=frame, outputs=outputs)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("", {"people": [0.9, 0.3], "moves": [0.7, 0.3]}),
        ("plugin=hog", {"people": [0.9, 0.3]}),
        ("plugin=mog,hog", {"people": [0.9, 0.3], "moves": [0.7, 0.3]}),
        ("labels=person", {"people": [0.9, 0.3], "moves": []}),
        ("labels=person,motion&min_confidence=0.5", {"people": [0.9], "moves": [0.7]}),
        ("labels=person&labels=still", {"people": [0.9, 0.3], "moves": [0.3]}),
        ("min_confidence=1", {"people": [], "moves": []}),
        ("min_confidence=0&labels=&plugin=", {"people": [0.9, 0.3], "moves": [0.7, 0.3]}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs/a/insights", "/v1/insights"])
def test_an_overlay_is_reduced_to_what_was_asked_for(served: Feed, path: str, asked: str, left: dict[str, Any]) -> None:
    with follow(f"{served.url}{path}?types=overlay&max_rate=1000&{asked}") as stream:
        stream.until(is_("hello"))
        frame = served.publish(overlay("a", 0)) or 0
        *_, event = stream.until(lambda event: event.type == "overlay" and event.json["frame_index"] == frame)
    found = {
        stage: [part["confidence"] for part in output.get("detections", output.get("classes", []))]
        for stage, output in event.json["outputs"].items()
    }
    assert found == left


def test_only_jobs_that_run_a_plugin_are_told_of_and_only_its_stages(served: Feed) -> None:
    with follow(f"{served.url}/v1/insights?plugin=hog") as stream:
        assert {event.json["job_id"] for event in stream.until(is_("status")) if event.type == "status"} == {"a"}
        served.publish(progress("b", 1), progress("a", 2))
        *_, event = stream.until(lambda event: event.type == "progress" and event.json["frames_done"] == 2)
        assert event.json["job_id"] == "a"
        with served.store.begin() as tx:
            for stage in ("moves", "people", None):
                facts.append(tx, msgspec.structs.replace(fact_of("a", 1), stage=stage))
        served.tail.ring()
        told = stream.until(lambda event: event.type == "warning" and event.json["stage"] is None)
        assert [event.json["stage"] for event in told if event.type == "warning"] == ["people", None]


def test_a_page_s_feed_takes_the_same_filters(served: Feed) -> None:
    with follow(f"{served.url}/live?page=job&plugin=hog&labels=person&min_confidence=0.5&types=progress") as stream:
        stream.until(is_("message"))
        served.publish(progress("b", 77), progress("a", 78))
        *_, event = stream.until(lambda event: event.data == "<i>78</i>")
        assert "<i>77</i>" not in event.data


def test_the_last_facts_are_told_again_with_their_numbers(served: Feed) -> None:
    with follow(f"{served.url}/v1/insights?types=status&rewind=1") as stream:
        hello, event = stream.until(is_("status"))
        assert (event.id, event.json["job_id"], event.snapshot) == (2, "b", False)
        assert hello.json["resumed_from"] == 1
    with follow(f"{served.url}/v1/insights?types=status&rewind=50&max_rate=5") as stream:
        assert brief(stream.until(lambda event: event.id == 2 and event.type == "status"))[1:] == ["#1 status", "#2 status"]
    with follow(f"{served.url}/v1/insights?types=status&rewind=50", last_event_id=1) as stream:
        assert brief(stream.until(is_("status")))[1:] == ["#2 status"], "a client that comes back wants what it missed"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("plugin=hogg", "'hogg'; the known ones are hog, mog"),
        ("min_confidence=2", "'2'; the known ones are numbers from 0 to 1"),
        ("min_confidence=-0.1", "'-0.1'"),
        ("min_confidence=nan", "'nan'"),
        ("min_confidence=much", "'much'"),
        ("rewind=-1", "'-1'"),
        ("rewind=all", "whole numbers from 0 to 10000"),
        ("rewind=10001", "'10001'"),
        ("label=cat", "'label'; the known ones are"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/insights", "/v1/jobs/a/insights", "/live?page=job"])
def test_a_filter_that_cannot_be_is_refused_with_what_can(served: Feed, path: str, query: str, named: str) -> None:
    answer = get(served, f"{path}{'&' if '?' in path else '?'}{query}")
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert named in answer.json()["detail"]


def test_a_refusal_names_every_filter_there_is(served: Feed) -> None:
    known = get(served, "/v1/insights?colour=red").json()["detail"].rpartition("are ")[2].rstrip(".")
    assert known.split(", ") == [
        "job", "types", "plugin", "labels", "min_confidence", "max_rate", "last_event_id", "rewind",
    ]  # fmt: skip


def test_a_rate_holds_at_the_door(tmp_path: Path) -> None:
    with serve(tmp_path) as slow:
        slow.add("a")
        with follow(f"{slow.url}/v1/insights?max_rate=0.01") as stream, follow(f"{slow.url}/v1/insights") as quick:
            stream.until(is_("status"))
            quick.until(is_("status"))
            for done in range(1, 6):
                slow.publish(progress("a", done))
                quick.until(lambda event, done=done: event.type == "progress" and event.json["frames_done"] == done)
            slow.warn("a", 1)
            assert [event.json.get("frames_done") for event in stream.until(is_("warning"))] == [1, None]
