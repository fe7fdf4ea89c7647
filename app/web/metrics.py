"""GET /metrics: what the server has done and holds, for Prometheus; counted when it is asked for."""

from collections.abc import Iterable, Iterator

from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from app.store.totals import totals
from app.web.parts import Parts, parts_of


class HistoryCollector(Collector):
    """Reads the numbers of one server at the moment of asking: nothing is counted twice, nothing lost on restart.

    They are gauges, for a deleted job takes its numbers with it.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Give every metric, each label value present also at zero."""
        with self._parts.store.read() as tx:
            now = totals(tx)
        yield _by("sightline_jobs", "Jobs in the history, by status.", "status", now.jobs.items())
        yield _by("sightline_segments", "Segments of those jobs, by state.", "state", now.segments.items())
        yield GaugeMetricFamily("sightline_frames_done", "Frames handled (done, skipped or undecodable).", now.frames)
        yield GaugeMetricFamily("sightline_soft_failures", "Frames a stage could not do.", now.soft_failures)
        yield GaugeMetricFamily("sightline_warnings", "Times something was worth a warning.", now.warnings)
        yield _by("sightline_fallbacks", "Decisions that a stage does not run where asked.", "code", now.fallbacks.items())
        workers = [worker.state for worker in self._parts.workers()]
        states = {state: workers.count(state) for state in sorted({"busy", "idle", *workers})}
        yield _by("sightline_workers", "Worker processes, by what they are doing.", "state", states.items())
        yield GaugeMetricFamily("sightline_subscribers", "Subscribers of the feed.", self._parts.hub.subscribers)


def _by(name: str, help_text: str, label: str, counts: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=(label,))
    for value, count in counts:
        family.add_metric((str(value),), count)
    return family


async def show_metrics(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(HistoryCollector(parts_of(request)))
    body = await run_sync(generate_latest, registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})
