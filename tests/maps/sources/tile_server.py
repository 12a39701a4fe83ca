"""A real HTTP server of map tiles on this machine, that can be told to misbehave, and
remembers what it was asked and when."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """length: what Content-Length says, None what is true. stall_s: before it answers. drip_s:
    after each byte of the body. status 0: closes the connection without a word."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    stall_s: float = 0.0
    drip_s: float = 0.0


@dataclass
class Asked:
    path: str
    at_s: float
    headers: dict[str, str]


class TileServer:
    """answer: makes the reply to a path and its headers; asked: what came, in order."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Reply]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.reply(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        headers = dict(handler.headers.items())
        with self._lock:
            self.asked.append(Asked(handler.path, time.monotonic(), headers))
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            with contextlib.suppress(OSError):
                self._send(handler, self.answer(handler.path, headers))
        finally:
            with self._lock:
                self._now -= 1

    def paths(self) -> list[str]:
        return [a.path for a in self.asked]

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        time.sleep(reply.stall_s)
        if reply.status == 0:
            handler.close_connection = True
            return
        length = len(reply.body) if reply.length is None else reply.length
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.status not in (204, 304):
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if reply.drip_s:
            for byte in reply.body:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                time.sleep(reply.drip_s)
        elif reply.status not in (204, 304):
            handler.wfile.write(reply.body)
        if length != len(reply.body):
            handler.close_connection = True


@contextlib.contextmanager
def serving(answer: Callable[[str, dict[str, str]], Reply]) -> Iterator[TileServer]:
    server = TileServer(answer)
    thread = threading.Thread(target=server.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
        thread.join()
