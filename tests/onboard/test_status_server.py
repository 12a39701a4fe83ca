"""The status page's server: read-only, guarded, and never in the flight's way."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.errors import InputError
from onboard.flight_settings import WebSettings
from onboard.pack.map_pack import MapPack
from onboard.web import server as server_module
from onboard.web.access import COOKIE, host_is_ours, parse_address, token_in_cookies, token_matches
from onboard.web.server import StatusServer, serve
from onboard.web.status_board import StatusBoard
from tests.onboard import journalled_flight as flight
from tests.onboard.hand_made_pack import COL0, LEVEL, ROW0

HOST = {"Host": "localhost"}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> MapPack:
    return flight.small_pack(tmp_path_factory.mktemp("web") / "a.pack")


@pytest.fixture(scope="module")
def board() -> StatusBoard:
    board = StatusBoard()
    flight.fly(board)
    return board


@pytest.fixture(scope="module")
def server(pack: MapPack, board: StatusBoard) -> Iterator[StatusServer]:
    server = serve(WebSettings("127.0.0.1:0"), board, pack)
    yield server
    server.close()


@pytest.fixture(scope="module")
def guarded(pack: MapPack, board: StatusBoard) -> Iterator[StatusServer]:
    server = serve(WebSettings("0.0.0.0:0"), board, pack)
    yield server
    server.close()


class Answered:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()


def ask(
    server: StatusServer, path: str, method: str = "GET", headers: dict[str, str] = HOST
) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return Answered(connection.getresponse())
    finally:
        connection.close()


def raw(server: StatusServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while part := client.recv(65536):
            got += part
        return got


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page.js", "text/javascript"), ("/map.js", "text/javascript"),
     ("/page.css", "text/css"), ("/status.json", "application/json"),
     ("/tracks.json", "application/json"), ("/map.json", "application/json"),
     ("/pair.jpg", "image/jpeg")],
)  # fmt: skip
def test_every_part_of_the_page_is_served(server: StatusServer, path: str, kind: str) -> None:
    answer = ask(server, path)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
    assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    head = ask(server, path, "HEAD")
    assert head.status == 200 and head.body == b""


def test_nothing_on_the_page_comes_from_elsewhere(server: StatusServer) -> None:
    for path in ("/", "/page.js", "/map.js", "/page.css"):
        assert b"//" not in ask(server, path).body.replace(b"// ", b"").replace(b"  //", b"")


def test_tiles_are_the_packs_own(server: StatusServer, pack: MapPack) -> None:
    x, y = COL0 // 2, ROW0 // 2
    tile = ask(server, f"/tiles/{LEVEL}/{x}/{y}")
    assert tile.status == 200 and "max-age" in tile.headers["Cache-Control"]
    picture = cv2.imdecode(np.frombuffer(tile.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and np.array_equal(picture, pack.picture(LEVEL, x * 256, y * 256))
    above = ask(server, f"/tiles/{LEVEL - 3}/{x >> 3}/{y >> 3}")
    joined = cv2.imdecode(np.frombuffer(above.body, np.uint8), cv2.IMREAD_COLOR)
    assert joined is not None
    left, top = (x & 7) * 32, (y & 7) * 32
    assert abs(int(joined[top + 16, left + 16, 0]) - 90) < 4
    joined[max(0, top - 8) : top + 40, max(0, left - 8) : left + 40] = 0
    assert joined.max() < 12  # nothing but that one tile


@pytest.mark.parametrize(
    "path", [f"/tiles/{LEVEL}/1/1", f"/tiles/{LEVEL - 4}/0/0", f"/tiles/{LEVEL + 1}/0/0",
             f"/tiles/{LEVEL}/99999999/0", "/tiles/0/0/0", "/tiles/99/0/0"],
)  # fmt: skip
def test_where_no_imagery_is_there_is_no_tile(server: StatusServer, path: str) -> None:
    answer = ask(server, path)
    assert answer.status == 204 and answer.body == b""


def test_the_pair_shows_view_and_map(server: StatusServer) -> None:
    pair = cv2.imdecode(np.frombuffer(ask(server, "/pair.jpg").body, np.uint8), cv2.IMREAD_COLOR)
    assert pair is not None and pair.shape == (256, 520, 3)
    shown = flight.view(29).picture
    assert np.abs(pair[:, :256].astype(int) - shown).mean() < 8
    assert np.abs(pair[20:-20, 284:500].astype(int) - 90).mean() < 4  # the pack's grey


def test_a_board_without_a_picture_has_no_pair(pack: MapPack) -> None:
    server = serve(WebSettings("127.0.0.1:0"), StatusBoard(), pack)
    try:
        assert ask(server, "/pair.jpg").status == 404
        assert json.loads(ask(server, "/status.json").body)["flying"] is False
    finally:
        server.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_it_can_only_be_read(server: StatusServer, method: str) -> None:
    answer = ask(server, "/status.json", method)
    assert (answer.status, answer.body) == (405, b"the page can only be read\n")


@pytest.mark.parametrize(
    "path", ["/../server.py", "/..%2f..%2fetc/passwd", "//etc/passwd", "/page.html", "/server.py",
             "/tiles/../page.js", "/tiles/18/-1/0", "/%00", "/status.json/", "/tiles/18/1/1/1"],
)  # fmt: skip
def test_no_other_path_exists(server: StatusServer, path: str) -> None:
    answer = ask(server, path)
    assert (answer.status, answer.body) == (404, b"there is no such page\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "localhost.evil.example"])
def test_a_foreign_name_is_refused(server: StatusServer, host: str) -> None:
    assert ask(server, "/status.json", headers={"Host": host}).status == 421


def test_a_missing_host_is_refused(server: StatusServer) -> None:
    assert ask(server, "/", headers={}).status == 421


@pytest.mark.parametrize(
    ("host", "ours"),
    [("127.0.0.1:8080", True), ("[::1]:8080", True), ("192.168.7.2", True), ("LOCALHOST:1", True),
     (socket.gethostname(), True), (f"{socket.gethostname()}.local:80", True), (None, False),
     ("localhost:port", False), ("a@localhost", False), ("[localhost", False),
     ("rebind.me", False)],
)  # fmt: skip
def test_hosts(host: str | None, ours: bool) -> None:
    assert host_is_ours(host, parse_address("127.0.0.1:8080")) is ours


def test_outside_loopback_a_token_is_asked_for(guarded: StatusServer) -> None:
    token = guarded.url.partition("?token=")[2]
    assert len(token) >= 32
    for path in ("/", "/status.json", f"/tiles/{LEVEL}/0/0", "/?token=", f"/?token={token[:-1]}",
                 f"/?token={token}x", f"/status.json?token={token}", "/nothing"):  # fmt: skip
        answer = ask(guarded, path)
        assert answer.status == 403 and token.encode() not in answer.body
    entered = ask(guarded, f"/?token={token}")
    assert (entered.status, entered.headers["Location"]) == (303, "/")
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite" in cookie
    crumb = cookie.partition(";")[0]
    assert ask(guarded, "/status.json", headers=HOST | {"Cookie": f"a=b; {crumb}"}).status == 200
    wrong = {"Cookie": f"{COOKIE}={'x' * len(token)}"}
    assert ask(guarded, "/status.json", headers=HOST | wrong).status == 403


def test_every_start_has_its_own_token(pack: MapPack, guarded: StatusServer) -> None:
    other = serve(WebSettings("0.0.0.0:0"), StatusBoard(), pack)
    other.close()
    assert other.url.partition("?")[2] != guarded.url.partition("?")[2]


def test_loopback_needs_no_token(server: StatusServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}/"


@pytest.mark.parametrize(
    "address", ["", "8080", "localhost", "localhost:", ":8080", "localhost:65536", "::1:80",
                "localhost:-1", "localhost:1e3", "localhost:²"],
)  # fmt: skip
def test_no_address_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(InputError, match="web address"):
        parse_address(address)


@pytest.mark.parametrize("host", ["203.0.113.77", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_refused(pack: MapPack, host: str) -> None:
    with pytest.raises(InputError, match="can't be had"):
        serve(WebSettings(f"{host}:0"), StatusBoard(), pack)


def test_a_port_in_use_is_refused_in_a_sentence(server: StatusServer, pack: MapPack) -> None:
    with pytest.raises(InputError, match="can't be had"):
        serve(WebSettings(f"127.0.0.1:{server.port}"), StatusBoard(), pack)


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 200 + b"\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 200 + b"\r\n",
             b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
             b"GET /" + b"a" * 700 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_request_gets_no_server_error(server: StatusServer, data: bytes) -> None:
    answer = raw(server, data)
    if answer.startswith(b"HTTP/"):  # what names no version is answered in one sentence alone
        assert answer.split()[1].startswith(b"4")
    assert ask(server, "/status.json").status == 200


def test_many_silent_clients_neither_block_nor_stay(
    pack: MapPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "WHOLE_REQUEST_S", 0.5)
    server = serve(WebSettings("127.0.0.1:0"), StatusBoard(), pack)
    clients = [socket.create_connection(("127.0.0.1", server.port), 5) for _ in range(60)]
    try:
        end_s = time.monotonic() + 15
        while True:  # once the silent ones were dropped
            try:
                assert ask(server, "/status.json").status == 200
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < end_s
                time.sleep(0.1)
        for client in clients:
            client.settimeout(10)
            assert client.recv(1) == b""
    finally:
        for client in clients:
            client.close()
        server.close()


def test_a_byte_now_and_then_does_not_hold_a_connection(
    pack: MapPack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "WHOLE_REQUEST_S", 0.6)
    server = serve(WebSettings("127.0.0.1:0"), StatusBoard(), pack)
    try:
        with socket.create_connection(("127.0.0.1", server.port), 5) as client:
            began_s = time.monotonic()
            with pytest.raises(OSError):
                for _ in range(100):
                    client.sendall(b"G")
                    time.sleep(0.1)
            assert time.monotonic() - began_s < 8
    finally:
        server.close()


def test_it_closes_at_once_and_frees_its_port(pack: MapPack) -> None:
    server = serve(WebSettings("127.0.0.1:0"), StatusBoard(), pack)
    held = socket.create_connection(("127.0.0.1", server.port), 5)
    began_s = time.monotonic()
    server.close()
    assert time.monotonic() - began_s < 3
    held.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), 1)


def test_a_damaged_map_leaves_the_page_alive(pack: MapPack, tmp_path: Path) -> None:
    folder = tmp_path / "b.pack"
    opened = flight.small_pack(folder)
    imagery = folder / "imagery.mbtiles"
    whole = imagery.read_bytes()
    broken = whole[:100] + b"\xff" * (len(whole) - 100)
    board = StatusBoard()
    flight.fly(board)
    server = serve(WebSettings("127.0.0.1:0"), board, opened)
    try:
        imagery.write_bytes(broken)
        for path in (f"/tiles/{LEVEL}/{COL0 // 2}/{ROW0 // 2}", "/pair.jpg"):
            assert ask(server, path).status in (200, 204, 404)
        assert ask(server, "/status.json").status == 200
    finally:
        server.close()


def test_tokens() -> None:
    assert token_matches("abc", "abc")
    assert not token_matches("abd", "abc") and not token_matches(None, "abc")
    assert not token_matches("äöü\udcff", "abc")
    assert token_in_cookies(f"x=1; {COOKIE}=t; y=2") == "t"
    assert token_in_cookies("x=1") is None and token_in_cookies(None) is None
