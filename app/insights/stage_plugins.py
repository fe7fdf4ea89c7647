"""Which plugin runs each stage of a job, as far as somebody asked for insights of some plugins only."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from anyio import to_thread

_KEPT: Final = 1024  # jobs; whoever is asked for again is read again

PluginsOf = Callable[[str], Mapping[str, str]]


class StagePlugins:
    """Reads each job's stages once, in a thread. `plugins_of(job_id)` gives plugin ids by stage; an unknown job has none."""

    def __init__(self, plugins_of: PluginsOf | None) -> None:
        self._read = plugins_of
        self._known: dict[str, Mapping[str, str]] = {}

    def plugins_of(self, job_id: str | None) -> Mapping[str, str]:
        """Give the plugin of each stage of a job that was learned before."""
        return self._known.get(job_id, {}) if job_id is not None else {}

    def uses(self, job_id: str | None, plugins: Collection[str]) -> bool:
        """Say whether a job (None: the machine, which all use) runs one of these plugins."""
        return job_id is None or any(plugin in plugins for plugin in self.plugins_of(job_id).values())

    async def learn(self, job_ids: Iterable[str | None]) -> None:
        """Read the stages of the jobs not known yet."""
        new = {job_id for job_id in job_ids if job_id is not None} - self._known.keys()
        if not new or self._read is None:
            return
        read = self._read
        self._known |= await to_thread.run_sync(lambda: {job_id: read(job_id) for job_id in sorted(new)})
        for job_id in list(self._known)[:-_KEPT]:
            del self._known[job_id]
