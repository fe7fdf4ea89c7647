"""GET /metrics: what the server has done and holds, for Prometheus; counted when it is asked for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from app.insights.audience import Totals
from app.insights.hub import Hub
from app.store.plugins import PluginRecord, records
from app.store.totals import totals
from app.web.parts import Parts, parts_of

_BOUNDS_US: Final = tuple(1 << power for power in range(7, 26))  # 128 µs to 34 s: at powers of two the counts are exact


@dataclass(frozen=True, slots=True)
class FeedCounts:
    """What the feed has done since the server started; taken on the event loop, for the hub belongs to it."""

    subscribers: int
    published: int
    totals: Totals

    @classmethod
    def of(cls, hub: Hub) -> Self:
        """Count now."""
        return cls(hub.subscribers, hub.published, hub.totals)


class HistoryCollector(Collector):
    """Reads the numbers of one server at the moment of asking: nothing is counted twice, nothing lost on restart.

    What comes from the history are gauges, for a deleted job takes its numbers with it; what the feed has done are
    counters, from the start of the server. A plugin's histogram is over the history too: a deletion is a reset of it.
    """

    def __init__(self, parts: Parts, feed: FeedCounts) -> None:
        self._parts = parts
        self._feed = feed

    def collect(self) -> Iterator[Metric]:
        """Give every metric, each label value present also at zero."""
        with self._parts.store.read() as tx:
            now, plugins = totals(tx), records(tx)
        yield _by("sightline_jobs", "Jobs in the history, by status.", "status", now.jobs.items())
        yield _by("sightline_segments", "Segments of those jobs, by state.", "state", now.segments.items())
        yield GaugeMetricFamily("sightline_frames_done", "Frames handled (done, skipped or undecodable).", now.frames)
        failures = [(plugin, record.soft_failures) for plugin, record in plugins.items()]
        yield _by("sightline_soft_failures", "Frames a plugin's stages could not do.", "plugin", failures)
        yield GaugeMetricFamily("sightline_warnings", "Times something was worth a warning.", now.warnings)
        yield _by("sightline_fallbacks", "Decisions that a stage does not run where asked.", "code", now.fallbacks.items())
        workers = [worker.state for worker in self._parts.workers()]
        states = {state: workers.count(state) for state in sorted({"busy", "idle", *workers})}
        yield _by("sightline_workers", "Worker processes, by what they are doing.", "state", states.items())
        yield _latency(plugins)
        yield from _of_feed(self._feed)


def _by(name: str, help_text: str, label: str, counts: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=(label,))
    for value, count in counts:
        family.add_metric((str(value),), count)
    return family


def _latency(plugins: dict[str, PluginRecord]) -> HistogramMetricFamily:
    family = HistogramMetricFamily("sightline_plugin_frame_seconds", "Time a plugin took for a frame.", labels=("plugin",))
    for plugin, record in plugins.items():
        timing = record.timing
        buckets = [(str(bound / 1e6), timing.count_below(bound)) for bound in _BOUNDS_US]
        family.add_metric((plugin,), [*buckets, ("+Inf", timing.count)], timing.total_us / 1e6)
    return family


def _of_feed(feed: FeedCounts) -> Iterator[Metric]:
    yield GaugeMetricFamily("sightline_subscribers", "Subscribers of the feed.", feed.subscribers)
    for name, help_text, count in (
        ("insights_published", "Insights taken in, whether or not anybody wanted them.", feed.published),
        ("insights_delivered", "Insights written to subscribers, without those of openings.", feed.totals.delivered),
        ("insights_conflated", "Latest values replaced by a newer one before a subscriber took them.", feed.totals.conflated),
        ("facts_dropped", "Facts that slow subscribers lost to gaps, of which they were told.", feed.totals.dropped),
        ("feed_bytes", "Bytes written to subscribers.", feed.totals.bytes_sent),
    ):
        yield CounterMetricFamily(f"sightline_{name}", help_text, count)


async def show_metrics(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    parts = parts_of(request)
    registry.register(HistoryCollector(parts, FeedCounts.of(parts.hub)))
    body = await run_sync(generate_latest, registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
