"""Against a real HTTP server that throttles, fails and lies."""

import re
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from shapely.geometry import box

from maps.plan import tile_box
from maps.sources import tile_client
from maps.sources.open_imagery import open_imagery
from maps.sources.tile_source import open_xyz
from onboard.errors import InputError
from tests.maps.small_imagery import texture, tiles_of, write_xyz
from tests.maps.sources.tile_server import Reply, serving

ZOOM, X0, Y0 = 15, 24000, 13600
COLS, ROWS = 4, 3
PICTURE = texture(256 * ROWS, 256 * COLS)
KEY = "s3cret/Key+"
WEST, _, _, NORTH = tile_box(X0, Y0, ZOOM)
_, SOUTH, EAST, _ = tile_box(X0 + COLS - 1, Y0 + ROWS - 1, ZOOM)
INSET = 1e-5  # degrees: an area that ends on a tile's edge touches the next one
AREA = box(WEST + INSET, SOUTH + INSET, EAST - INSET, NORTH - INSET)
WINDOW = ZOOM, X0 * 256, Y0 * 256, 256 * COLS, 256 * ROWS


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes()


TILES = {(X0 + x, Y0 + y): png(tile) for (x, y), tile in tiles_of(PICTURE).items()}


def tile_at(path: str, _headers: dict[str, str]) -> Reply:
    """Of the paths /z/x/y."""
    found = re.match(r"/(\d+)/(\d+)/(\d+)", path)
    data = TILES.get((int(found[2]), int(found[3]))) if found else None
    return Reply(404) if data is None else Reply(body=data, headers={"Content-Type": "image/png"})


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(tile_client, "BACKOFF_S", 0.01)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(tile_client, "SILENCE_S", 0.3)
    monkeypatch.setattr(tile_client, "WHOLE_S", 0.4)


@pytest.fixture
def service(tmp_path):
    def write(url: str, **more: object):
        said = {"url": url, "levels": f"10-{ZOOM}", "requests_per_s": 100, "parallel": 4, **more}
        lines = [f"{k} = {v if isinstance(v, list) else repr(v)}" for k, v in said.items()]
        (tmp_path / "service.toml").write_text("\n".join(lines))
        return tmp_path / "service.toml"

    return write


def opened(path, area=AREA):
    return open_imagery([path], None, area)[0][0]


def read(path, area=AREA):
    source = opened(path, area)
    source.prepare(ZOOM)
    return source.read(*WINDOW)


def from_south(y: str) -> int:
    return (1 << ZOOM) - 1 - int(y)


def by_quadkey(path: str, headers: dict[str, str]) -> Reply:
    digits = path.removeprefix("/q")
    x = int("".join(str(int(d) & 1) for d in digits), 2)
    y = int("".join(str(int(d) >> 1) for d in digits), 2)
    return tile_at(f"/{len(digits)}/{x}/{y}", headers)


def by_south(path: str, headers: dict[str, str]) -> Reply:
    zoom, x, y = path.strip("/").split("/")
    return tile_at(f"/{zoom}/{x}/{from_south(y)}", headers)


def by_key_and_value(path: str, headers: dict[str, str]) -> Reply:
    from urllib.parse import parse_qs, urlsplit

    query = {k: v[0] for k, v in parse_qs(urlsplit(path).query).items()}
    assert query["SERVICE"] == "WMTS" and query["REQUEST"] == "GetTile" and query["map"] == "a"
    assert query["LAYER"] == "ortho photo" and query["TILEMATRIXSET"] == "EPSG:3857"
    zoom = query["TILEMATRIX"].removeprefix("EPSG:3857:")
    return tile_at(f"/{zoom}/{query['TILECOL']}/{query['TILEROW']}", headers)


@pytest.mark.parametrize(
    ("path", "more", "answer"),
    [
        ("/{z}/{x}/{y}.png", {}, tile_at),
        ("/{z}/{x}/{-y}", {}, by_south),
        ("/{z}/{x}/{y}", {"scheme": "tms"}, by_south),
        ("/q{q}", {}, by_quadkey),
        (
            "/{TileMatrix}/{TileCol}/{TileRow}",
            {"scheme": "wmts", "matrix_set": "GoogleMapsCompatible"},
            tile_at,
        ),
        (
            "/wmts?map=a",
            {
                "scheme": "wmts",
                "layer": "ortho photo",
                "matrix_set": "EPSG:3857",
                "matrix": "EPSG:3857:{z}",
            },
            by_key_and_value,
        ),
    ],
)
def test_every_scheme_gives_the_same_imagery_as_the_folder(service, tmp_path, path, more, answer):
    folder = open_xyz(write_xyz(tmp_path / "xyz", PICTURE, ZOOM, X0, Y0))
    with serving(answer) as server:
        source = opened(service(server.url + path, **more))
        source.prepare(ZOOM)
        assert np.array_equal(source.read(*WINDOW), folder.read(*WINDOW))
        assert source.native_level == ZOOM
        assert len(server.asked) == COLS * ROWS == len(set(server.paths()))


def test_reading_before_preparing_fetches_too_and_a_cache_asks_for_nothing(service, capsys):
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}")
        assert np.array_equal(opened(path).read(*WINDOW), PICTURE)
        said = capsys.readouterr().err
        assert f"for {COLS * ROWS} tiles of zoom {ZOOM}" in said and "at most 4" in said
        server.asked.clear()
    assert np.array_equal(read(path), PICTURE)  # the server is gone
    assert "asks" not in capsys.readouterr().err


def test_only_the_area_is_asked_for_and_coarser_levels_are_whole_at_its_edge(service):
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}", levels=str(ZOOM))
        corner = box(WEST + INSET, NORTH - INSET * 2, WEST + INSET * 2, NORTH - INSET)
        opened(path, corner).prepare(ZOOM)
        assert server.paths() == [f"/{ZOOM}/{X0}/{Y0}"]
        opened(path, corner).prepare(ZOOM - 1)
        assert len(server.asked) == 4
        edge = box(WEST + INSET, NORTH - INSET, EAST - INSET, NORTH + INSET)
        opened(path, edge).prepare(ZOOM)
        assert len(server.asked) == 4 + 8 - 2  # 404 above the imagery


def test_the_rate_holds_over_all_threads(service):
    with serving(lambda p, h: tile_at(p, h)) as server:
        read(service(server.url + "/{z}/{x}/{y}", requests_per_s=20, parallel=8))
        times = sorted(a.at_s for a in server.asked)
    assert len(times) == COLS * ROWS
    assert times[-1] - times[0] >= (len(times) - 1) / 20 - 0.05
    for start in times:
        assert sum(start <= t < start + 0.25 for t in times) <= 0.25 * 20 + 2


def test_no_more_requests_at_once_than_parallel(service):
    def slow(path, headers):
        reply = tile_at(path, headers)
        reply.stall_s = 0.05
        return reply

    with serving(slow) as server:
        read(service(server.url + "/{z}/{x}/{y}", parallel=3))
        assert 2 <= server.most_at_once <= 3


def test_who_asks_is_said(service):
    with serving(tile_at) as server:
        read(service(server.url + "/{z}/{x}/{y}", contact="maps@club.example"))
        agents = {a.headers["User-Agent"] for a in server.asked}
    assert len(agents) == 1
    assert re.fullmatch(r"Pilotage/[\w.]+ \(map builder; maps@club\.example\)", agents.pop())


class Sometimes:
    """Answers the first `count` requests with something else."""

    def __init__(self, count: int, bad: Reply) -> None:
        self.left, self.bad, self._lock = count, bad, threading.Lock()

    def __call__(self, path: str, headers: dict[str, str]) -> Reply:
        with self._lock:
            self.left -= 1
            return self.bad if self.left >= 0 else tile_at(path, headers)


def half(**more) -> Reply:
    whole = TILES[X0, Y0]
    return Reply(body=whole[: len(whole) // 2], headers={"Content-Type": "image/png"}, **more)


PASSING = {
    "a 500": Reply(500),
    "a 503": Reply(503, headers={"Retry-After": "0"}),
    "a 429": Reply(429),
    "a connection closed": Reply(0),
    "a body cut off": half(length=len(TILES[X0, Y0])),
    "half a picture": half(),
    "silence": Reply(stall_s=0.6),
    "one byte at a time": Reply(body=TILES[X0, Y0], drip_s=0.02),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_waited_for(service, impatient, kind):
    with serving(Sometimes(2, PASSING[kind])) as server:
        out = read(service(server.url + "/{z}/{x}/{y}", parallel=1))
        assert np.array_equal(out, PICTURE)
        assert len(server.asked) >= COLS * ROWS + 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("a 500", "the answer was 500 Internal Server Error"),
        ("a 429", "the answer was 429 Too Many Requests"),
        ("a connection closed", r"cannot be reached \(it closed the connection\)"),
        ("a body cut off", "the answer was cut off"),
        ("half a picture", "half a picture came"),
        ("silence", "no answer came in time"),
        ("one byte at a time", "not whole after"),
    ],
)
def test_what_lasts_stops_the_build_in_a_sentence(service, impatient, kind, reason):
    with serving(lambda *_: PASSING[kind]) as server:
        path = service(server.url + "/{z}/{x}/{y}", parallel=2)
        with pytest.raises(InputError, match=rf"{reason}.*5 times in a row.*goes on where"):
            read(path)
        asked = len(server.asked)
        assert 5 <= asked <= 10
        time.sleep(0.1)
        assert len(server.asked) == asked


def test_retry_after_holds_everybody(service):
    busy = Reply(429, headers={"Retry-After": "1"})
    with serving(Sometimes(1, busy)) as server:
        read(service(server.url + "/{z}/{x}/{y}", parallel=4))
        times = [a.at_s for a in server.asked]
    late = [t for t in times[1:] if t - times[0] < 0.95]
    assert len(late) <= 3  # those on their way when the server said so
    assert max(times) - times[0] >= 1.0


def test_a_retry_after_as_a_date_and_one_too_long(service):
    from email.utils import formatdate

    far = Reply(503, headers={"Retry-After": formatdate(time.time() + 7200, usegmt=True)})
    with serving(lambda *_: far) as server:
        with pytest.raises(InputError, match=r"503 Service Unavailable, and the server asks to wa"):
            read(service(server.url + "/{z}/{x}/{y}", parallel=1))
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 407, 451])
def test_a_refusal_is_a_full_stop(service, status):
    with serving(lambda *_: Reply(status, body=b"no")) as server:
        with pytest.raises(InputError, match=f"refused with {status} .*Nothing more was asked"):
            read(service(server.url + "/{z}/{x}/{y}", parallel=2))
        time.sleep(0.1)
        assert len(server.asked) <= 2


def test_what_came_before_a_refusal_is_kept(service):
    count = iter(range(100))

    def five(path, headers):
        return tile_at(path, headers) if next(count) < 5 else Reply(403)

    with serving(five) as server:
        path = service(server.url + "/{z}/{x}/{y}", parallel=1)
        with pytest.raises(InputError, match="403"):
            read(path)
        server.answer = tile_at
        assert np.array_equal(read(path), PICTURE)
        assert len(server.asked) == COLS * ROWS + 1


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(body=b"<html>Log in</html>", headers={"Content-Type": "text/html"}), "text/html"),
        (Reply(body=b'{"error":1}', headers={"Content-Type": "image/png"}), "something else"),
        (Reply(body=png(np.ones((512, 512, 3)))), "is 512x512 px where tile_px is 256"),
        (Reply(body=b"\xff\xd8" + bytes(1 << 20)), "too much for a tile"),
        (Reply(body=TILES[X0, Y0], headers={"Content-Encoding": "br"}), "came compressed"),
    ],
)
def test_a_lie_is_found_out_at_once(service, reply, sentence):
    with serving(lambda *_: reply) as server:
        with pytest.raises(InputError, match=sentence):
            read(service(server.url + "/{z}/{x}/{y}", parallel=1))
        assert len(server.asked) == 1


def test_a_body_that_unpacks_without_end_is_cut_off(service):
    import gzip

    bomb = gzip.compress(bytes(200 << 20))
    reply = Reply(body=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "image/png"})
    with (
        serving(lambda *_: reply) as server,
        pytest.raises(InputError, match="too much for a tile"),
    ):
        read(service(server.url + "/{z}/{x}/{y}", parallel=1))


@pytest.mark.parametrize("hole", [Reply(404), Reply(204), Reply(200), Reply(410)])
def test_no_tile_is_a_hole_that_is_said_and_not_asked_for_again(service, hole, capsys):
    def some(path, headers):
        return hole if path.endswith(f"/{X0}/{Y0}") else tile_at(path, headers)

    with serving(some) as server:
        path = service(server.url + "/{z}/{x}/{y}")
        out = read(path)
        assert not out[:256, :256].any() and np.array_equal(out[256:], PICTURE[256:])
        assert "has none of 1 of 12 tiles" in capsys.readouterr().err
        read(path)
        assert len(server.asked) == COLS * ROWS


def test_a_service_without_any_tile_here_says_so_and_may_have_some_tomorrow(service):
    with serving(lambda *_: Reply(404)) as server:
        path = service(server.url + "/{z}/{x}/{y}")
        with pytest.raises(InputError, match=f"none of 12 tiles of zoom {ZOOM}"):
            read(path)
        server.answer = tile_at
        assert np.array_equal(read(path), PICTURE)


def test_a_large_area_without_tiles_is_given_up_after_a_sample(service):
    with serving(lambda *_: Reply(404)) as server:
        wide = box(WEST, SOUTH, WEST + 0.3, SOUTH + 0.3)  # some 900 tiles
        with pytest.raises(InputError, match="none of 64 tiles"):
            read(service(server.url + "/{z}/{x}/{y}"), wide)
        assert len(server.asked) == 64


def test_one_picture_for_many_tiles_is_said_and_can_be_named_a_hole(service, capsys):
    blank = png(np.full((256, 256, 3), 200, np.uint8))
    wide = box(WEST + INSET, SOUTH + INSET, WEST + 0.15, NORTH - INSET)

    def mostly(path, headers):
        reply = tile_at(path, headers)
        return Reply(body=blank) if reply.status == 404 else reply

    with serving(mostly) as server:
        path = service(server.url + "/{z}/{x}/{y}")
        out = read(path, wide)
        said = capsys.readouterr().err
        digest = re.search(r"add '([0-9a-f]{64})' to blank_sha256", said)[1]
        beside = ZOOM, (X0 + COLS) * 256, Y0 * 256, 256, 256
        assert opened(path, wide).read(*beside).any() and np.array_equal(out, PICTURE)
        asked = len(server.asked)
        path = service(server.url + "/{z}/{x}/{y}", blank_sha256=[digest])
        source = opened(path, wide)
        source.prepare(ZOOM)
        assert not source.read(*beside).any()
        assert len(server.asked) == asked and "blank_sha256" not in capsys.readouterr().err


def test_the_key_reaches_the_server_and_nothing_else(service, monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("MAP_KEY", KEY)
    caplog.set_level("DEBUG")
    replies = [PASSING["a 500"], half(), half(length=1 << 17), Reply(body=b"<html>"), Reply(401)]
    replies += [Reply(302, headers={"Location": to}) for to in ("http://[::1", "https://a.org")]
    with serving(tile_at) as server:
        path = service(
            server.url + "/{z}/{x}/{y}?k={key}", key_env="MAP_KEY", key_header="X-Key", parallel=1
        )
        errors = []
        for reply in replies:
            server.answer = lambda *_, reply=reply: reply
            with pytest.raises(InputError) as caught:
                read(path)
            errors += [repr(caught.getrepr(chain=True)), repr(caught.value.__context__)]
        server.answer = tile_at
        read(path)
        assert all(a.headers["X-Key"] == KEY for a in server.asked)
        assert server.paths()[-1].endswith("?k=s3cret%2FKey%2B")
    kept = [f.read_bytes() for f in tmp_path.iterdir()]
    for text in (*errors, caplog.text, *map(repr, kept)):
        assert "s3cret" not in text


@pytest.mark.parametrize("key", [None, "", "  ", "k\u00e4y", "a\nb"])
def test_without_a_usable_key_nothing_is_asked(service, monkeypatch, key):
    monkeypatch.delenv("MAP_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("MAP_KEY", key)
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}?k={key}", key_env="MAP_KEY")
        with pytest.raises(InputError, match="MAP_KEY") as caught:
            read(path)
        assert not server.asked and (not key or key not in str(caught.value))


def test_a_redirect_is_followed_here_but_not_elsewhere_with_the_key(service, monkeypatch):
    monkeypatch.setenv("MAP_KEY", KEY)
    with serving(tile_at) as other, serving(tile_at) as server:
        elsewhere = other.url.replace("127.0.0.1", "localhost")

        def to(base):
            def answer(path, headers):
                if path.startswith("/old"):
                    return Reply(302, headers={"Location": base + path.removeprefix("/old")})
                return tile_at(path, headers)

            return answer

        server.answer = to("")
        keyed = service(server.url + "/old/{z}/{x}/{y}?{key}", key_env="MAP_KEY")
        assert np.array_equal(read(keyed), PICTURE)
        server.answer = to(elsewhere)
        keyed = service(server.url + "/old/{z}/{x}/{y}?2{key}", key_env="MAP_KEY")
        with pytest.raises(InputError, match="redirected to another server") as caught:
            read(keyed)
        assert not other.asked and "s3cret" not in str(caught.value)
        assert np.array_equal(read(service(server.url + "/old/{z}/{x}/{y}")), PICTURE)
        assert len(other.asked) == COLS * ROWS
        elsewhere = server.url.replace(str(server.server.server_port), "9")
        server.answer = to(elsewhere)
        keyed = service(server.url + "/old/{z}/{x}/{y}?3{key}", key_env="MAP_KEY")
        with pytest.raises(InputError, match="redirected to another server"):
            read(keyed)
        server.answer = lambda path, _: Reply(302, headers={"Location": path})
        with pytest.raises(InputError, match="again and again"):
            read(service(server.url + "/again/{z}/{x}/{y}"))


def test_an_old_tile_is_asked_for_again_and_told_when_unchanged(service, tmp_path):
    def tagged(path, headers):
        if headers.get("If-None-Match") == '"1"':
            return Reply(304)
        reply = tile_at(path, headers)
        reply.headers["ETag"] = '"1"'
        return reply

    with serving(tagged) as server:
        path = service(server.url + "/{z}/{x}/{y}", refresh_days=30)
        first = opened(path)
        first.prepare(ZOOM)
        mark = first.mark(ZOOM, first.bounds_m)
        (cache,) = tmp_path.glob("*.tiles")
        with sqlite3.connect(cache) as db:
            db.execute("UPDATE answers SET asked_s = asked_s - 31*86400")
        assert np.array_equal(read(path), PICTURE)
        assert [a.headers.get("If-None-Match") for a in server.asked[12:]] == ['"1"'] * 12
        read(path)
        assert len(server.asked) == 24
        assert opened(path).mark(ZOOM, first.bounds_m) == mark
        with sqlite3.connect(cache) as db:
            db.execute(f"UPDATE answers SET asked_s = 0 WHERE x={X0} AND y={Y0}")
        server.answer = lambda *_: Reply(body=png(texture(256, 256, seed=9)))
        again = opened(path)
        again.prepare(ZOOM)
        assert np.array_equal(again.read(*WINDOW)[:256, :256], texture(256, 256, seed=9))
        assert again.mark(ZOOM, first.bounds_m) != mark


def test_a_server_that_is_not_there_and_one_with_a_wrong_certificate(service, tmp_path):
    with pytest.raises(InputError, match=r"cannot be reached \(Connection refused\)"):
        read(service("http://127.0.0.1:9/{z}/{x}/{y}"))
    certificate = tmp_path / "c.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-keyout", str(certificate), "-out", str(tmp_path / "only.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    with serving(tile_at) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "only.pem", certificate)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        url = server.url.replace("http:", "https:") + "/{z}/{x}/{y}"
        with pytest.raises(InputError, match=r"certificate is not valid \(self.signed"):
            read(service(url, parallel=1))


KILLED = """
import sys
from pathlib import Path
from shapely import from_wkt
from maps.sources.open_imagery import open_imagery
source = open_imagery([Path(sys.argv[1])], None, from_wkt(sys.argv[2]))[0][0]
source.prepare(15)
"""


def test_a_killed_fetch_goes_on_without_asking_again(service):
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}", requests_per_s=20, parallel=2)
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), AREA.wkt], stderr=subprocess.DEVNULL
        )
        while len(server.asked) < 6:
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
        child.wait()
        before = len(server.asked)
        assert before < COLS * ROWS
        assert np.array_equal(read(path), PICTURE)
        assert len(server.asked) <= COLS * ROWS + 2  # those on their way when it was killed


def test_two_processes_ask_once(service):
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}", requests_per_s=50, parallel=2)
        command = [sys.executable, "-c", KILLED, str(path), AREA.wkt]
        children = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
        assert [c.wait() for c in children] == [0, 0]
        assert len(server.asked) == COLS * ROWS


def test_a_damaged_cache_says_what_to_do(service, tmp_path):
    with serving(tile_at) as server:
        path = service(server.url + "/{z}/{x}/{y}")
        read(path)
        (cache,) = tmp_path.glob("*.tiles")
        with sqlite3.connect(cache) as db:
            db.execute("UPDATE answers SET data = x'00'")
        with pytest.raises(InputError, match=r"tile 15/24000/13600 has changed.*delete the file"):
            read(path)
        cache.write_bytes(b"rubbish" * 1000)
        with pytest.raises(InputError, match=r"damaged.*delete the file"):
            read(path)


def test_an_area_is_needed_and_has_a_limit(service):
    path = service("http://127.0.0.1:9/{z}/{x}/{y}")
    with pytest.raises(InputError, match="give the area"):
        open_imagery([path])
    with pytest.raises(InputError, match=r"more than 100,000 tiles.*max_tiles"):
        read(path, box(0, 0, 20, 20))
