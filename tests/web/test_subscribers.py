"""What operators see of the feed: each subscriber with its filter, lag and cost, and the sums for Prometheus."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from app.domain.job import JobStatus
from app.insights.filter import Filter
from app.insights.hub import Hub
from app.insights.log import MemoryFactLog
from app.insights.reduction import Reduction
from app.web.api_system import list_subscribers
from app.web.metrics import FeedCounts
from app.web.schemas_feed import FilterDocument
from tests.unit.insights.reader import Reader, of, progress, status, usage, warning

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """One event loop will do here."""
    return "asyncio"


@pytest.fixture
def log() -> MemoryFactLog:
    """A log in which job `a` runs."""
    log = MemoryFactLog()
    log.append(status("a", JobStatus.RUNNING))
    return log


@pytest.fixture
def hub(log: MemoryFactLog) -> Hub:
    """A hub over the log."""
    return Hub(log, window_s=0.0)


@pytest.fixture
async def ask(hub: Hub) -> AsyncIterator[Any]:
    """Ask who subscribes, over HTTP."""
    app = Starlette(routes=[Route("/v1/insights/subscribers", list_subscribers)])
    app.state.parts = SimpleNamespace(hub=hub)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:

        async def items() -> list[dict[str, Any]]:
            answer = (await client.get("/v1/insights/subscribers")).raise_for_status().json()
            assert answer["next_cursor"] is None
            return list(answer["items"])

        yield items


async def test_every_subscriber_is_listed_with_what_it_asked_for(hub: Hub, ask: Any) -> None:
    assert await ask() == []
    reduction = Reduction(frozenset({"hog"}), frozenset({"person", "car"}), 0.5)
    wanted = Filter("json", frozenset({"b", "a"}), frozenset({"overlay"}), 2.0, reduction)
    async with Reader(hub, Filter()) as everything, Reader(hub, wanted) as some:
        await everything.until("status")
        await some.until("hello")
        one, other = sorted(await ask(), key=lambda item: item["filter"]["jobs"] is not None)
        nothing = dict.fromkeys(("jobs", "types", "plugins", "labels", "max_rate"))
        assert one["filter"] == {**nothing, "channel": "json", "min_confidence": 0.0}
        assert other["filter"] == {
            "channel": "json", "jobs": ["a", "b"], "types": ["overlay"], "plugins": ["hog"], "labels": ["car", "person"],
            "min_confidence": 0.5, "max_rate": 2.0,
        }  # fmt: skip
        assert one["age_s"] >= other["age_s"] >= 0
        assert one["bytes_sent"] == sum(map(len, everything.chunks))
    assert await ask() == []


def test_every_part_of_a_filter_is_shown() -> None:
    parts = {field.name for kind in (Filter, Reduction) for field in dataclasses.fields(kind)}
    assert set(FilterDocument.model_fields) == parts - {"reduction"}


async def test_a_subscriber_that_takes_nothing_is_seen_lagging_and_its_losses_are_counted(
    hub: Hub, log: MemoryFactLog, ask: Any
) -> None:
    async with Reader(hub, of("a")) as stuck, Reader(hub, of("a")) as quick:
        for reader in (stuck, quick):
            await reader.until("status")
        stuck.stall()
        hub.publish(progress("a", 1))
        await quick.until("progress")
        for count in range(2, 7):
            log.append(warning("a", count))
            hub.publish(progress("a", count))
            await hub.catch_up()
            await quick.until("progress", "warning")
        await asyncio.sleep(0.01)
        slow, well = await ask()
        assert (slow["busy"], slow["lag_facts"], well["busy"], well["lag_facts"], well["lag_ms"]) == (True, 5, False, 0, 0)
        assert slow["lag_ms"] > 0
        assert (well["delivered"], well["conflated"], well["dropped"], well["last_fact"]) == (11, 0, 0, 6)
        stuck.go_on()
        await stuck.until("progress", "warning")
        assert {(item["lag_facts"], item["dropped"]) for item in await ask()} == {(0, 0)}
        assert sorted(item["conflated"] for item in await ask()) == [0, 4]  # of five values it had the newest alone
    counts = FeedCounts.of(hub)
    assert (counts.subscribers, counts.published) == (0, 11)
    assert (counts.totals.delivered, counts.totals.conflated, counts.totals.dropped) == (18, 4, 0)
    hub.publish(usage(3.0))
    assert FeedCounts.of(hub).published == 12
