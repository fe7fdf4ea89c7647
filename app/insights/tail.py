"""The tail of the fact log: brings facts that any process wrote into the hub, in the database's order."""

import asyncio
import logging
from typing import Final

from anyio import move_on_after

from app.insights.hub import Hub

PATIENCE_S: Final = 1.0  # other processes write facts too and ring no bell here
_log = logging.getLogger(__name__)


class Tail:
    """Reads the log when rung, and every second unasked."""

    def __init__(self, hub: Hub, *, patience_s: float = PATIENCE_S) -> None:
        self._hub = hub
        self._patience = patience_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Say that facts were written; callable from any thread, at any time."""
        loop = self._loop
        if loop is None:
            return  # not running yet: the first thing it does is read
        try:
            loop.call_soon_threadsafe(self._bell.set)
        except RuntimeError:
            self._loop = None  # the loop has ended, and the feed with it

    async def run(self) -> None:
        """Publish facts until cancelled. A log that cannot be read is tried again: the feed lags then, it does not end."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._bell.clear()
            try:
                await self._hub.catch_up()
            except Exception:  # noqa: BLE001  the log is a port: what its database raises is unknown here
                _log.exception("The facts could not be read; trying again.")
            with move_on_after(self._patience):
                await self._bell.wait()
