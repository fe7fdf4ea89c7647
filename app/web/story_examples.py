"""Example jobs, plugins and measurements of the stories, built from the domain's canonical examples."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from app.domain.device import EXAMPLE_DECISION, AttemptOutcome, DeviceAttempt, DeviceDecision, Target
from app.domain.health import Health
from app.domain.insight import INSIGHT_EXAMPLES, Metrics, Overlay, Progress, Usage
from app.domain.job import Job, JobStatus, JobWarning, Pace, StageBreakdown, Wanted
from app.domain.media import DecodePlan, MediaInfo, SourceKind, SourcePlan, SourceRef
from app.domain.pipeline import Pipeline, Stage
from app.domain.plugin import Capability, FoundPlugin, OptionSpec, OptionType, PluginMetadata
from app.domain.timing import Histogram
from app.store.plugins import PluginRecord

AT: Final = INSIGHT_EXAMPLES["status"].at
PROGRESS: Final = cast("Progress", INSIGHT_EXAMPLES["progress"])
METRICS: Final = cast("Metrics", INSIGHT_EXAMPLES["metrics"])
OVERLAY: Final = cast("Overlay", INSIGHT_EXAMPLES["overlay"])
USAGE: Final = cast("Usage", INSIGHT_EXAMPLES["usage"])
STAGES: Final = ("people_hog", "motion_mog2")
PIPELINE: Final = Pipeline((Stage("people_hog", "people_hog", {"min_confidence": 0.6}), Stage("motion_mog2", "motion_mog2")))
ON_CPU: Final = DeviceDecision(
    requested="auto", used=Target.CPU, fallback=False, code=None, reason="The network ran on the CPU, the best target here.",
    attempts=(DeviceAttempt(Target.CPU, AttemptOutcome.USED, None, "Warmed up without trouble."),), warmup_ms=8.2,
)  # fmt: skip
NOTHING_RAN: Final = msgspec.structs.replace(
    EXAMPLE_DECISION, used=None, fallback=False, attempts=EXAMPLE_DECISION.attempts[:1],
    reason="The stage was asked to run on cuda and nothing else, and OpenCV here was built without CUDA.",
)  # fmt: skip


def example_job(status: JobStatus, done: int = 334, error: str | None = None) -> Job:
    """Give a job on the canonical clip."""
    media = MediaInfo(768, 576, 795, 79.5, 10.0, "avi", "mpeg4")
    running = status is not JobStatus.QUEUED
    return Job(
        id="019b7d2f4a6e3c51", name="Crossing, camera 2", tags=("street", "morning"), status=status, wanted=Wanted.RUN,
        priority=0, pace=Pace.MAX, loop=1, plan=SourcePlan(media, DecodePlan(), ()), pipeline=PIPELINE,
        source=SourceRef(SourceKind.VIDEO, "vtest.avi", None, size_bytes=8_131_690, upload=True), device_requested="auto",
        strict_device=False, frames_total=795, frames_done=795 if status.succeeded else done if running else 0,
        created_at=AT, started_at=AT if running else None,
        finished_at=AT + timedelta(seconds=31) if status.ended else None, error=error,
    )  # fmt: skip


def histogram(*milliseconds: float) -> Histogram:
    """Count durations given in milliseconds."""
    counted = Histogram()
    for value in milliseconds:
        counted.add(int(value * 1000))
    return counted


def example_breakdown() -> list[StageBreakdown]:
    """Give a breakdown with a healthy stage, a slow one, and the rows beside them."""
    return [
        StageBreakdown(
            "people_hog", "people_hog", "1.0.0", ON_CPU, 334, 10, histogram(*([68.2] * 300 + [312.4] * 34)), 250.0, 34,
            Health.DEGRADED, "p95 is 312.4 ms, over the budget of 250 ms.", summary={"people": 1204, "most at once": 9},
        ),
        StageBreakdown(
            "motion_mog2", "motion_mog2", "1.0.0", None, 334, 0, histogram(*[5.4] * 334), 40.0, 0, summary={"boxes": 2210}
        ),
        StageBreakdown("decode", timing=histogram(*[1.1] * 334)),
        StageBreakdown("write", timing=histogram(*[0.02] * 334)),
    ]  # fmt: skip


def example_warnings() -> list[JobWarning]:
    """Give a warning with a traceback and one of the whole job."""
    trace = 'Traceback (most recent call last):\n  File "plugin.py", line 41, in process_frame\nValueError: no contour'
    return [
        JobWarning("exception", "people_hog", "ValueError: no contour", 10, 120, 330, AT, AT, trace),
        JobWarning("frames_lost", None, "4 frames could not be decoded.", 1, 264, 267, AT, AT),
    ]


def example_plugins() -> list[tuple[FoundPlugin, PluginRecord | None]]:
    """Give a plugin that is used, one that is not, and a broken one."""
    options = (
        OptionSpec("min_confidence", OptionType.NUMBER, 0.6, "Least confidence", "Less sure ones are left out.", 0.0, 1.0),
        OptionSpec("upright", OptionType.BOOLEAN, True, "Only who stands", "Leave out who sits."),
        OptionSpec("labels", OptionType.STRINGS, (), "Labels", "Only these; all when empty."),
    )
    people = _metadata("people_hog", "People (HOG)", "Finds people who stand or walk, seen whole.", options=options)
    motion = _metadata("motion_mog2", "Motion (MOG2)", "Boxes what moves before a still background.", stateful=True)
    record = PluginRecord(
        3, 2385, 10, histogram(*[68.2] * 2000), Health.DEGRADED, "p95 is 312.4 ms, over the budget of 250 ms.",
        "019b7d2f4a6e3c51", AT,
    )  # fmt: skip
    reason = "plugin.toml: latency_budget_ms is -5, expected a number above 0."
    return [
        (FoundPlugin("people_hog", "plugins", Path("plugins/people_hog"), people), record),
        (FoundPlugin("motion_mog2", "plugins", Path("plugins/motion_mog2"), motion), None),
        (FoundPlugin("blink_counter", "plugins", Path("plugins/blink_counter"), None, reason, (reason,)), None),
    ]


def _metadata(plugin_id: str, name: str, description: str, **more: Any) -> PluginMetadata:
    return PluginMetadata(
        plugin_id, name, "1.0.0", description, "Sightline", "Apache-2.0", "plugin:Example", (Capability.DETECT,), "detections",
        250.0, **more,
    )  # fmt: skip


INVENTORY: Final[dict[str, Any]] = {
    "cpu": {"name": "AMD EPYC", "cores": 16, "usable": 2},
    "opencv": {
        "version": "5.0.0", "distributions": ["opencv-contrib-python-headless"], "cuda": None, "parallel": "pthreads",
        "cpu_features": "SSE SSE2 SSE3 *AVX *AVX2", "engines": ["auto", "classic", "new"],
    },
    "targets": [
        {"target": "cuda", "available": False, "code": "not_built", "reason": "OpenCV here was built without CUDA."},
        {"target": "cpu", "available": True, "code": None, "reason": "Ready."},
    ],
    "gpus": [], "problem": None,
}  # fmt: skip
