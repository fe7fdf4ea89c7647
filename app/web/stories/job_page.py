"""Stories of the parts of a job's page: the map of its segments, its numbers, latencies, log and player."""

from collections.abc import Iterator, Mapping
from functools import partial
from math import cos, sin
from typing import Any, Final

import msgspec

from app.domain.insight import INSIGHT_EXAMPLES, Metrics
from app.domain.job import JobStatus, RowsPlace, SegmentState
from app.domain.load import LatencyMs
from app.store.spans import Span
from app.web.contexts.fact_log import view_facts
from app.web.contexts.latency import view_latency
from app.web.contexts.numbers import metric_numbers, numbers_of_job
from app.web.contexts.playback import view_playback
from app.web.contexts.segment_map import view_segments
from app.web.moments import Moment, MomentKind
from app.web.stories import examples as example
from app.web.stories.story import Story

_DONE: Final = SegmentState.COMMITTED


def _stories() -> Iterator[Story]:
    yield from _maps()
    yield from _players()
    yield from _numbers()
    for name, budget, shows in (
        ("within the budget", 250.0, "34 % of the budget"),
        ("over the budget", 60.0, "141 % of the budget"),
        ("no budget", None, "p95 84.5 ms"),
    ):
        context = {"latency": view_latency("people_hog", 68.2, 84.5, budget), "key": name.replace(" ", "-")}
        yield Story("stage_latency", f"Latency: {name}", "On one scale.", partial(dict, context), (shows,))
    nothing = {"latency": None, "key": "none"}
    yield Story("stage_latency", "Latency: nothing yet", "The empty state.", partial(dict, nothing), ("No frame timed yet",))
    facts = view_facts([INSIGHT_EXAMPLES[name] for name in ("warning", "health", "device", "status")])
    words = ("exception in people_hog (10 times so far)", "Frame 120")
    yield Story("job_fact", "A fact", "With the frame it is about.", lambda: {"fact": facts[0]}, words)
    yield Story("job_facts", "Fact log", "Newest first.", lambda: {"facts": facts}, (*words, "The job is running"))
    yield Story("job_facts", "Fact log, empty", "Nothing happened yet.", lambda: {"facts": ()}, ("What happened",))


def _numbers() -> Iterator[Story]:
    trend = example_trend()
    done = example.example_job(JobStatus.COMPLETED)
    for name, told, shows in (
        ("live", metric_numbers(trend[-1], trend), "2 workers"),
        ("ended", numbers_of_job(done, example_spans(*[_DONE] * 14), ()), "14 of 14"),
    ):
        context = {"numbers": told}
        yield Story("job_metrics", f"Numbers: {name}", "With how they have gone.", partial(dict, context), (shows,))


def example_spans(*states: SegmentState) -> list[Span]:
    """Give segments of 60 frames that stand so."""
    return [
        Span(60 * at, 60 * at + 60, state, state is not SegmentState.PENDING,
             *((RowsPlace(f"{at}.ndjson"), 60, 2100.0 + 40 * (at % 5)) if state is _DONE else (None, None, None)))
        for at, state in enumerate(states)
    ]  # fmt: skip


def _players() -> Iterator[Story]:
    ended, running = example.example_job(JobStatus.COMPLETED), example.example_job(JobStatus.RUNNING)
    moments = [
        *(Moment(at, MomentKind.FAILURE, "people_hog", "ValueError: no contour") for at in (120, 121, 122, 330)),
        *(Moment(at, MomentKind.CROSSING, "line_counter", f"person middle in #{at % 7}") for at in range(40, 780, 61)),
    ]
    for name, job, shown, found, live, shows in (
        ("ended", ended, 334, moments, False, ("4 soft failures", "13 crossings", "1 warning")),
        ("at the beginning, no moments", ended, 0, [], False, ("Play",)),
        ("looking back at a running job", running, 120, moments, False, ("Back to live",)),
        ("live", running, 334, moments, True, ("Look back at what is done",)),
    ):
        player = view_playback(job, shown, found, example.example_warnings() if found else [], live=live)
        context = {"playback": player}
        yield Story("job_playback", f"Playback: {name}", "Moments on a timeline.", partial(dict, context), shows)


def example_trend() -> tuple[Metrics, ...]:
    """Give a minute of metrics that rise and fall."""
    factors = [1 + 0.35 * sin(at / 5) + 0.1 * cos(at * 1.7) for at in range(60)]
    latency = example.METRICS.latency_ms
    return tuple(
        msgspec.structs.replace(
            example.METRICS, fps=round(26.9 * factor, 1), latency_ms=LatencyMs(latency.p50 / factor, latency.p95 / factor)
        )
        for factor in factors
    )


def _maps() -> Iterator[Story]:
    leased, pending, awaiting = SegmentState.LEASED, SegmentState.PENDING, SegmentState.AWAITING
    half = example_spans(*[_DONE] * 6, leased, leased, *[pending] * 5)
    followed = example_spans(_DONE, _DONE, awaiting, awaiting, leased, pending)
    many = example_spans(*[_DONE] * 700, leased, leased, *[pending] * 298)
    for name, status, spans, failed, shows in (
        ("running", JobStatus.RUNNING, half, (), "6 done"),
        ("with failed frames", JobStatus.RUNNING, half, (70, 71, 200), "2 done with failed frames"),
        (
            "with followers",
            JobStatus.RUNNING,
            followed,
            (),
            "2 waiting for",
        ),
        ("failed", JobStatus.FAILED, example_spans(_DONE, _DONE, leased, pending, pending), (70,), "1 failed"),
        ("cancelled", JobStatus.CANCELLED, example_spans(_DONE, pending, pending), (), "2 not done"),
        ("completed", JobStatus.COMPLETED, example_spans(*[_DONE] * 14), (), "14 done"),
        ("a thousand segments", JobStatus.RUNNING, many, (70,), "1,000 segments"),
        ("none yet", JobStatus.QUEUED, [], (), "0 segments"),
    ):
        make = partial(_map, status, spans, failed)
        yield Story("job_segments", f"Segments: {name}", "To the scale of the frames.", make, (shows,))


def _map(status: JobStatus, spans: list[Span], failed: tuple[int, ...]) -> Mapping[str, Any]:
    return {"segments": view_segments(status, spans, failed), "url": "/stories"}


JOB_PAGE_STORIES: Final = tuple(_stories())
