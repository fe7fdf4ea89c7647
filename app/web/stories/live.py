"""Live stories: parts of a page as they are served, moved on by a recorded job through the pages' own htmx code."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup

from app.domain.geometry import Size
from app.domain.job import Job, JobStatus
from app.domain.pipeline import Pipeline, Stage
from app.web.assets import static_url
from app.web.contexts.job import view_actions, view_row, view_status
from app.web.contexts.machine import view_usage
from app.web.contexts.overlay import view_overlay
from app.web.contexts.progress import progress_of_job
from app.web.contexts.stage import unknown_health, view_decision, view_panel
from app.web.contexts.words import slug
from app.web.render import fragment
from app.web.stories import examples as example
from app.web.stories.recording import Message, Told, messages, recorded, snapshot
from app.web.stories.story import Story
from app.web.templating import ENVIRONMENT

RECORDED_STAGES: Final = ("shapes_dnn", "motion_mog2", "tired", "faulty")
RECORDED_FRAMES: Final = 150


@dataclass(frozen=True)
class LiveStory(Story):
    """A story that goes on: `page` is the kind of page whose messages it gets, `told` are the insights they are made of.

    `shows` are the words at its end.
    """

    page: str = "job"
    told: Callable[[], Sequence[Told]] = tuple

    @property
    def feed(self) -> str:
        """Address of its feed."""
        return f"/stories/{self.id}/feed"

    @property
    def source(self) -> str:
        """Name of the template that holds its connection."""
        return "components/stream.html"

    def render(self) -> Markup:
        """Give its parts as they are served, with the connection that moves them."""
        stream: Any = ENVIRONMENT.get_template(self.source).module
        return Markup().join([stream.connection(True), *self.make()["parts"], stream.feed_of(self.feed)])

    def messages(self) -> Iterator[Message]:
        """Give what its feed says."""
        return messages(self.page, self.told())


def _job(status: JobStatus = JobStatus.QUEUED) -> Job:
    pipeline = Pipeline(tuple(Stage(name, name) for name in RECORDED_STAGES))
    job = example.example_job(status, done=0)
    return replace(job, name="Shapes", pipeline=pipeline, frames_total=RECORDED_FRAMES, device_requested="cuda")


def _job_parts() -> Iterator[Markup]:
    job, overlay = _job(), view_overlay(static_url("img/poster.svg"), Size(480, 270), 0, None, {})
    yield fragment("job_status", status=view_status(job, 1))
    yield fragment("job_actions", actions=view_actions(job.id, job.status))
    yield fragment("job_progress", progress=progress_of_job(job))
    yield fragment("job_metrics", numbers=())
    yield Markup('<div id="overlay-stream" class="overlay">{}</div>').format(fragment("job_overlay", overlay=overlay))
    yield fragment("job_warnings", warnings=[])
    decisions = [fragment("stage_decision", key=slug(s), decision=view_decision(s, None)) for s in RECORDED_STAGES]
    healths = [
        Markup('<li class="stage-line">{}{}</li>').format(
            fragment("stage_health", key=slug(s), health=unknown_health(s, s)),
            fragment("stage_latency", key=slug(s), latency=None),
        )
        for s in RECORDED_STAGES
    ]
    for lines in (decisions, healths):
        yield Markup('<ul class="lines card">{}</ul>').format(Markup().join(lines))
    yield fragment(
        "job_inspector", panels=[view_panel(s, job.pipeline.ids, None, None, None, live=True) for s in job.pipeline.stages]
    )
    yield fragment("device_usage", usage=view_usage(()))
    yield fragment("job_facts", facts=())


def _list_parts() -> Iterator[Markup]:
    row = replace(view_row(_job(), example.NOW), picture=static_url("img/poster.svg"))
    yield fragment("job_list", jobs=[row], comparing=False, empty="")


def _usage_parts() -> Iterator[Markup]:
    yield fragment("device_usage", usage=view_usage(()))


def _whole() -> Sequence[Told]:
    return recorded("job")


def _after_a_gap() -> Sequence[Told]:
    """Lose the second half on the way: a snapshot follows, as the feed gives it after a gap."""
    whole = recorded("job")
    half = len(whole) // 2
    last = whole[half].after_ms
    return [*whole[:half], *(Told(last + 300, insight) for _, insight in snapshot(whole))]


_ENDED: Final = ("Ended: nothing changes any more",)
_END: Final = ("Completed with warnings", "Fell back to CPU", "exception", "Degraded")
LIVE_STORIES: Final[tuple[LiveStory, ...]] = (
    LiveStory(
        "live", "A job from start to end", "Recorded from a real job.",
        lambda: {"parts": _job_parts()}, (*_ENDED, *_END), "job", _whole,
    ),
    LiveStory(
        "live", "A job after a gap", "Facts were lost on the way; a snapshot makes it right.",
        lambda: {"parts": _job_parts()}, (*_ENDED, *_END), "job", _after_a_gap,
    ),
    LiveStory(
        "live", "A list of jobs", "Its rows move.",
        lambda: {"parts": _list_parts()}, (*_ENDED, "Completed with warnings", "150 of 150 frames"), "jobs", _whole,
    ),
    LiveStory(
        "live", "The load of a machine", "While the job runs.",
        lambda: {"parts": _usage_parts()}, (*_ENDED, "CPU, all cores", "Worker 1"), "devices", _whole,
    ),
)  # fmt: skip
