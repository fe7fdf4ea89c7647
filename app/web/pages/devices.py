"""What this machine has to run plugins on, and how busy it is."""

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from app.web.contexts.machine import view_inventory, view_usage
from app.web.parts import parts_of
from app.web.templating import page


async def show_devices(request: Request) -> Response:
    """GET /devices."""
    parts = parts_of(request)
    inventory = view_inventory(await run_sync(parts.inventory))
    return page(
        request, "devices", {"feed": "/live?page=devices", "inventory": inventory, "usage": view_usage(parts.workers())}
    )
