"""Whether work can be done and goes on: by what was committed and which leases were renewed, not by an open port."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Final

from app.engine.dispatcher import Dispatcher
from app.engine.pool import Pool
from app.store.engine import DatabaseUnavailable, Store, utc_now
from app.store.standing import Movement, movement

STILL_S: Final = 20.0  # leases are renewed every 5 seconds
_LEAST_FREE_BYTES: Final = 200_000_000


def standstill(found: Movement, now: datetime, since: datetime | None = None) -> str | None:
    """Say that jobs wait and nothing moves, or None where it does; `since` is when anybody could have begun to move them."""
    moved_at = max(filter(None, (found.moved_at, since)), default=None)
    if moved_at is None or not found.jobs or (now - moved_at).total_seconds() <= STILL_S:
        return None
    jobs = "1 job waits" if found.jobs == 1 else f"{found.jobs} jobs wait"
    still = (now - moved_at).total_seconds()
    return f"Work stands still: {jobs}, and for {still:.0f} s no frames were committed and no lease was renewed."


class Vitals:
    """Reads how a server does, part by part."""

    def __init__(self, store: Store, home: Path, pool: Pool, dispatcher: Dispatcher) -> None:
        self._store, self._home, self._pool, self._dispatcher = store, home, pool, dispatcher
        self._since = utc_now()

    def read(self) -> dict[str, str | None]:
        """Give for each part None when it is well, else the reason and what to do; asks the database, on a thread."""
        checks = {"database": None, "pool": self._pool.trouble, "disk": None, "work": self._dispatcher.trouble}
        try:
            with self._store.read() as tx:
                still = standstill(movement(tx), utc_now(), self._since)
        except DatabaseUnavailable as error:
            checks["database"] = str(error)
        else:
            checks["work"] = checks["work"] or (still and f"{still} Restart the server: its jobs go on where they are.")
        free = shutil.disk_usage(self._home).free
        if free < _LEAST_FREE_BYTES:
            checks["disk"] = f"Only {free // 1_000_000} MB are free in {self._home}: make room."
        return checks
