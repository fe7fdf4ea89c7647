"""The plugins found on this machine, and one plugin by itself."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.store import plugins
from app.web.contexts.plugin import PluginCard, PluginView, view_card, view_plugin
from app.web.errors import NoSuchPlugin
from app.web.parts import Parts, parts_of
from app.web.templating import page


async def show_plugins(request: Request) -> Response:
    """GET /plugins."""
    return page(request, "plugins", {"cards": await run_sync(_cards, parts_of(request))})


async def show_plugin(request: Request) -> Response:
    """GET /plugins/{id}."""
    plugin = await run_sync(_plugin, parts_of(request), request.path_params["plugin_id"])
    return page(request, "plugin", {"plugin": plugin})


def _cards(parts: Parts) -> list[PluginCard]:
    with parts.store.read() as tx:
        records = plugins.records(tx)
    return [view_card(found, records.get(found.id)) for found in parts.catalogue.found.values()]


def _plugin(parts: Parts, plugin_id: str) -> PluginView:
    found = parts.catalogue.found.get(plugin_id)
    if found is None:
        raise NoSuchPlugin(plugin=plugin_id, known=", ".join(parts.catalogue.found) or "none")
    with parts.store.read() as tx:
        return view_plugin(found, plugins.record(tx, plugin_id), parts.catalogue.models)
