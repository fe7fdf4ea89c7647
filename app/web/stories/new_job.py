"""Stories of the form for a new job: what to look at, what looks at it, where it runs, and where to begin."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from app.domain.errors import BadDevice, UnsupportedSource
from app.domain.job import JobStatus
from app.web.choices import Choices
from app.web.contexts.new_job import view_devices, view_source
from app.web.contexts.plugin import view_choices, view_pipelines
from app.web.stories import examples as example
from app.web.stories.story import Story


def _picking() -> Iterator[Story]:
    found = [plugin for plugin, _ in example.example_plugins()]
    shows = ("People (HOG)", "Motion (MOG2)", "in order")
    choices = view_choices(found, ("people_hog",))
    yield Story("plugin_picker", "Plugin picker", "One is picked.", lambda: {"choices": choices}, shows)
    wrong = ("people_hog", "min_confidence", "Expected a number from 0 to 1.")
    refused = view_choices(found, ("people_hog",), {"set.people_hog.min_confidence": "7"}, wrong)
    said = ("Expected a number from 0 to 1.", "Least confidence", "Its place in the order")
    yield Story("plugin_picker", "An option is wrong", "Told beside the field.", lambda: {"choices": refused}, said)
    nothing = ("No plugin can be used here.",)
    yield Story("plugin_picker", "Plugin picker, nothing found", "The empty state.", lambda: {"choices": ()}, nothing)
    saved = view_pipelines(example.SAVED_PIPELINES, "street")
    yield Story("pipeline_picker", "Saved pipelines", "One is taken.", lambda: {"pipelines": saved}, ("street", "motion"))
    yield Story("pipeline_picker", "No saved pipelines", "Nothing to see.", lambda: {"pipelines": ()})
    closed = ("Save these stages under a name",)
    yield Story("pipeline_save", "Save the stages", "", lambda: {"save_name": "", "save_problem": ""}, closed)
    wrong_name = {"save_name": "a b", "save_problem": "The name is wrong."}
    yield Story("pipeline_save", "Save the stages, refused", "Told beside it.", lambda: wrong_name, ("The name is wrong.",))


def _asking() -> Iterator[Story]:
    job = example.example_job(JobStatus.COMPLETED)
    refused = UnsupportedSource(name="rtsp://camera.local/street", reason="nobody answers there")
    named = Choices(url="rtsp://camera.local/street", like=job.id)
    for name, roots, chosen, like, error, words in (
        ("a file", (), Choices(), None, None, ("Drop videos or images here", "At most 4.1 GB")),
        ("like another job, refused", (Path("/srv/videos"),), named, job, refused, ("nobody answers there", "/srv/videos")),
    ):
        source = {"limit": "4.1 GB", "source": view_source(chosen, roots, like, error)}
        yield Story("source_picker", f"What to look at: {name}", "", partial(dict, source), words)
    device = {**view_devices(example.INVENTORY), "device": "auto", "strict": False}
    yield Story("device_selector", "Device selector", "", lambda: device, ("Device", "What really ran"))
    wrong = {**view_devices(example.INVENTORY, BadDevice(device="gpu")), "device": "cuda", "strict": True}
    yield Story("device_selector", "Device selector, refused", "Told beside it.", lambda: wrong, ("The device is 'gpu'",))
    sample = {"sample": ("shapes_dnn", "tracker")}
    yield Story("first_steps", "Where no job was ever made", "The first run.", lambda: sample, ("Start with that clip",))


NEW_JOB_STORIES: Final = (*_picking(), *_asking())
