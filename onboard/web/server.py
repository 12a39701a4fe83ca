"""The status page's server: the standard library's, read-only, bounded in everything.

It never touches the flight: it reads a `StatusBoard`, in threads that give way to the
flight's. Requests are GET and HEAD of fixed paths; nothing a client sends is kept.
"""

from __future__ import annotations

import contextlib
import http.server
import logging
import os
import socket
import socketserver
import threading
import time
from http import HTTPStatus
from typing import Any

from onboard.errors import InputError
from onboard.flight_settings import WebSettings
from onboard.pack.map_pack import MapPack
from onboard.web.access import (
    COOKIE,
    Address,
    host_is_ours,
    new_token,
    parse_address,
    token_in_cookies,
    token_matches,
)
from onboard.web.pages import Pages
from onboard.web.status_board import StatusBoard

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 24  # a browser opens 6
MAX_PATH = 512
SILENT_S = 5.0  # without a byte
WHOLE_REQUEST_S = 10.0  # however slowly its bytes come
NICENESS = 10  # of the threads that answer
POLL_S = 0.25
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SENTENCES = {
    HTTPStatus.FORBIDDEN: "open the page by the address that pilotage printed at its start, "
    "token included",
    HTTPStatus.MISDIRECTED_REQUEST: "open the page by this machine's IP address or name",
    HTTPStatus.METHOD_NOT_ALLOWED: "the page can only be read",
    HTTPStatus.NOT_FOUND: "there is no such page",
}


class StatusServer:
    """Serves until `close`. url holds the token where one is needed: show it once, on the
    console, and keep it out of logs and recordings."""

    def __init__(self, address: Address, board: StatusBoard, pack: MapPack) -> None:
        """Raises InputError: the address can't be had, or the pack's imagery not opened."""
        self._token = None if address.is_loopback else new_token()
        self._pages = Pages(board, pack)
        try:
            self._server = _Server(address, self._pages, self._token)
        except (OSError, UnicodeError, OverflowError) as e:
            self._pages.close()
            reason = getattr(e, "strerror", None) or e
            raise InputError(
                f"web address {address.host}:{address.port} can't be had ({reason}); free it, or "
                "choose another port"
            ) from e
        self.port = int(self._server.server_address[1])
        self.url = Address(address.host, self.port).url(self._token)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_connections(0.0)
        self._thread.join()
        self._pages.close()

    def _serve(self) -> None:
        _give_way()
        self._server.serve_forever(POLL_S)


def serve(settings: WebSettings, board: StatusBoard, pack: MapPack) -> StatusServer:
    """Raises InputError: the address is none, or can't be had."""
    return StatusServer(parse_address(settings.address), board, pack)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: Address, pages: Pages, token: str | None) -> None:
        self.address, self.pages, self.token = address, pages, token
        self.address_family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
        self._began_s: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((address.host, address.port), _Handler)

    def server_bind(self) -> None:
        """HTTPServer's own asks DNS for the machine's name, which takes long without a net."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            full = len(self._began_s) >= MAX_CONNECTIONS
            if not full:
                self._began_s[request] = time.monotonic()
        if full:
            self.shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._began_s.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        self.drop_connections(WHOLE_REQUEST_S)

    def drop_connections(self, older_than_s: float) -> None:
        """Their threads meet the end of the stream."""
        now_s = time.monotonic()
        with self._lock:
            for request, began_s in self._began_s.items():
                if now_s - began_s >= older_than_s:
                    with contextlib.suppress(OSError):
                        request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request of the status page was cut off", exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    """One request of one connection (HTTP/1.0)."""

    server: _Server
    timeout = SILENT_S
    server_version = "pilotage"
    sys_version = ""

    def do_GET(self) -> None:
        if len(self.path) > MAX_PATH:
            return self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        if not host_is_ours(self.headers.get("Host"), self.server.address):
            return self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        path, _, query = self.path.partition("?")
        if self.server.token is not None and not self._let_in(path, query, self.server.token):
            return None
        answer = self.server.pages.answer(path, query)
        if answer is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.OK if answer.body else HTTPStatus.NO_CONTENT)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        keep = f"private, max-age={answer.keep_s}" if answer.keep_s else "no-store"
        self.send_header("Cache-Control", keep)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        return None

    do_HEAD = do_GET

    def _let_in(self, path: str, query: str, token: str) -> bool:
        """A token in the address moves into a cookie, so that it leaves the address bar."""
        if token_matches(token_in_cookies(self.headers.get("Cookie")), token):
            return True
        if path == "/" and token_matches(query.removeprefix("token="), token):
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", "/")
            cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax"
            self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_error(HTTPStatus.FORBIDDEN)
        return False

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """One sentence, without a word of the request's. What the library calls a server's
        fault (a method or version unknown to it) is the client's."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code = HTTPStatus.METHOD_NOT_ALLOWED
        status = HTTPStatus(code if code < 500 else HTTPStatus.BAD_REQUEST)
        body = f"{SENTENCES.get(status, status.phrase.lower())}\n".encode()
        self.send_response(status, status.phrase)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a request's words do not belong into a flight's log."""


def _give_way() -> None:
    """Lowers the priority of this thread and of those that it starts (Linux counts by thread)."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
