"""What the dispatcher and its parts work with, and how they reach the database."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy.engine import Connection

from app.domain.media import StreamRules
from app.domain.plugin import PluginMetadata
from app.engine.executor import Executor
from app.engine.gpus import Gpus, wants_gpu
from app.engine.tasks import StageTask
from app.engine.teller import Teller
from app.store.engine import DatabaseUnavailable, Store
from app.store.facts import APPENDED

T = TypeVar("T")
_PATIENCE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 2.0
_STRICT: Final = StreamRules()
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
    while it is held, `lease_s` is for how long a segment is kept for a process that is not heard of, `cores` is what all
    workers share, `gpus` gives the GPUs (None: they are being looked for), `streams` says how addresses may be read,
    `keep_picture` takes a small JPEG of a job for lists.
    """

    store: Store
    executor: Executor
    plugins: Plugins
    outputs_folder: Callable[[str], Path]
    teller: Teller
    ring: Callable[[], None]
    hold: Callable[[], AbstractAsyncContextManager[None]]
    holder: str
    lease_s: float = 60.0
    runner: str | None = None
    cores: int = 1
    gpus: Callable[[], Gpus | None] = Gpus
    streams: StreamRules = _STRICT
    keep_picture: Callable[[str, bytes], None] = lambda job_id, jpeg: None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def next_task(self) -> int:
        """A number for a task that no other task of this process has."""
        return next(self._numbers)

    def load_for(self, stages: Iterable[StageTask]) -> dict[int, int]:
        """Tasks held by each ready worker that may run these stages."""
        load, gpus, stages = self.executor.load(), self.gpus(), tuple(stages)
        if gpus is None:
            return {} if any(map(wants_gpu, stages)) else load
        allowed = gpus.workers_for(stages, self.executor.slots)
        return load if allowed is None else {worker: held for worker, held in load.items() if worker in allowed}

    def gpu_of(self, worker: int) -> int | None:
        """Give the GPU a worker is to use."""
        gpus = self.gpus()
        return gpus.home(worker) if gpus else None

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database something, on a thread."""

        def ask() -> T:
            with self.store.read() as tx:
                return question(tx)

        return await _patiently(ask)

    async def write(self, change: Callable[[Connection], T], *, ring: bool = True) -> T:
        """Change the database in one transaction, on a thread; then say so where facts were written."""

        def make() -> tuple[T, bool]:
            with self.store.begin() as tx:
                tx.info.pop(APPENDED, None)
                return change(tx), APPENDED in tx.info

        result, told = await _patiently(make)
        if ring and told:
            self.ring()
        return result


async def _patiently(work: Callable[[], T]) -> T:
    """Do something with the database on a thread; one that is away for a while is asked again, for up to a minute."""
    waited, pause = 0.0, 0.1
    while True:
        try:
            return await asyncio.to_thread(work)
        except DatabaseUnavailable as error:
            if waited >= _PATIENCE_S:
                raise
            _log.warning("%s Asking again in %.1f s.", error, pause)
        await asyncio.sleep(pause)
        waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE_S)
