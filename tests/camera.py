"""A web server of one's own to read from: real clips, a camera that sends pictures for ever, and what goes wrong with them."""

import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2

from tests.conftest import moving_square

_FPS = 25.0


class Camera:
    """Serves on a free loopback port: `/live` never ends, `/<file>` gives a file, `/cut/<file>` half of it the first
    time, `/moved` leads on to `/clip.mp4`.

    `off()` cuts every line and takes no more, until `on()`; `silent` is an address that takes calls and never answers.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: Counter[str] = Counter()
        self.folder, self._off = folder, threading.Event()
        self._pictures = [cv2.imencode(".jpg", moving_square(n, 64, 48))[1].tobytes() for n in range(10)]
        self._mute = socket.create_server(("127.0.0.1", 0))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """Address of the server, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def silent(self) -> str:
        """An address that takes calls and never answers."""
        return f"rtsp://127.0.0.1:{self._mute.getsockname()[1]}/stream"

    def off(self) -> None:
        """Cut every line, and take no more."""
        self._off.set()

    def on(self) -> None:
        """Take calls again."""
        self._off.clear()

    def close(self) -> None:
        """End the server."""
        self.off()
        self._server.shutdown()
        self._server.server_close()
        self._mute.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.asked[self.path] += 1
                camera.serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = request.path.partition("?")[0]
        if self._off.is_set():
            return  # hangs up without a word
        try:
            if path == "/live":
                self._play(request)
            elif path == "/moved":
                request.send_response(302)
                request.send_header("Location", "/clip.mp4")
                request.end_headers()
            else:
                self._give(request, path, halved=path.startswith("/cut/") and self.asked[request.path] == 1)
        except OSError:
            pass  # nobody listens any more

    def _play(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        number = 0
        while not self._off.is_set():
            picture = self._pictures[number % len(self._pictures)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            request.wfile.write(head.encode() + picture + b"\r\n")
            number += 1
            time.sleep(1 / _FPS)

    def _give(self, request: BaseHTTPRequestHandler, path: str, *, halved: bool) -> None:
        file = self.folder / Path(path).name
        if not file.is_file():
            request.send_error(404)
            return
        body = file.read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if halved else body)
