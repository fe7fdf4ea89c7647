"""The pages, by noun: every one works with scripts switched off."""

from typing import Final

from starlette.routing import BaseRoute, Route

from app.web.pages import compare, devices, history, home, job, job_frames, pipelines, plugins, stories

routes: Final[list[BaseRoute]] = [
    Route("/", home.show_home, methods=["GET"]),
    Route("/jobs", history.show_history, methods=["GET"]),
    Route("/jobs", home.create_job, methods=["POST"]),
    Route("/jobs/{job_id}", job.show_job, methods=["GET"]),
    Route("/jobs/{job_id}/breakdown", job.show_breakdown, methods=["GET"]),
    Route("/jobs/{job_id}/overlays", job_frames.show_overlays, methods=["GET"]),
    Route("/jobs/{job_id}/segments", job.show_segments, methods=["GET"]),
    Route("/jobs/{job_id}/pipeline", pipelines.save_job_pipeline, methods=["POST"]),
    Route("/jobs/{job_id}/again", job.repeat_job, methods=["POST"]),
    Route("/jobs/{job_id}/delete", job.delete_job, methods=["POST"]),
    *(Route(f"/jobs/{{job_id}}/{verb}", job.move_job(action), methods=["POST"]) for verb, action in job.VERBS.items()),
    Route("/compare", compare.show_comparison, methods=["GET"]),
    Route("/pipelines", home.save_pipeline, methods=["POST"]),
    Route("/pipelines/delete", pipelines.remove_pipeline, methods=["POST"]),
    Route("/plugins", plugins.show_plugins, methods=["GET"]),
    Route("/plugins/{plugin_id}", plugins.show_plugin, methods=["GET"]),
    Route("/plugins/{plugin_id}/plot", plugins.show_plot, methods=["GET"]),
    Route("/plugins/{plugin_id}/try", plugins.try_plugin, methods=["POST"]),
    Route("/devices", devices.show_devices, methods=["GET"]),
    Route("/stories", stories.show_stories, methods=["GET"]),
    Route("/stories/{story_id}", stories.show_story, methods=["GET"]),
    Route("/stories/{story_id}/feed", stories.tell_recording, methods=["GET"]),
]
