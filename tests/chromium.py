"""A real Chromium for tests: found on this machine, driven by Playwright, ended with whoever started it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any


class NoChromium(Exception):
    """This machine has no Chromium; the message says how to get one."""


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Start a Chromium; while it runs, its thread can start no other event loop. Raise NoChromium where there is none."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        raise NoChromium("there is no Chromium here (apt-get install chromium)")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield started
        started.close()
