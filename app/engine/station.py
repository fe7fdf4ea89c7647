"""What the dispatcher and its parts work with, and how they reach the database."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import InterfaceError, OperationalError

from app.domain.plugin import PluginMetadata
from app.engine.executor import Executor
from app.engine.teller import Teller
from app.store.engine import Store

T = TypeVar("T")
_PATIENCE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 2.0
_log = logging.getLogger(__name__)


class Plugins(Protocol):
    """Where plugins are found."""

    def get(self, plugin_id: str) -> PluginMetadata:
        """What a plugin declares; raises UnknownPlugin or BrokenPlugin."""

    def folder(self, plugin_id: str) -> Path:
        """Where a plugin's code lies."""

    def placed(self, plugin_id: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Options as the plugin wants them: for each model the path of its file."""


@dataclass(frozen=True, slots=True)
class Station:
    """The dispatcher's surroundings.

    `runner` names the process whose jobs it does (None: the server's jobs), `holder` is its name on leases,
    `outputs_folder` gives a job's folder, `ring` says that facts were written, `hold()` keeps written facts from being told
    while it is held, `cores` is what all workers share.
    """

    store: Store
    executor: Executor
    plugins: Plugins
    outputs_folder: Callable[[str], Path]
    teller: Teller
    ring: Callable[[], None]
    hold: Callable[[], AbstractAsyncContextManager[None]]
    holder: str
    runner: str | None = None
    cores: int = 1
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def next_task(self) -> int:
        """A number for a task that no other task of this process has."""
        return next(self._numbers)

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database something, on a thread."""

        def ask() -> T:
            with self.store.read() as tx:
                return question(tx)

        return await _patiently(ask)

    async def write(self, change: Callable[[Connection], T], *, ring: bool = True) -> T:
        """Change the database in one transaction, on a thread; then say that facts may have been written."""

        def make() -> T:
            with self.store.begin() as tx:
                return change(tx)

        result = await _patiently(make)
        if ring:
            self.ring()
        return result


async def _patiently(work: Callable[[], T]) -> T:
    """Do something with the database on a thread; one that is away for a while is asked again, for up to a minute."""
    waited, pause = 0.0, 0.1
    while True:
        try:
            return await asyncio.to_thread(work)
        except (OperationalError, InterfaceError) as error:
            if waited >= _PATIENCE_S:
                raise
            _log.warning("The database does not answer (%s); asking again in %.1f s.", type(error).__name__, pause)
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE_S)
