"""Example jobs, plugins and measurements of the stories, built from the domain's canonical examples."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from app.domain.device import EXAMPLE_DECISION, AttemptOutcome, DeviceAttempt, DeviceDecision, Target
from app.domain.finding import Finding, Severity
from app.domain.geometry import Box
from app.domain.health import Health
from app.domain.insight import INSIGHT_EXAMPLES, Metrics, Overlay, Progress, Usage
from app.domain.job import Job, JobStatus, JobWarning, Pace, StageBreakdown, Wanted
from app.domain.media import DecodePlan, MediaInfo, SourceKind, SourcePlan, SourceRef
from app.domain.output import Detection, Detections
from app.domain.pipeline import Pipeline, SavedPipeline, Stage
from app.domain.plugin import Capability, FoundPlugin, OptionSpec, OptionType, PluginMetadata
from app.domain.timing import Histogram
from app.store.plugin_history import PluginHistory, PluginUse, VersionRecord
from app.store.plugins import PluginRecord

AT: Final = INSIGHT_EXAMPLES["status"].at
NOW: Final = AT + timedelta(minutes=3)  # when the stories are told: they say the same at any time
PROGRESS: Final = cast("Progress", INSIGHT_EXAMPLES["progress"])
METRICS: Final = cast("Metrics", INSIGHT_EXAMPLES["metrics"])
OVERLAY: Final = cast("Overlay", INSIGHT_EXAMPLES["overlay"])
USAGE: Final = cast("Usage", INSIGHT_EXAMPLES["usage"])
STAGES: Final = ("people_hog", "motion_mog2")
PIPELINE: Final = Pipeline((Stage("people_hog", "people_hog", {"min_confidence": 0.6}), Stage("motion_mog2", "motion_mog2")))
SLOW: Final = "34 of the last 334 frames took longer than the budget of 250 ms."
LONG_NAME: Final = "north-gate-camera-07-2026-01-02T03-04-05-recorded-again-after-the-thunderstorm-of-the-night-before-final-v2"
LONG_REASON: Final = (
    "The outputs of segment 12 could not be written to the disk: [Errno 28] no space left on the device. Free some of it, then "
    "retry the job; the 768 frames that were committed before are kept, and the next claim goes on behind them."
)
SAVED_PIPELINES: Final = (SavedPipeline("motion", PIPELINE, AT, AT), SavedPipeline("street", PIPELINE, AT, AT))
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
            Health.DEGRADED, SLOW, summary={"people": 1204, "most at once": 9},
        ),
        StageBreakdown(
            "motion_mog2", "motion_mog2", "1.0.0", None, 334, 0, histogram(*[5.4] * 334), 40.0, 0, summary={"boxes": 2210}
        ),
        StageBreakdown("decode", timing=histogram(*[1.1] * 334)),
        StageBreakdown("write", timing=histogram(*[0.02] * 334)),
    ]  # fmt: skip


HISTORY: Final = PluginHistory(
    (
        VersionRecord("1.1.0", 1, 795, 0, 12, 0, histogram(*[61.0] * 795)),
        VersionRecord("1.0.0", 2, 1590, 10, 160, 1, histogram(*[68.2] * 1600)),
    ),
    (
        PluginUse(
            "019b7d2f4a6e3c51", "Crossing, camera 2", "people_hog", "1.1.0", 795, 0, 12, histogram(*[61.0] * 795), False,
            Health.OK, AT,
        ),
        PluginUse(
            "019b7d2f4a6e3c50", "Square", "people_hog", "1.0.0", 795, 10, 80, histogram(*[68.2] * 800), True, None, AT
        ),
    ),
)  # fmt: skip


def example_warnings() -> list[JobWarning]:
    """Give a warning with a traceback and one of the whole job."""
    trace = 'Traceback (most recent call last):\n  File "plugin.py", line 41, in process_frame\nValueError: no contour'
    return [
        JobWarning("exception", "people_hog", "ValueError: no contour", 10, 120, 330, AT, AT, trace),
        JobWarning("frames_lost", None, "4 frames could not be decoded.", 1, 264, 267, AT, AT),
    ]


def many_warnings(count: int) -> list[JobWarning]:
    """Give a warning of each of many stages."""
    return [
        JobWarning("exception", f"stage_{n}", f"ValueError: frame {n * 7} has no contour", n, n, n * 9, AT, AT)
        for n in range(1, count + 1)
    ]


def detections(count: int, label: str = "person") -> Detections:
    """Give things found all over a frame, the same each time."""
    across = max(1, round((count * 16 / 9) ** 0.5))
    boxes = (Box(n % across / across, n // across / across * 16 / 9, 0.7 / across, 1.0 / across) for n in range(count))
    return Detections(tuple(Detection(label, round(0.97 - n % 50 / 100, 2), box) for n, box in enumerate(boxes)))


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
        3, 2385, 10, histogram(*[68.2] * 2000), Health.DEGRADED, SLOW,
        "019b7d2f4a6e3c51", AT,
    )  # fmt: skip
    cure = "Measure it: sightline plugins bench ID prints what a frame takes."
    error = Finding("budget", Severity.ERROR, "plugin.toml:10", "latency_budget_ms is -5, but should be greater than 0", cure)
    readme = Finding("readme-is-there", Severity.WARNING, "README.md", "it has no README.md", "Say what it finds.")
    return [
        (FoundPlugin("people_hog", "plugins", Path("plugins/people_hog"), people), record),
        (FoundPlugin("motion_mog2", "plugins", Path("plugins/motion_mog2"), motion, None, (readme,)), None),
        (FoundPlugin("blink_counter", "plugins", Path("plugins/blink_counter"), None, error.message, (error,)), None),
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
    "gpus": [], "cuda_devices": 0, "problem": None,
    "onnx_runtime": {
        "version": "1.32.0", "targets": [{"target": "cpu", "available": True, "code": None, "reason": "Ready."}],
    },
}  # fmt: skip
