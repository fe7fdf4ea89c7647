"""Who is measured: Sightline's feed, a queue for each client, and nchan where its module is there; each in its own process."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import msgspec
import psutil

from tests.bench.feed.plans import Plan

ROOT = Path(__file__).parents[3]
_NCHAN = (Path(os.environ.get("NCHAN_MODULE", "")), Path("/usr/lib/nginx/modules/ngx_nchan_module.so"))
_NGINX = """
load_module {module};
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port};
    location = /publish {{ nchan_publisher; nchan_channel_id feed; nchan_message_buffer_length 100; }}
    location = /feed {{ nchan_subscriber eventsource; nchan_channel_id feed; nchan_subscriber_first_message newest; }}
  }}
}}
"""


class Contestant:
    """A running server: where it is, which process does its work, and how it is made to publish."""

    def __init__(self, name: str, port: int, process: psutil.Process) -> None:
        self.name, self.port, self._process = name, port, process

    @property
    def cpu_s(self) -> float:
        """Processor time it has used, in seconds: what the scheduler counted, for all its threads."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    @property
    def rss_kb(self) -> float:
        """Memory it holds, in KB."""
        return float(self._process.memory_info().rss) / 1024

    def publish(self, plan: Plan, seconds: float) -> None:
        """Have it publish for some seconds, in the background."""
        query = {"kind": plan.kind, "rate": plan.rate, "seconds": seconds}
        httpx.post(f"http://127.0.0.1:{self.port}/publish", params=query, trust_env=False).raise_for_status()

    def stats(self) -> dict[str, int]:
        """What it counts itself."""
        counted: dict[str, int] = httpx.get(f"http://127.0.0.1:{self.port}/stats", trust_env=False, timeout=30).json()
        return counted


class Nchan(Contestant):
    """nginx with nchan; what it publishes is posted to it."""

    def publish(self, plan: Plan, seconds: float) -> None:
        """Post insights for some seconds, from a thread."""
        threading.Thread(target=self._post, args=(plan, seconds), daemon=True).start()

    def _post(self, plan: Plan, seconds: float) -> None:
        insights, began = plan.insights(), time.monotonic()
        address = f"http://127.0.0.1:{self.port}"
        with suppress(httpx.TransportError), httpx.Client(base_url=address, trust_env=False) as client:  # ended meanwhile
            for number in range(round(plan.rate * seconds)):
                time.sleep(max(0.0, began + number / plan.rate - time.monotonic()))
                insight = next(insights)
                client.post("/publish", content=msgspec.json.encode(insight), headers={"X-EventSource-Event": insight.type})


@contextmanager
def python_server(name: str) -> Iterator[Contestant]:
    """Run `hub` or `queue`."""
    command = [sys.executable, "-m", "tests.bench.feed.server", name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Contestant(name, int(process.stdout.readline()), psutil.Process(process.pid))
        finally:
            process.kill()


def nchan_module() -> Path | None:
    """Where nchan's module lies (Debian: libnginx-mod-nchan, or NCHAN_MODULE names it), None where there is none."""
    return next((path for path in _NCHAN if path.is_file()), None) if shutil.which("nginx") else None


@contextmanager
def nchan_server(_name: str) -> Iterator[Contestant]:
    """Run nginx with nchan on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(_NGINX.format(module=nchan_module(), folder=folder, port=port))
        with subprocess.Popen(["nginx", "-p", folder, "-c", str(config), "-e", f"{folder}/error.log"]) as process:
            try:
                until = time.monotonic() + 10
                while not (workers := psutil.Process(process.pid).children()) and time.monotonic() < until:
                    time.sleep(0.1)
                yield Nchan("nchan", port, workers[0])
            finally:
                process.terminate()
