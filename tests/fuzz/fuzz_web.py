"""Any bytes as a request to the status page: never a server's error, never a file of the machine's,
nothing that ends in an exception."""

from __future__ import annotations

import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fuzz_runner import fuzz

from onboard.flight_settings import WebSettings
from onboard.web import server as server_module
from onboard.web.server import StatusServer, serve
from onboard.web.status_board import StatusBoard
from tests.onboard import journalled_flight as flight

ANSWER_S = 4.0
STATUSES = {200, 204, 303, 400, 403, 404, 405, 408, 414, 421, 431}
SECRETS = (b"root:x:", b"format_version", b"SQLite format 3", b"import ", b"[build-system]")
PATHS = ("/", "/page.js", "/status.json", "/map.json", "/tracks.json?estimate=0.5&gnss0=1.2",
         "/pair.jpg", "/tiles/18/175000/105000", "/tiles/15/21875/13125")  # fmt: skip
TOKENS = (
    *(b"GET ", b"HEAD ", b"POST ", b" HTTP/1.1\r\n", b" HTTP/1.0", b" HTTP/0.9", b"\r\n\r\n"),
    *(b"Host: localhost\r\n", b"Host: evil.example\r\n", b"Cookie: pilotage_token=", b"token="),
    *(b"Content-Length: 99999999\r\n", b"Transfer-Encoding: chunked\r\n", b"%2e%2e%2f", b"%00"),
    *(
        b"Expect: 100-continue\r\n",
        b"Connection: keep-alive\r\n",
        b"/etc/passwd",
        b"//",
        b"?",
        b"&",
    ),
    *(b"/tiles/99/99999999/99999999", b"/tiles/18/-1/", b"manifest.json", b"http://[::1]/"),
)

raised: list[str] = []


def _open(address: str) -> StatusServer:
    board = StatusBoard()
    flight.fly(board)
    pack = flight.small_pack(Path(tempfile.mkdtemp()) / "a.pack")
    return serve(WebSettings(address), board, pack)


def _record(self: object, request: object, client: object) -> None:
    """A client that goes away is its own affair; any other exception is a finding."""
    error: Any = sys.exc_info()[1]
    if not isinstance(error, OSError):
        raised.append(repr(error))


server_module._Server.handle_error = _record  # type: ignore[method-assign]
OPEN, GUARDED = _open("127.0.0.1:0"), _open("0.0.0.0:0")
TOKEN = GUARDED.url.partition("?token=")[2].encode()


def _ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), ANSWER_S) as client:
        got = b""
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                got += part
        except TimeoutError:
            raise
        except OSError:  # what was not read is thrown away when the server is done
            pass
        return got


def target(data: bytes) -> None:
    for server in (OPEN, GUARDED):
        answer = _ask(server.port, data)
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/"):
            status = int(head.split()[1])
            assert status in STATUSES, head
            if server is GUARDED and TOKEN not in data:
                assert status not in (200, 204, 303), head
        for secret in SECRETS:
            assert secret not in answer.replace(b"\nimport ", b""), secret
        assert TOKEN not in answer or TOKEN in data
        assert len(body) < 200_000
    assert not raised, raised.pop()


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()


if __name__ == "__main__":
    samples = [_request(path) for path in PATHS]
    samples.append(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nCookie: pilotage_token=x\r\n\r\n")
    sys.exit(fuzz(target, samples, TOKENS))
