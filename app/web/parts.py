"""What a request handler may reach: the parts of a running server, put together in `app.main`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from app.domain.load import WorkerUsage
from app.insights.hub import Hub
from app.media.preview import PreviewCache
from app.media.storage import Storage
from app.registry.discover import Catalogue
from app.store.engine import Store


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server takes, and from whom.

    `hosts` are the names it answers to (empty: loopback names only), `origins` the web origins whose pages may read here.
    """

    max_upload_bytes: int
    max_queued_jobs: int
    max_subscribers: int
    token: str = ""
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    source_roots: tuple[Path, ...] = ()
    allow_private_sources: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work can be done right now: for each part, None when it is well, else the reason."""

    checks: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Say whether every part is well."""
        return all(reason is None for reason in self.checks.values())


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running server.

    `wake` tells the dispatcher and the fact tail that rows changed (callable from any thread); `workers` says what each
    worker is doing; `readiness` and `inventory` may block and are called in threads.
    """

    store: Store
    hub: Hub
    storage: Storage
    catalogue: Catalogue
    previews: PreviewCache
    limits: Limits
    wake: Callable[[], None]
    workers: Callable[[], tuple[WorkerUsage, ...]]
    readiness: Callable[[], Readiness]
    inventory: Callable[[], Mapping[str, Any]]


def parts_of(connection: HTTPConnection) -> Parts:
    """Give the parts of the server that a request came to."""
    parts: Parts = connection.app.state.parts
    return parts
