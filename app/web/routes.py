"""The whole URL space on one page, and the application around it."""

from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Lifespan

from app.domain.errors import SightlineError
from app.web import (
    api_compare,
    api_export,
    api_jobs,
    api_pictures,
    api_pipelines,
    api_plugins,
    api_results,
    api_submit,
    api_system,
    api_thumbnails,
    feed,
    metrics,
    pages,
    sign_in,
)
from app.web.assets import STATIC, Assets
from app.web.cors import CrossOrigin
from app.web.errors import on_crash, on_error
from app.web.parts import Parts
from app.web.render import register_channels
from app.web.security import HEADERS, AnswerHeaders, Guard


class _FrameIndex(IntegerConvertor):
    """A frame's number in an address; however many digits it has, it becomes one that a database can be asked for."""

    def convert(self, value: str) -> int:
        """Read the number; what no database counts up to is as good as the greatest one."""
        return int(value) if len(value) <= 18 else 2**63 - 1


register_url_convertor("frame", _FrameIndex())

API: list[BaseRoute] = [
    Route("/v1/jobs", api_submit.create_job, methods=["POST"]),
    Route("/v1/jobs", api_jobs.list_jobs, methods=["GET"]),
    Route("/v1/jobs/{id}", api_jobs.show_job, methods=["GET"]),
    Route("/v1/jobs/{id}", api_jobs.delete_job, methods=["DELETE"]),
    *(
        Route(f"/v1/jobs/{{id}}/{verb}", api_jobs.move_job(action), methods=["POST"], name=verb)
        for verb, action in api_jobs.VERBS.items()
    ),
    Route("/v1/jobs/{id}/again", api_submit.repeat_job, methods=["POST"]),
    Route("/v1/jobs/{id}/frames", api_results.list_frames, methods=["GET"]),
    Route("/v1/jobs/{id}/result", api_results.show_result, methods=["GET"]),
    Route("/v1/jobs/{id}/facts", api_results.list_facts, methods=["GET"]),
    Route("/v1/jobs/{id}/log", api_results.show_log, methods=["GET"]),
    Route("/v1/jobs/{id}/frames/{index:frame}.jpg", api_pictures.show_frame, methods=["GET"]),
    Route("/v1/jobs/{id}/thumbnail.jpg", api_thumbnails.show_thumbnail, methods=["GET"]),
    Route("/v1/jobs/{id}/export", api_export.export_job, methods=["GET"]),
    Route("/v1/jobs/{id}/compare/{other}", api_compare.show_comparison, methods=["GET"]),
    Route("/v1/pipelines", api_pipelines.list_pipelines, methods=["GET"]),
    Route("/v1/pipelines/{name}", api_pipelines.show_pipeline, methods=["GET"]),
    Route("/v1/pipelines/{name}", api_pipelines.put_pipeline, methods=["PUT"]),
    Route("/v1/pipelines/{name}", api_pipelines.remove_pipeline, methods=["DELETE"]),
    Route("/v1/plugins", api_plugins.list_plugins, methods=["GET"]),
    Route("/v1/plugins/{id}", api_plugins.show_plugin, methods=["GET"]),
    Route("/v1/devices", api_plugins.show_devices, methods=["GET"]),
    Route("/v1/insights/subscribers", api_system.list_subscribers, methods=["GET"]),
    Route("/v1/openapi.json", api_system.show_openapi, methods=["GET"]),
    Route("/healthz", api_system.alive, methods=["GET"]),
    Route("/readyz", api_system.ready, methods=["GET"]),
    Route("/metrics", metrics.show_metrics, methods=["GET"]),
]
FEED: list[BaseRoute] = [
    Route("/v1/insights", feed.insights, methods=["GET", "OPTIONS"]),
    Route("/v1/jobs/{id}/insights", feed.job_insights, methods=["GET", "OPTIONS"]),
    Route("/live", feed.live, methods=["GET", "OPTIONS"]),
]
SIGN_IN: list[BaseRoute] = [
    Route("/sign-in", sign_in.show_sign_in, methods=["GET"]),
    Route("/sign-in", sign_in.sign_in, methods=["POST"]),
    Route("/sign-out", sign_in.sign_out, methods=["POST"]),
]
STATIC_FILES: list[BaseRoute] = [Mount("/static", Assets(directory=STATIC, check_dir=False), name="static")]


async def _on_crash(request: Request, error: Exception) -> Response:
    response = await on_crash(request, error)  # answered outside all middleware, so the headers are put on here
    response.headers.update(HEADERS)
    return response


def build_app(parts: Parts, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    """Build the application around the parts of a server; the hub learns how each kind of page reads the feed."""
    register_channels(parts.hub)
    app = Starlette(
        routes=[*API, *FEED, *pages.routes, *SIGN_IN, *STATIC_FILES],
        lifespan=lifespan,
        middleware=[
            Middleware(CrossOrigin, origins=parts.limits.origins),
            Middleware(AnswerHeaders),
            Middleware(Guard, limits=parts.limits),
            Middleware(GZipMiddleware, compresslevel=4, thread_minimum_size=32 * 1024),
        ],
        exception_handlers={SightlineError: on_error, HTTPException: on_error, Exception: _on_crash},
    )
    app.state.parts = parts
    return app
