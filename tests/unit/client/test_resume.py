"""Where a followed feed goes on after a cut: nothing lost, nothing told twice, and no hurry to come back."""

import itertools
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.errors import ServerRefused, ServerUnreachable, UnreadableAnswer
from app.client.resume import LONGEST_S, RETRY_S, Place
from app.domain.insight import FACT_TYPES, INSIGHT_EXAMPLES, Close, Gap, Hello, Insight, Progress, Warned

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CUT, URL = httpx.ReadError("cut"), httpx.URL("http://127.0.0.1:1")


def warned(number: int) -> Warned:
    """A fact, told apart by its count."""
    at = NOON + timedelta(seconds=number)
    return Warned(at=at, job_id="a", code="exception", stage=None, frame_index=None, message="", count=number)


def progress(snapshot: bool = False) -> Progress:
    """A latest value."""
    told = {"job_id": "a", "progress": 1, "frames_done": 1, "frames_total": 9, "elapsed_s": 1.0, "eta_s": None}
    return Progress(at=NOON, snapshot=snapshot, **told)


def message(insight: Insight, number: int | None = None, sticky: str = "") -> ServerSentEvent:
    """A message as a client reads it: without an id of its own it shows the one before (`sticky`)."""
    text = msgspec.json.encode(insight).decode()
    return ServerSentEvent(insight.type, text, sticky if number is None else str(number))


def connection(head: int, last_id: int | None, more: int) -> Iterator[ServerSentEvent]:
    """What a server that knows facts 1 to `head` says to a client that has `last_id`; `more` facts happen meanwhile."""
    yield message(Hello(at=NOON, head=head, oldest=1, resumed_from=last_id, gap=False), head)
    if last_id is None:
        yield from (message(msgspec.structs.replace(warned(n), snapshot=True), sticky=str(head)) for n in range(1, head + 1))
    else:
        yield from (message(warned(n), n) for n in range(last_id + 1, head + 1))
    yield message(progress(snapshot=True), sticky=str(head))
    for number in range(head + 1, head + more + 1):
        yield message(warned(number), number)
        yield message(progress(), sticky=str(number))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), min_size=1, max_size=12))
def test_cut_anywhere_every_fact_is_told_once_and_in_order(plan: list[tuple[int, int]]) -> None:
    place, head, told = Place(None, None), 2, list[int]()
    place.admit(httpx.Response(200))
    for more, read in [*plan, (1, 10_000)]:
        messages = list(connection(head, place.last_id, more))
        for event in messages[:read]:
            insight = place.take(event)
            if isinstance(insight, Warned):
                told.append(insight.count)
        head += more
        place.lost(CUT, URL)
    assert told == list(range(1, head + 1))
    assert place.last_id == head


def test_only_a_fact_carries_a_number_though_the_wire_repeats_the_last_one() -> None:
    place = Place(None, None)
    numbers = []
    for event in connection(3, None, 1):
        place.take(event)
        numbers.append(place.fact_id)
    assert numbers == [None, None, None, None, None, 4, None]


@pytest.mark.parametrize("kind", INSIGHT_EXAMPLES)
def test_ctrl_c_is_not_lost_wherever_in_a_message_it_comes(kind: str) -> None:
    """The exception of a signal comes up in some Python code that is called: here in each, one after the other."""
    event, before, calls = message(INSIGHT_EXAMPLES[kind], 1), sys.gettrace(), itertools.count()

    def interrupt(*_: object) -> None:
        if next(calls) == at:
            raise KeyboardInterrupt

    for at in itertools.count():
        calls = itertools.count()
        place = Place(None, None)
        sys.settrace(interrupt)
        try:
            place.take(event)
        except KeyboardInterrupt:
            continue
        finally:
            sys.settrace(before)
        assert next(calls) <= at, f"call {at} was interrupted, and nothing came of it"
        break


def test_a_feed_that_began_with_the_last_facts_goes_on_behind_them() -> None:
    place = Place(None, None)
    rewound = connection(9, 4, 0)
    place.take(next(rewound))
    assert place.last_id == 4
    place.take(next(rewound))
    assert (place.fact_id, place.last_id) == (5, 5)


def test_a_gap_is_told_and_what_follows_it_may_be_known_already() -> None:
    place = Place(None, None)
    for event in connection(2, None, 1):
        place.take(event)
    gap = Gap(at=NOON, from_=4, to=9, count=6, reason="slow")
    assert place.take(message(gap)) == gap
    again = msgspec.structs.replace(warned(1), snapshot=True)
    assert place.take(message(again)) == again
    assert place.last_id == 3  # cut now, the server tells of the missed facts again


def test_the_servers_own_retry_sets_the_pause_which_grows_and_is_never_cut_short() -> None:
    place = Place(None, None)
    place.take(next(connection(1, None, 0)))
    place.admit(httpx.Response(200))
    place.take(ServerSentEvent("progress", "", retry=200))
    pauses = [place.lost(CUT, URL) for _ in range(12)]
    for n, pause in enumerate(pauses):
        least = min(0.2 * 2**n, LONGEST_S)
        assert least <= pause <= 1.5 * least
    assert len(set(pauses)) == len(pauses)  # jitter: no two clients come back at the same moment
    place.take(next(connection(1, None, 0)))
    assert place.lost(CUT, URL) <= 0.3
    fresh = Place(5, None)
    fresh.admit(httpx.Response(200))
    assert RETRY_S <= fresh.lost(CUT, URL) <= 1.5 * RETRY_S


def test_a_busy_server_says_when_to_come_back_and_another_problem_is_raised() -> None:
    place = Place(None, None)
    assert not place.admit(httpx.Response(503, headers={"Retry-After": "7"}))
    assert 7 <= place.lost(CUT, URL) <= 10.5
    assert place.lost(CUT, URL) <= 3
    assert not place.admit(httpx.Response(502, text="<html>nginx</html>"))
    with pytest.raises(ServerRefused, match="no job") as refused:
        place.admit(httpx.Response(404, json={"detail": "There is no job 'a'.", "type": "/problems/unknown-job"}))
    assert (refused.value.status, refused.value.type) == (404, "/problems/unknown-job")
    with pytest.raises(ServerRefused, match="answered 418"):
        place.admit(httpx.Response(418, text="no JSON"))


def test_nobody_answering_at_first_is_an_error_and_later_only_when_the_patience_is_over() -> None:
    with pytest.raises(ServerUnreachable, match="cut"):
        Place(None, None).lost(CUT, URL)
    place = Place(None, 0.0)
    place.admit(httpx.Response(200))
    with pytest.raises(ServerUnreachable):
        place.lost(CUT, URL)


def test_the_end_of_a_job_ends_the_feed_and_the_end_of_a_server_does_not() -> None:
    place = Place(None, None)
    assert place.take(message(Close(at=NOON, reason="shutdown"))) is None
    assert (place.over, place.closed) == (False, None)
    place.take(message(Close(at=NOON, reason="completed_with_warnings")))
    assert (place.over, place.closed) == (True, "completed_with_warnings")
    ended = Place(4, None)
    assert not ended.admit(httpx.Response(204))
    assert (ended.over, ended.closed) == (True, None)


@pytest.mark.parametrize("kind", INSIGHT_EXAMPLES)
def test_every_insight_is_read_back_as_what_it_was(kind: str) -> None:
    example = INSIGHT_EXAMPLES[kind]
    assert Place(None, None).take(message(example, 5 if kind in FACT_TYPES else None)) == example


def test_a_type_of_a_newer_server_is_left_out_and_nonsense_is_an_error() -> None:
    place = Place(None, None)
    assert place.take(ServerSentEvent("weather", '{"sun": true}')) is None
    newer = msgspec.json.encode({**msgspec.to_builtins(progress()), "colour": "red"}).decode()
    assert place.take(ServerSentEvent("progress", newer)) == progress()
    with pytest.raises(UnreadableAnswer, match="frames_done"):
        place.take(ServerSentEvent("progress", '{"at": "2026-03-01T12:00:00Z", "job_id": "a", "progress": 1}'))
