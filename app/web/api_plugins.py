"""Plugins and devices over the API."""

from typing import Any

import msgspec
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.devices.inventory import Inventory
from app.devices.nvml import read_gpus
from app.domain.load import WorkerUsage
from app.store import plugins
from app.store.plugin_history import history
from app.store.plugins import PluginRecord
from app.web.errors import NoSuchPlugin
from app.web.parts import Parts, parts_of
from app.web.responses import FRESH, json_response, read_query
from app.web.schemas_lists import PluginListDocument
from app.web.schemas_plugins import PluginDocument


class Devices(Inventory, frozen=True, kw_only=True):
    """What hardware is here, which targets the runtimes can use and why not the others, and what workers and GPUs do now."""

    workers: tuple[WorkerUsage, ...]


async def list_plugins(request: Request) -> Response:
    """GET /v1/plugins: every plugin found, the broken ones with the reason."""
    read_query(request, ())
    return json_response(await run_sync(_plugins, parts_of(request)))


async def show_plugin(request: Request) -> Response:
    """GET /v1/plugins/{id}; raises NoSuchPlugin."""
    read_query(request, ())
    return json_response(await run_sync(_plugin, parts_of(request), request.path_params["id"]))


async def show_devices(request: Request) -> Response:
    """GET /v1/devices."""
    read_query(request, ())
    body = await run_sync(_devices, parts_of(request))
    return Response(body, headers=FRESH, media_type="application/json")


def _plugins(parts: Parts) -> PluginListDocument:
    with parts.store.read() as tx:
        records = plugins.records(tx)
    found = parts.catalogue.found
    shelf = parts.catalogue.models
    items = [PluginDocument.of(found[name], records.get(name) or PluginRecord(), shelf=shelf) for name in sorted(found)]
    return PluginListDocument(items=items, next_cursor=None)


def _plugin(parts: Parts, plugin_id: str) -> PluginDocument:
    found = parts.catalogue.found.get(plugin_id)
    if found is None:
        raise NoSuchPlugin(plugin=plugin_id, known=", ".join(sorted(parts.catalogue.found)) or "none")
    with parts.store.read() as tx:
        record, known = plugins.record(tx, plugin_id), history(tx, plugin_id)
    return PluginDocument.of(found, record, known, shelf=parts.catalogue.models)


def _devices(parts: Parts) -> bytes:
    here: dict[str, Any] = msgspec.to_builtins(parts.inventory())
    return msgspec.json.encode(msgspec.convert({**here, "gpus": read_gpus(), "workers": parts.workers()}, Devices))
