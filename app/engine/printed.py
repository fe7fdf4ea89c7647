"""What plugins print: kept beside a job's outputs, up to a bound."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

LOG_NAME: Final = "log.txt"
_MOST_BYTES: Final = 1_000_000
_FULL: Final = "\n… the log is full; what was printed after this was not kept.\n"


class PrintedLog:
    """Appends what a worker prints to the log of the job it works on. What is printed between jobs goes to `stray`."""

    def __init__(self, outputs_folder: Callable[[str], Path], stray: Callable[[str], None]) -> None:
        self._outputs_folder, self._stray = outputs_folder, stray

    def __call__(self, job_id: str | None, text: str) -> None:
        """Keep a piece of text."""
        if job_id is None:
            self._stray(text)
            return
        folder = self._outputs_folder(job_id)
        path = folder / LOG_NAME
        try:
            room = _MOST_BYTES - (path.stat().st_size if path.exists() else 0)
            if room > 0 and folder.is_dir():
                data = text.encode("utf-8", "replace")
                with path.open("ab") as log:
                    log.write(data if len(data) < room else data[:room] + _FULL.encode())
        except OSError as error:  # a full disk must not stop the job
            self._stray(f"The log of job {job_id} could not be written: {error}\n")
