"""The pages, by noun: every one works with scripts switched off."""

from typing import Final

from starlette.routing import BaseRoute, Route

from app.web.pages import devices, history, home, job, plugins, stories

routes: Final[list[BaseRoute]] = [
    Route("/", home.show_home, methods=["GET"]),
    Route("/jobs", history.show_history, methods=["GET"]),
    Route("/jobs", home.create_job, methods=["POST"]),
    Route("/jobs/{job_id}", job.show_job, methods=["GET"]),
    Route("/jobs/{job_id}/breakdown", job.show_breakdown, methods=["GET"]),
    Route("/jobs/{job_id}/delete", job.delete_job, methods=["POST"]),
    *(Route(f"/jobs/{{job_id}}/{verb}", job.move_job(action), methods=["POST"]) for verb, action in job.VERBS.items()),
    Route("/plugins", plugins.show_plugins, methods=["GET"]),
    Route("/plugins/{plugin_id}", plugins.show_plugin, methods=["GET"]),
    Route("/devices", devices.show_devices, methods=["GET"]),
    Route("/stories", stories.show_stories, methods=["GET"]),
]
