"""Chaos: servers and workers on one history, killed and frozen at random by a seed that can be given again."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.conftest import Server, wait_until


class Chaos:
    """Disturbs as many servers as `start` was asked for, and brings those that were killed back."""

    def __init__(self, seed: int, start: Callable[[], Server], servers: int, lease_s: float) -> None:
        self._random, self._start, self._lease_s = random.Random(seed), start, lease_s
        self._servers = [start() for _ in range(servers)]
        self._thaws: list[threading.Timer] = []
        self._began = time.monotonic()
        self.log: list[str] = []
        self._doings = {
            self._kill_worker: 6,
            self._freeze_worker: 4,
            self._kill_server: 2,
            self._freeze_server: 2,
            self._kill_everything: 1,
        }

    def rage(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """Do one thing after the other for so long; `meanwhile` is called between them."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._random.uniform(0.2, 2.0))
            (doing,) = self._random.choices(list(self._doings), list(self._doings.values()))
            doing()
            meanwhile()

    def calm_down(self) -> None:
        """Thaw everything, and see every server up."""
        for timer in self._thaws:
            timer.join()
        for server in self._servers:
            wait_until(lambda server=server: _answers(server), f"server {server.process.pid} to answer")
        self._note("calm")

    def client(self) -> httpx.Client:
        """A client of a server that runs and is not frozen."""
        server = next((server for server in self._servers if not _frozen(server.process.pid)), self._servers[0])
        return server.client()

    def _kill_worker(self) -> None:
        if worker := self._a_worker():
            self._note(f"kill worker {worker}")
            _send(worker, signal.SIGKILL)

    def _freeze_worker(self) -> None:
        if worker := self._a_worker():
            self._freeze(worker, self._random.uniform(0.1, 3.0), "worker")

    def _kill_server(self) -> None:
        number = self._random.randrange(len(self._servers))
        self._kill([number])

    def _freeze_server(self) -> None:
        server = self._random.choice(self._servers)
        self._freeze(server.process.pid, self._random.uniform(0.3, 2 * self._lease_s), "server")

    def _kill_everything(self) -> None:
        self._kill(range(len(self._servers)))

    def _kill(self, numbers: "range | list[int]") -> None:
        for number in numbers:
            server = self._servers[number]
            self._note(f"kill server {server.process.pid}")
            server.process.kill()
            server.process.wait()
        time.sleep(self._random.uniform(0.0, 1.0))
        for number in numbers:
            wait_until(lambda number=number: not self._servers[number].processes(), "workers to end with their server")
            self._servers[number] = self._bring_back()
            self._note(f"server {self._servers[number].process.pid} is up")

    def _bring_back(self) -> Server:
        """Start a server as a supervisor does: again, where it ends because a frozen one keeps the database locked."""
        while True:
            try:
                return self._start()
            except pytest.fail.Exception as failed:
                if "cannot be used right now" not in str(failed):
                    raise
                self._note("a server found the database locked")

    def _a_worker(self) -> int | None:
        running = [
            process.pid
            for server in self._servers
            for process in server.processes()
            if process.pid != server.process.pid and "app.engine.worker" in _command(process)
        ]
        return self._random.choice(sorted(running)) if running else None

    def _freeze(self, pid: int, seconds: float, what: str) -> None:
        self._note(f"freeze {what} {pid} for {seconds:.1f} s")
        _send(pid, signal.SIGSTOP)
        thaw = threading.Timer(seconds, _send, (pid, signal.SIGCONT))
        thaw.start()
        self._thaws.append(thaw)

    def _note(self, what: str) -> None:
        self.log.append(f"{time.monotonic() - self._began:7.2f} {what}")


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, what)


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _frozen(pid: int) -> bool:
    with suppress(psutil.Error):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return True


def _answers(server: Server) -> bool:
    with suppress(httpx.HTTPError), server.client() as api:
        return api.get("/healthz").status_code == httpx.codes.OK
    return False
