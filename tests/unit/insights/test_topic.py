"""A topic at given times: what a rate holds back, what it lets out, and never an older value after a newer one."""

from app.domain.insight import Insight
from app.insights.filter import Filter
from app.insights.stage_plugins import StagePlugins
from app.insights.topic import Position, Topic
from app.insights.wire import JSON, Channel, Message, encode_json
from tests.sse import Parser
from tests.unit.insights.reader import of, progress, usage

CHANNEL = Channel(JSON, encode_json, named=True)


def topic_of(wanted: Filter, *known: Insight) -> Topic:
    """Build a topic at time 0."""
    topic = Topic(wanted, CHANNEL, StagePlugins(None), head=0)
    topic.remember([Message(insight) for insight in known], 0.0)
    return topic


def told(topic: Topic, position: Position) -> list[int]:
    """Give the frames done that came after a position."""
    return [event.json["frames_done"] for event in Parser().feed(topic.since(position).data)]


def test_a_value_over_the_rate_waits_until_it_is_due() -> None:
    topic = topic_of(of("a", max_rate=2.0))
    begin = topic.position()
    topic.add_latest(Message(progress("a", 1)), 10.0)
    topic.add_latest(Message(progress("a", 2)), 10.2)
    topic.add_latest(Message(progress("a", 3)), 10.4)
    assert told(topic, begin) == [1]
    first = topic.position()
    assert topic.release(10.45) == 10.5
    assert told(topic, first) == []
    assert topic.release(10.5) is None
    assert told(topic, first) == [3]


def test_a_value_that_was_held_back_never_follows_a_newer_one() -> None:
    topic = topic_of(of("a", max_rate=1.0))
    topic.add_latest(Message(progress("a", 1)), 0.0)
    topic.add_latest(Message(progress("a", 2)), 0.5)
    topic.add_latest(Message(progress("a", 3)), 1.5)  # the tick that was to let out 2 comes late
    position = topic.position()
    assert topic.release(9.0) is None
    assert told(topic, position) == []
    assert [message.insight for message in topic.latest()] == [progress("a", 3)]


def test_what_was_in_the_snapshot_counts_for_the_rate() -> None:
    topic = topic_of(of("a", max_rate=1.0), progress("a", 1), progress("b", 1))
    position = topic.position()
    topic.add_latest(Message(progress("a", 2)), 0.9)
    assert told(topic, position) == []
    assert topic.release(1.0) is None
    assert told(topic, position) == [2]


def test_a_filter_wants_insights_of_no_job_whatever_the_jobs() -> None:
    topic = topic_of(of("a", types="usage,progress"), usage(1.0), progress("b", 1))
    assert [message.insight.type for message in topic.latest()] == ["usage"]
    assert topic.wants("usage", None)
    assert topic.wants("progress", "a")
    assert not topic.wants("progress", "b")
    assert not topic.wants("overlay", "a")
    assert of("a").one_job == "a"
    assert of("a", "b").one_job is None
    assert of().one_job is None
