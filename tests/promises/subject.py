"""What the promises are looked at on: a checkout and its program, with server, browser and database started when asked for."""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tests.chromium import NoChromium, launched
from tests.conftest import TEST_POSTGRES, write_clip
from tests.postgres import NoPostgres, Postgres, running
from tests.web.conftest import LIMITS, Api, serve

ROOT: Final = Path(__file__).parents[2]

Seen = TypeVar("Seen")


class CannotLook(Exception):
    """This machine lacks what a piece needs; the message says what, and how to get it."""


class Subject:
    """A checkout and its program; use it as a context manager, which ends all that it started."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self._until_the_end = ExitStack()
        self._seen: dict[Any, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._until_the_end.close()

    @cached_property
    def folder(self) -> Path:
        """A folder for what is made on the way."""
        return Path(self._until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="sightline-check-")))

    @cached_property
    def browser(self) -> Any:
        """A real Chromium."""
        try:
            return self._until_the_end.enter_context(launched())
        except NoChromium as reason:
            raise CannotLook(str(reason)) from None

    @cached_property
    def postgres(self) -> Postgres:
        """A real Postgres."""
        if given := os.environ.get(TEST_POSTGRES):
            return Postgres(given)
        try:
            return self._until_the_end.enter_context(running())
        except NoPostgres as reason:
            raise CannotLook(f"no Postgres can be started: {reason}") from None

    @cached_property
    def clip(self) -> Path:
        """A real clip of 90 frames."""
        return write_clip(self.folder / "moving square.mp4")

    @cached_property
    def api(self) -> Api:
        """The application on a free port around real parts; only the workers are left out, so that a job stays as it is."""
        return self.serve("home")

    def serve(self, home: str, **limits: Any) -> Api:
        """Serve the application around another home, with other limits."""
        return self._until_the_end.enter_context(serve(self.folder / home, replace(LIMITS, **limits)))

    def once(self, look: Callable[["Subject"], Seen]) -> Seen:
        """Look at something once, however many pieces ask for it."""
        if look not in self._seen:
            self._seen[look] = look(self)
        seen: Seen = self._seen[look]
        return seen
