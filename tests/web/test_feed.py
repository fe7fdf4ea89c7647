"""The feed through the door: a real server on a real socket, read by a real client."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest

from app.domain.job import JobStatus
from app.store import facts, jobs
from tests.conftest import Server, wait_until
from tests.served_feed import Feed, brief, fact_of, get, is_, progress, serve
from tests.sse import Event, Stream, follow

QUEUED, RUNNING, FINALIZING = JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FINALIZING
COMPLETED, FAILED = JobStatus.COMPLETED, JobStatus.FAILED


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Feed]:
    """A served feed with one job, `a`: queued (1), running (2)."""
    with serve(tmp_path) as started:
        started.add("a")
        started.move("a", RUNNING)
        yield started


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """A served feed with one job `a`, for tests that change nothing."""
    with serve(tmp_path_factory.mktemp("feed")) as started:
        started.add("a")
        yield started


def test_a_job_is_followed_from_hello_to_close(served: Feed) -> None:
    with follow(f"{served.url}/v1/jobs/a/insights") as stream:
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert brief(stream.until(is_("status")) + stream.until(is_("status"))) == ["#2 hello", "~status", "~status"]
        served.publish(progress("a", 10))
        (event,) = stream.until(is_("progress"))
        assert (event.json["frames_done"], event.json["elapsed_s"]) == (10, None)
        served.warn("a", 1)
        (event,) = stream.until(is_("warning"))
        assert (event.id, event.json["message"]) == (3, "no\nway")
        served.publish(progress("a", 100))
        served.move("a", FINALIZING, COMPLETED)
        last = list(stream)
    assert [word for word in brief(last) if word != "progress"] == ["#4 status", "#5 status", "close"]
    assert [event.json["frames_done"] for event in last if event.type == "progress"] == [100]
    assert last[-1].json["reason"] == "completed"


@pytest.mark.parametrize("by", ["header", "query", "header before query"])
def test_a_cut_connection_resumes_with_exactly_the_missed_facts(served: Feed, by: str) -> None:
    served.warn("a", 1, 10)
    served.publish(progress("a", 4))
    address = f"{served.url}/v1/jobs/a/insights"
    asked: dict[str, tuple[str, Any]] = {
        "header": (address, 3),
        "query": (f"{address}?last_event_id=3", None),
        "header before query": (f"{address}?last_event_id=1", 3),
    }
    with follow(asked[by][0], last_event_id=asked[by][1]) as stream:
        events = stream.until(is_("progress"))
        assert brief(events) == ["#4 hello", "#4 warning", "~progress"]
        assert (events[0].json["resumed_from"], events[0].json["gap"]) == (3, False)
        served.move("a", FAILED)
        assert brief(list(stream)) == ["#5 status", "close"]


def test_cut_after_every_fact_none_is_missing_or_doubled(served: Feed) -> None:
    served.warn("a", *range(1, 6))
    served.move("a", FAILED)
    told, last = [], 0
    while last < 8:
        with follow(f"{served.url}/v1/jobs/a/insights", last_event_id=last) as stream:
            *_, event = stream.until(lambda event: event.id is not None and event.type != "hello")
        told.append(event.id)
        last = event.id
    assert told == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_connection_resumes_over_a_restart_of_the_server(tmp_path: Path) -> None:
    with serve(tmp_path) as before:
        before.add("a")
        before.add("b")
        with follow(f"{before.url}/v1/insights") as stream:
            *_, last = stream.until(lambda event: event.snapshot and event.json["job_id"] == "b")
            before.move("a", RUNNING)
            (last,) = stream.until(is_("status"))
            assert last.id == 3
        before.warn("b", 1)
    with serve(tmp_path) as after:
        after.warn("b", 10)
        with follow(f"{after.url}/v1/insights", last_event_id=last.id) as stream:
            assert brief(stream.until(lambda event: event.id == 5 and event.type == "warning")) == [
                "#5 hello", "#4 warning", "#5 warning",
            ]  # fmt: skip


def test_of_all_jobs_the_snapshot_holds_those_that_have_not_ended(served: Feed) -> None:
    served.add("b")
    served.move("b", FAILED)
    served.publish(progress("a", 3))
    for address in ("/v1/insights", "/v1/insights?job=&types="):
        with follow(served.url + address) as stream:
            events = stream.until(is_("progress"))
            assert brief(events) == ["#4 hello", "~status", "~status", "~progress"]
            assert {event.json["job_id"] for event in events[1:]} == {"a"}


def test_several_jobs_and_some_types_may_be_asked_for(served: Feed) -> None:
    for job_id in ("b", "c"):
        served.add(job_id)
        served.warn(job_id, 1)
    with follow(f"{served.url}/v1/insights?job=a,b&types=warning,progress&max_rate=0.5") as stream:
        assert brief(stream.until(is_("warning"))) == ["#6 hello", "~warning"]
        served.publish(progress("c", 1), progress("b", 2))
        assert [event.json["job_id"] for event in stream.until(is_("progress"))] == ["b"]


def test_a_number_that_is_not_kept_or_was_never_given_is_a_gap(served: Feed) -> None:
    with follow(f"{served.url}/v1/jobs/a/insights", last_event_id=40) as stream:
        events = stream.until(is_("status"))
        assert brief(events) == ["#2 hello", "gap", "~status"]
        assert events[0].json["gap"] is True
        assert events[1].json["reason"] == "evicted"
    served.add("b")
    served.move("a", FAILED)
    with served.store.begin() as tx:
        jobs.delete(tx, "a")
    with follow(f"{served.url}/v1/insights", last_event_id=1) as stream:
        events = stream.until(is_("status"))
        assert brief(events) == ["#4 hello", "gap", "~status"]
        assert {name: events[1].json[name] for name in ("from", "to", "count")} == {"from": 2, "to": 2, "count": 1}


@pytest.mark.parametrize("path", ["/v1/insights", "/v1/jobs/a/insights", "/live?page=job"])
@pytest.mark.parametrize("given", ["abc", "-1", "1.5", "\u0661", "9" * 30, "1,2"])
def test_a_last_event_id_that_is_no_number_is_refused(unchanged: Feed, path: str, given: str) -> None:
    by_query = get(unchanged, f"{path}{'&' if '?' in path else '?'}last_event_id={given}")
    answers = [by_query]
    if given.isascii():
        answers.append(get(unchanged, path, **{"Last-Event-ID": given}))
    for answer in answers:
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert given in answer.json()["detail"]
    assert unchanged.hub.subscribers == 0


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/insights?jobs=a", "'jobs'"),
        ("/v1/insights?page=job", "'page'"),
        ("/v1/jobs/a/insights?job=a", "'job'"),
        ("/live?page=job&colour=red", "'colour'"),
        ("/v1/insights?types=status,weather", "'weather'"),
        ("/v1/insights?types=,", "type ''"),
        ("/v1/insights?max_rate=0", "'0'"),
        ("/v1/insights?max_rate=-2", "'-2'"),
        ("/v1/insights?max_rate=nan", "'nan'"),
        ("/v1/insights?max_rate=inf", "'inf'"),
        ("/v1/insights?max_rate=often", "'often'"),
        ("/live", "page ''"),
        ("/live?page=nowhere", "'nowhere'"),
        ("/live?page=html:job", "'html:job'"),
    ],
)
def test_an_unknown_filter_is_refused_by_name(unchanged: Feed, path: str, named: str) -> None:
    answer = get(unchanged, path)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
    assert named in answer.json()["detail"]
    assert unchanged.hub.subscribers == 0


@pytest.mark.parametrize("path", ["/v1/insights?job=a,zz", "/v1/jobs/zz/insights", "/live?page=job&job=zz"])
def test_an_unknown_job_is_not_found(unchanged: Feed, path: str) -> None:
    answer = get(unchanged, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "'zz'" in answer.json()["detail"]


def test_an_ended_job_is_told_once_and_then_answers_204(served: Feed) -> None:
    served.move("a", FAILED)
    served.add("b")
    for path in ("/v1/jobs/a/insights", "/v1/insights?job=a"):
        with follow(served.url + path) as stream:
            assert brief(list(stream)) == ["#4 hello", "~status", "~status", "~status", "close"]
        for last in ("3", "4"):
            answer = get(served, path, **{"Last-Event-ID": last})
            assert (answer.status_code, answer.content) == (204, b"")
        with follow(served.url + path, last_event_id=2) as stream:
            assert brief(list(stream)) == ["#4 hello", "#3 status", "close"]
        with follow(served.url + path, last_event_id=99) as stream:
            assert brief(list(stream)) == ["#4 hello", "gap", "~status", "~status", "~status", "close"]


def test_a_retried_job_is_followed_again(served: Feed) -> None:
    served.move("a", FAILED)
    assert get(served, "/v1/jobs/a/insights?last_event_id=3").status_code == 204
    served.move("a", QUEUED)
    with follow(f"{served.url}/v1/jobs/a/insights?last_event_id=3") as stream:
        assert brief(stream.until(is_("status"))) == ["#4 hello", "#4 status"]
        served.move("a", RUNNING, FAILED)
        assert brief(list(stream)) == ["#5 status", "#6 status", "close"]


def test_a_page_gets_html_without_names_and_a_named_close(served: Feed) -> None:
    served.publish(progress("a", 3))
    with follow(f"{served.url}/live?page=job&job=a") as stream:
        opening = stream.until(lambda event: event.data == "<i>3</i>")
        assert brief(opening) == ["#2 message", "message", "message", "message"]
        assert [event.data for event in opening] == [
            "", "<hx-partial>\n<b>queued</b>\n</hx-partial>", "<hx-partial>\n<b>running</b>\n</hx-partial>", "<i>3</i>",
        ]  # fmt: skip
        served.warn("a", 1)
        (warned,) = stream.until(lambda event: event.data == "<u>!</u>")
        assert (warned.type, warned.id) == ("message", 3)
        served.move("a", FAILED)
        ended, close = list(stream)
        assert (ended.type, ended.id) == ("message", 4)
        assert (close.type, close.id, close.data) == ("close", None, "failed")


def test_a_page_of_an_ended_job_is_told_to_stop_and_never_answered_204(served: Feed) -> None:
    served.move("a", FAILED)
    with follow(f"{served.url}/live?page=job&job=a", last_event_id=3) as stream:
        assert brief(list(stream)) == ["#3 message", "close"]
    with follow(f"{served.url}/live?page=job&job=a", last_event_id=2) as stream:
        assert brief(list(stream)) == ["#3 message", "#3 message", "close"]


def test_a_full_feed_refuses_and_takes_again_when_somebody_left(tmp_path: Path) -> None:
    with serve(tmp_path, max_subscribers=2) as served:
        with follow(f"{served.url}/v1/insights") as first, follow(f"{served.url}/v1/insights") as second:
            first.until(is_("hello"))
            second.until(is_("hello"))
            answer = get(served, "/v1/insights")
            assert answer.status_code == 503
            assert "2 subscribers" in answer.json()["detail"]
        served.wait_for_subscribers(0)
        with follow(f"{served.url}/v1/insights") as again:
            again.until(is_("hello"))


def test_whoever_leaves_is_no_subscriber_any_more(served: Feed) -> None:
    assert httpx.head(f"{served.url}/v1/insights", trust_env=False).status_code == 200
    served.wait_for_subscribers(0)
    streams = [follow(f"{served.url}/v1/insights") for _ in range(5)]
    opened = [stream.__enter__() for stream in streams]
    for stream in opened:
        stream.until(is_("hello"))
    assert served.hub.subscribers == 5
    assert served.hub.is_watched("a", "overlay")
    for stream in streams:
        stream.__exit__(None, None, None)
    served.wait_for_subscribers(0)
    assert not served.hub.is_watched("a", "overlay")


def test_a_quiet_feed_is_kept_open_by_comments(tmp_path: Path) -> None:
    with serve(tmp_path, heartbeat_s=0.1) as served:
        served.add("a")
        with follow(f"{served.url}/v1/jobs/a/insights?types=metrics") as stream:
            stream.until(is_("hello"))
            while len(stream.parser.comments) < 3:
                assert stream.wait_for_bytes() == []
        assert set(stream.parser.comments) == {"still here"}


def test_a_subscriber_that_stops_reading_is_let_go_and_costs_the_others_nothing(tmp_path: Path) -> None:
    with serve(tmp_path, patience_s=0.3) as served, socket.socket() as stalled:
        served.add("a")
        host, port = served.url.removeprefix("http://").split(":")
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect((host, int(port)))
        stalled.sendall(b"GET /v1/jobs/a/insights HTTP/1.1\r\nHost: sightline\r\n\r\n")
        served.wait_for_subscribers(1)
        with follow(f"{served.url}/v1/jobs/a/insights") as stream:
            stream.until(is_("hello"))
            written, seen = 0, []
            until = time.monotonic() + 30
            while served.hub.subscribers > 1 and time.monotonic() < until:
                written += 1
                with served.store.begin() as tx:
                    facts.append(tx, fact_of("a", written, "x" * 100_000))
                served.tail.ring()
                seen += [event.json["count"] for event in stream.until(is_("warning")) if event.type == "warning"]
            assert served.hub.subscribers == 1, "the stalled subscriber is still there"
            assert seen == list(range(1, written + 1))
            served.move("a", RUNNING, FAILED)
            assert brief(list(stream))[-1] == "close"
        served.wait_for_subscribers(0)


def test_a_subscriber_that_reads_little_at_a_time_is_not_taken_for_one_that_stopped(served: Feed) -> None:
    with socket.socket() as slow:
        host, port = served.url.removeprefix("http://").split(":")
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        slow.sendall(b"GET /v1/jobs/a/insights HTTP/1.1\r\nHost: sightline\r\n\r\n")
        served.wait_for_subscribers(1)
        (reader,) = served.hub.subscriptions()

        def is_stuck() -> bool:
            if not reader.busy:
                with served.store.begin() as tx:
                    facts.append(tx, fact_of("a", 1, "x" * 300_000))
                served.tail.ring()
            return reader.lag_ms > 1000

        wait_until(is_stuck, "a write that the client does not take")
        longest = reader.lag_ms
        wait_until(lambda: slow.recv(2000) and reader.lag_ms < longest, "the server to see that it reads", 30)
        assert reader.busy, "it read so much that this shows nothing"


def test_another_client_reads_the_same(served: Feed) -> None:
    served.warn("a", 1)
    served.move("a", FAILED)
    with (
        httpx.Client(trust_env=False) as client,
        httpx_sse.connect_sse(client, "GET", f"{served.url}/v1/jobs/a/insights") as source,
    ):
        events = [(event.event, event.json().get("message")) for event in source.iter_sse()]
    assert events == [
        ("hello", None), ("status", None), ("status", None), ("warning", "no\nway"), ("status", None), ("close", None),
    ]  # fmt: skip


def test_many_subscribers_all_get_every_fact_in_order(served: Feed) -> None:
    told: dict[int, list[Event]] = {}

    def read(reader: int, stream: Stream) -> None:
        told[reader] = list(stream)

    streams = [follow(f"{served.url}/v1/jobs/a/insights") for _ in range(20)]
    threads = [threading.Thread(target=read, args=(n, stream.__enter__())) for n, stream in enumerate(streams)]
    for thread in threads:
        thread.start()
    for count in range(1, 41):
        served.warn("a", count)
        served.publish(progress("a", count))
    served.move("a", FAILED)
    for thread, stream in zip(threads, streams, strict=True):
        thread.join(20)
        stream.__exit__(None, None, None)
    assert len(told) == 20
    for events in told.values():
        warned = [event.json["count"] for event in events if event.type == "warning"]
        assert warned == list(range(1, 41))
        assert [event.json["frames_done"] for event in events if event.type == "progress"][-1] == 40
        assert events[-1].type == "close"


def test_a_server_that_stops_tells_everybody_so(server: Server) -> None:
    with follow(f"{server.url}/v1/insights") as stream, follow(f"{server.url}/live?page=home") as page:
        stream.until(is_("hello"))
        page.until(lambda event: event.id is not None)
        asked = threading.Thread(target=server.stop)
        asked.start()
        last, shown = list(stream)[-1], list(page)[-1]
        assert (last.type, last.id, last.json["reason"]) == ("close", None, "shutdown")
        assert (shown.type, shown.data) == ("close", "shutdown")
        asked.join()
    assert "without completing response" not in server.printed()
    assert "Traceback" not in server.printed()
