"""Stories of a job's own parts: status, buttons, progress, numbers, overlay, inspector, warnings, breakdown."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from app.domain.geometry import Size
from app.domain.job import JobStatus, Wanted
from app.domain.output import EXAMPLES, Detections, Output
from app.web.assets import static_url
from app.web.contexts.breakdown import view_breakdown, view_stack, view_warning
from app.web.contexts.found import found_of
from app.web.contexts.job import view_actions, view_status
from app.web.contexts.numbers import NOT_YET, metric_numbers
from app.web.contexts.overlay import view_overlay
from app.web.contexts.progress import progress_of, progress_of_job
from app.web.contexts.stage import view_panel
from app.web.contexts.words import STATUS_SIGNS
from app.web.stories import examples as example
from app.web.stories.story import Story

_SHOWN_BUTTONS: Final = {
    JobStatus.QUEUED: ("Pause", "Cancel"),
    JobStatus.RUNNING: ("Pause", "Finish now", "Cancel"),
    JobStatus.PAUSED: ("Resume", "Cancel"),
    JobStatus.FINALIZING: ("Cancel",),
    JobStatus.FAILED: ("Run again", "Retry"),
    JobStatus.CANCELLED: ("Run again", "Retry"),
}


def _status(status: JobStatus) -> Mapping[str, Any]:
    error = "Every stage was disabled." if status is JobStatus.FAILED else None
    return {"status": view_status(example.example_job(status, error=error), 2 if status is JobStatus.QUEUED else None)}


def _coming(wanted: Wanted) -> Mapping[str, Any]:
    return {"status": view_status(replace(example.example_job(JobStatus.RUNNING), wanted=wanted))}


def _long_reason() -> Mapping[str, Any]:
    return {"status": view_status(example.example_job(JobStatus.FAILED, error=example.LONG_REASON))}


def _status_stories() -> Iterator[Story]:
    more = {
        JobStatus.QUEUED: ("Number 2 in the queue.",),
        JobStatus.FAILED: ("Every stage was disabled.", "then retry"),
        JobStatus.CANCELLED: ("What was done before is kept",),
    }
    for status in JobStatus:
        name = STATUS_SIGNS[status].word
        note = "Where a job stands: a word and an icon."
        yield Story("job_status", name, note, partial(_status, status), (name, *more.get(status, ())))
    for wanted, word in ((Wanted.CANCEL, "Cancelling"), (Wanted.PAUSE, "Pausing"), (Wanted.STOP, "Stopping")):
        yield Story("job_status", word, "What is being brought about.", partial(_coming, wanted), (f"{word}",))
    yield Story("job_status", "Failed, with a long reason", "It wraps.", _long_reason, ("no space left on the device",))
    for status in JobStatus:
        make = partial(_actions, status)
        shown = _SHOWN_BUTTONS.get(status, ("Run again",))
        title = f"Buttons of a job that is {STATUS_SIGNS[status].word.lower()}"
        yield Story("job_actions", title, "Those that do not apply are hidden.", make, shown)


def _actions(status: JobStatus) -> Mapping[str, Any]:
    return {"actions": view_actions("019b7d2f4a6e3c51", status)}


def _progress(status: JobStatus) -> Mapping[str, Any]:
    return {"progress": progress_of_job(example.example_job(status), example.NOW)}


def _told(**changes: Any) -> Mapping[str, Any]:
    return {"progress": progress_of(msgspec.structs.replace(example.PROGRESS, **changes))}


def _progress_stories() -> Iterator[Story]:
    yield Story("job_progress", "Running", "Live, with what is left.", _told, ("42 %", "334 of 795 frames", "about 17 s left"))
    unknown = partial(_told, progress=None, frames_total=None, eta_s=None)
    yield Story("job_progress", "Length unknown", "A bar that moves, and no per cent.", unknown, ("Length unknown",))
    hours = partial(_told, progress=3, frames_done=64_812, frames_total=2_160_000, elapsed_s=2881.0, eta_s=92_400.0)
    yield Story("job_progress", "A day of video", "Large numbers stay readable.", hours, ("64,812 of 2,160,000 frames",))
    for status in JobStatus:
        if status is not JobStatus.RUNNING:
            shows = "100 %" if status.succeeded else "0 of 795 frames" if status is JobStatus.QUEUED else "334 of 795 frames"
            word = STATUS_SIGNS[status].word
            yield Story("job_progress", word, "As it is stored.", partial(_progress, status), (shows,))
    numbers = {"numbers": metric_numbers(example.METRICS)}
    yield Story("job_metrics", "Live numbers", "Speed of the last moments.", lambda: numbers, ("26.9 fps", "2 workers"))
    waiting = {"numbers": NOT_YET}
    yield Story("job_metrics", "Not measured yet", "Dashes keep the places.", lambda: waiting, ("Speed", "Working"))
    yield Story("job_metrics", "Nothing runs", "It is left out.", lambda: {"numbers": ()})


def _overlay(outputs: Mapping[str, Output]) -> Mapping[str, Any]:
    told = f"told {example.OVERLAY.delay_ms:g} ms after decoding"
    picture, size = static_url("img/poster.svg"), Size(640, 360)
    return {"overlay": view_overlay(picture, size, 334, 33.4, outputs, delay=told, stages=example.STAGES)}


def _panels(*long: str) -> Mapping[str, Any]:
    rows = {row.stage: row for row in example.example_breakdown()}
    found = {"people_hog": found_of("people_hog", 334, EXAMPLES["detections"])}
    stages = [*example.PIPELINE.stages, *(msgspec.structs.replace(example.PIPELINE.stages[1], id=name) for name in long)]
    ids = [stage.id for stage in stages]
    return {"panels": [view_panel(s, ids, rows.get(s.id), found.get(s.id), 250.0) for s in stages]}


def _overlay_stories() -> Iterator[Story]:
    for kind, output in EXAMPLES.items():
        make = partial(_overlay, {"people_hog": output})
        yield Story("job_overlay", f"Overlay: {kind}", "Marks over a picture, by keyboard too.", make, ("Frame 334", "0:33.4"))
    none, many = {"people_hog": Detections(())}, {"people_hog": example.detections(1000)}
    yield Story("job_overlay", "Overlay: zero detections", "The picture alone.", partial(_overlay, none), ("Frame 334",))
    yield Story(
        "job_overlay", "Overlay: a thousand detections", "All of them are drawn.", partial(_overlay, many), ("person 97 %",)
    )
    named = {example.LONG_NAME: example.detections(1, example.LONG_NAME)}
    yield Story(
        "job_overlay", "Overlay: a very long label", "It starts at its box.", partial(_overlay, named), (example.LONG_NAME,)
    )
    shows = ("people_hog", "circle #4", "250 ms")
    yield Story("job_inspector", "Inspector", "The panel of each stage; one is open.", _panels, shows)
    long = partial(_panels, example.LONG_NAME)
    yield Story("job_inspector", "A stage with a very long name", "It wraps.", long, (example.LONG_NAME,))


def _warnings(count: int | None = None) -> Mapping[str, Any]:
    noted = example.example_warnings() if count is None else example.many_warnings(count)
    return {"warnings": [view_warning(warning) for warning in noted]}


def _breakdown() -> Mapping[str, Any]:
    rows = view_breakdown(example.example_breakdown(), example.STAGES)
    return {"rows": rows, "stack": view_stack(rows), "url": "/stories"}


def _trouble_stories() -> Iterator[Story]:
    one = {"warning": view_warning(example.example_warnings()[0])}
    shows = ("exception", "ValueError: no contour", "10 times")
    yield Story("job_warning", "A warning", "Counted, with its first traceback.", lambda: one, shows)
    yield Story("job_warnings", "Warnings", "All of a job.", _warnings, (*shows, "4 frames could not be decoded."))
    yield Story("job_warnings", "A dozen warnings", "The list goes on.", partial(_warnings, 12), ("stage_12",))
    yield Story("job_warnings", "No warnings", "The empty state.", partial(_warnings, 0), ("No warnings.",))
    yield Story("job_breakdown", "Breakdown", "Where the time went.", _breakdown, ("people_hog", "decode", "Degraded"))
    nothing = {"rows": (), "stack": (), "url": "/stories"}
    yield Story("job_breakdown", "Breakdown, nothing yet", "The empty state.", lambda: nothing, ("Nothing timed yet.",))


JOB_STORIES: Final = (*_status_stories(), *_progress_stories(), *_overlay_stories(), *_trouble_stories())
