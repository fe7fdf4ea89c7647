"""Stories of lists of jobs, and of what the live feed changes in them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from app.domain.job import Job, JobStatus
from app.web.assets import static_url
from app.web.contexts.job import JobRow, view_row
from app.web.contexts.words import STATUS_SIGNS
from app.web.stories import examples as example
from app.web.stories.story import Story


def row_of(job: Job) -> JobRow:
    """Give a job as a row, with a picture that is always there."""
    return replace(view_row(job, example.NOW), picture=static_url("img/poster.svg"))


def _row(status: JobStatus = JobStatus.RUNNING) -> JobRow:
    return row_of(example.example_job(status))


def _every_status() -> list[JobRow]:
    jobs = ((f"{number:016x}", example.example_job(status)) for number, status in enumerate(JobStatus, 1))
    return [row_of(replace(job, id=key, name=STATUS_SIGNS[job.status].word)) for key, job in jobs]


def _list(rows: Sequence[JobRow], *, comparing: bool = False) -> Mapping[str, Any]:
    return {"jobs": rows, "comparing": comparing, "empty": "No job yet. Start one."}


def _long_name() -> Mapping[str, Any]:
    return _list([row_of(replace(example.example_job(JobStatus.RUNNING), name=example.LONG_NAME))])


def _stories() -> Iterator[Story]:
    shows = ("Crossing, camera 2", "Running", "334 of 795 frames")
    yield Story("job_list", "Jobs", "Rows of a list.", lambda: _list([_row()]), shows)
    words = tuple(sign.word for sign in STATUS_SIGNS.values())
    yield Story("job_list", "Jobs of every status", "A row for each.", lambda: _list(_every_status()), words)
    yield Story("job_list", "A very long name", "It wraps, the rest stays.", _long_name, (example.LONG_NAME,))
    choose = partial(_list, [_row()], comparing=True)
    yield Story("job_list", "Jobs to choose from", "Two may be ticked.", choose, shows)
    yield Story("job_list", "No jobs", "The empty state says what to do.", lambda: _list([]), ("No job yet. Start one.",))
    status, progress = {"status": _row().status, "key": "one"}, {"progress": _row().progress, "key": "one"}
    yield Story("job_list_status", "Status in a list", "", lambda: status, ("Running",))
    yield Story("job_list_progress", "Progress in a list", "", lambda: progress, ("334 of 795 frames",))
    yield Story("job_list_refresh", "Asks for the list again", "Nothing to see.", dict)
    yield Story("job_list_idle", "The place of the one before", "Nothing to see.", dict)


LIST_STORIES: Final = tuple(_stories())
