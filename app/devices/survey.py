"""The inventory of this machine as a server has it: taken once, in the background."""

import asyncio
from collections.abc import Callable

from app.devices.inventory import Inventory, take_inventory


class Survey:
    """Takes the inventory once; made and begun within the event loop's thread. `done` is called when it is there."""

    def __init__(self, done: Callable[[], None] = lambda: None) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = done
        self._taking: asyncio.Task[Inventory] | None = None

    @property
    def inventory(self) -> Inventory | None:
        """What was found; None while it is looked for."""
        return self._taking.result() if self._taking is not None and self._taking.done() else None

    def begin(self) -> None:
        """Begin to look, unless that was begun before."""
        if self._taking is None:
            self._taking = asyncio.ensure_future(self._take())

    def read(self) -> Inventory:
        """Give what was found, and wait for it where need be; called on a thread."""
        return asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()

    async def close(self) -> None:
        """Give up looking."""
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)

    async def _take(self) -> Inventory:
        found = await take_inventory()
        self._loop.call_soon(self._done)
        return found

    async def _wait(self) -> Inventory:
        self.begin()
        assert self._taking is not None  # noqa: S101  # begun above
        return await asyncio.shield(self._taking)
