"""Messages on the wire: every insight as one clean message, whatever its values hold."""

import json
from datetime import UTC, datetime
from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.insight import BY_TYPE, INSIGHT_EXAMPLES, Close, Hello, Warned
from app.domain.job import JobStatus
from app.insights.wire import JSON, Channel, Message, comment, encode_json, frame
from tests.sse import Parser
from tests.unit.insights.reader import progress, status, usage, warning

JSON_CHANNEL = Channel(JSON, encode_json, named=True)


@pytest.mark.parametrize("kind", BY_TYPE)
def test_every_insight_is_one_named_message_that_reads_back_the_same(kind: str) -> None:
    example = INSIGHT_EXAMPLES[kind]
    (event,) = Parser().feed(JSON_CHANNEL.message(example))
    assert (event.type, event.id) == (kind, None)
    assert msgspec.json.decode(event.data, type=type(example)) == example
    assert datetime.fromisoformat(event.json["at"]) == example.at


def test_a_fact_carries_its_number_and_its_snapshot_does_not() -> None:
    fact = Message(status("a", JobStatus.QUEUED), 41)
    (live,) = Parser().feed(fact.live(JSON_CHANNEL))
    (past,) = Parser().feed(fact.snapshot(JSON_CHANNEL))
    assert (live.id, live.snapshot) == (41, False)
    assert (past.id, past.snapshot) == (None, True)
    assert "snapshot" not in live.json
    assert past.json == live.json | {"snapshot": True}


@pytest.mark.parametrize("broken", [nan, inf, -inf])
def test_a_number_that_is_none_becomes_null_and_never_breaks_a_message(broken: float) -> None:
    first, second = Parser().feed(
        JSON_CHANNEL.message(progress("a", 5, elapsed_s=broken)) + JSON_CHANNEL.message(usage(broken))
    )
    assert first.json["elapsed_s"] is None
    assert first.json["frames_done"] == 5
    assert second.json["cpu_percent"] is None


def test_gap_says_from_and_to() -> None:
    (event,) = Parser().feed(JSON_CHANNEL.message(INSIGHT_EXAMPLES["gap"]))
    assert {"from", "to", "count", "reason"} <= event.json.keys()


@given(st.text(), st.text())
def test_words_of_a_plugin_cannot_break_out_of_their_message(message: str, reason: str) -> None:
    told = Warned(at=datetime.now(UTC), job_id="a", code="exception", stage=None, frame_index=None, message=message, count=1)
    warned, closed = Parser().feed(JSON_CHANNEL.message(told, 7) + JSON_CHANNEL.message(Close(at=told.at, reason=reason)))
    assert (warned.id, warned.json["message"]) == (7, message)
    assert closed.json["reason"] == reason


@given(st.lists(st.sampled_from(["<b>", "", " ", "data: x", "id: 9", ":"])), st.sampled_from(["\n", "\r\n", "\r"]))
def test_each_line_of_a_payload_is_a_data_line(lines: list[str], line_end: str) -> None:
    (event,) = Parser().feed(frame(line_end.join(lines).encode(), fact_id=3))
    assert event.data == "\n".join(lines)
    assert (event.type, event.id) == ("message", 3)


def test_a_comment_is_no_message_even_of_several_lines() -> None:
    parser = Parser()
    assert parser.feed(comment("the server\r\n\nstops")) == []
    assert parser.comments == ["the server  stops"]


def test_an_insight_is_encoded_once_for_each_channel() -> None:
    asked = []

    def encode(insight: object, number: int | None) -> bytes:
        asked.append((insight, number))
        return b"<p>"

    page, other = Channel("html:job", encode, named=False), Channel("html:jobs", encode, named=False)
    message = Message(warning("a"), 3)
    assert [message.live(page), message.live(page), message.live(other)] == [b"id: 3\ndata: <p>\n\n"] * 3
    assert [message.snapshot(page), message.snapshot(page)] == [b"data: <p>\n\n"] * 2
    assert len(asked) == 3


def test_a_page_is_told_hello_and_close_even_where_it_shows_nothing_of_them() -> None:
    page = Channel("html:job", lambda _insight, _number: None, named=False)
    hello, close = INSIGHT_EXAMPLES["hello"], INSIGHT_EXAMPLES["close"]
    assert isinstance(hello, Hello)
    assert page.message(hello, hello.head) == b"id: 1041\ndata: \n\n"
    assert page.message(close) == b"event: close\ndata: completed\n\n"
    assert page.message(INSIGHT_EXAMPLES["gap"]) == b""
    assert Message(warning("a"), 3).live(page) == b""


def test_json_has_one_line() -> None:
    for example in INSIGHT_EXAMPLES.values():
        assert b"\n" not in encode_json(example, None)
        assert json.loads(encode_json(example, None))
