"""`sightline serve` and `sightline migrate`."""

import asyncio
import gc
import ipaddress
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click
import uvicorn
import uvloop

from app.actions.draft import Draft
from app.actions.submit import submit
from app.domain.job import Pace
from app.domain.media import SourceKind, SourceRef
from app.main import migrate_database, open_server
from app.media.probe import probe
from app.settings import Settings, bundled
from app.store import jobs as job_rows
from app.web.connection import Connection
from app.web.feed import SHUTDOWN
from app.web.parts import Parts
from app.web.routes import build_app

_DEMO_TAG: Final = "demo"
_DEMO_PLUGINS: Final = ("shapes_dnn",)
_DEMO_S: Final = 120.0
_UNSENT_BYTES: Final = 16_384  # more than this in a stalled client's socket only delays what it is told
_TCP_NOTSENT_LOWAT: Final = 25
_GRACE_S: Final = 2  # for answers under way; with what the workers need, the whole ends within 3 s


def _print_settings(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "empty" if default == "" else str(default).lower() if isinstance(default, bool) else default
        click.echo(f"SIGHTLINE_{name.upper()}\n    {field.description}\n    Default: {shown}")
    ctx.exit()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--demo", is_flag=True, help="Run the bundled clip, paced and looped for two minutes.")
@click.option("--reload-plugins", is_flag=True, help="Take up plugins for the next job whenever their folder changes.")
@click.option("--help-settings", is_flag=True, is_eager=True, expose_value=False, callback=_print_settings,
              help="List every setting and exit.")  # fmt: skip
def serve(host: str, port: int, demo: bool, reload_plugins: bool) -> None:
    """Serve pages, API and feed: migrates the database, starts the workers, listens."""
    settings = Settings()
    if not _is_loopback(host) and not settings.token:
        message = f"{host} can be reached from other machines: set SIGHTLINE_TOKEN to a secret first, or serve on 127.0.0.1."
        raise click.UsageError(message)
    try:
        listener = _listen(host, port)
    except OSError as error:
        raise click.UsageError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from None
    with listener:
        uvloop.run(_serve(settings, listener, host, demo=demo, reload_plugins=reload_plugins))
    gc.freeze()  # all is in order: to look for rubbish in what is left would keep whoever waits for the end for seconds


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    settings = Settings()
    migrate_database(settings)
    click.echo("The database is at the newest schema.")


class _Server(uvicorn.Server):
    """A server that says when it can be reached, and bids its subscribers farewell before it waits for them to go."""

    def __init__(self, config: uvicorn.Config, reached: Callable[[], None], farewell: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._reached, self._farewell = reached, farewell

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on a signal, and do not raise it again as uvicorn does: the workers are still to be put in order.

        A second signal, then, ends the process at once.
        """
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._reached()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody in any more, end every stream, and wait for the rest."""
        await asyncio.gather(super().shutdown(sockets), self._farewell())


async def _serve(settings: Settings, listener: socket.socket, host: str, *, demo: bool, reload_plugins: bool) -> None:
    hosts = frozenset[str]() if _is_loopback(host) else frozenset({host, socket.gethostname(), socket.getfqdn()})
    shown = f"[{host}]" if ":" in host else host
    async with open_server(settings, hosts=hosts, reloaded=_tell_reloaded if reload_plugins else None) as parts:
        config = uvicorn.Config(
            build_app(parts), http=Connection, log_level="warning", access_log=False, server_header=False,
            timeout_graceful_shutdown=_GRACE_S, lifespan="off",
        )  # fmt: skip

        def reached() -> None:
            gc.freeze()  # what is there now stays: to look for rubbish in it again and again takes a tenth of the time
            print(f"Sightline is at http://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201  # what `serve` says

        if demo:
            await start_demo(parts)
        with suppress(asyncio.CancelledError):
            await _Server(config, reached, lambda: parts.hub.close(SHUTDOWN)).serve(sockets=[listener])


def _tell_reloaded(name: str) -> None:
    print(f"The plugin in {name} was taken up again.", flush=True)  # noqa: T201  # what `serve` says


async def start_demo(parts: Parts) -> None:
    """Submit the bundled clip, unless a demo job is under way."""
    with parts.store.read() as tx:
        if any(_DEMO_TAG in job.tags for job in job_rows.active(tx, None)):
            return
    clip = bundled("samples") / "shapes.mp4"
    source = SourceRef(SourceKind.VIDEO, "shapes.mp4", str(clip), size_bytes=clip.stat().st_size)
    duration = (await probe(source)).media.duration_s or _DEMO_S
    draft = Draft(
        source=source, plugins=_DEMO_PLUGINS, pace=Pace.REALTIME, loop=max(1, round(_DEMO_S / duration)), name="Demo",
        tags=(_DEMO_TAG,),
    )  # fmt: skip
    await submit(draft, store=parts.store, catalogue=parts.catalogue, max_queued=parts.limits.max_queued_jobs, wake=parts.wake)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with suppress(OSError):  # a kernel without it only buffers more
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
