"""The status page in a real browser: it shows what the board holds, and says when it can't."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.flight_settings import WebSettings
from onboard.messages import HeightUsed
from onboard.pack.map_pack import MapPack
from onboard.reasons import GnssState
from onboard.web.server import StatusServer, serve
from onboard.web.status_board import StatusBoard
from tests.onboard import journalled_flight as flight
from tests.onboard.headless_browser import CHROMIUM, WHY_SKIPPED, Browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=WHY_SKIPPED)
SIZES = [(1280, 860), (360, 740)]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> MapPack:
    return flight.small_pack(tmp_path_factory.mktemp("page") / "a.pack")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def board() -> StatusBoard:
    board = StatusBoard()
    flight.fly(board)
    return board


@pytest.fixture
def server(board: StatusBoard, pack: MapPack, browser: Browser) -> Iterator[StatusServer]:
    browser.errors.clear()
    server = serve(WebSettings("127.0.0.1:0"), board, pack)
    yield server
    browser.open("about:blank")
    server.close()


def text(browser: Browser, name: str) -> str:
    return str(browser.value(f"document.getElementById('{name}').innerText"))


def shows(browser: Browser, name: str, words: str, timeout_s: float = 30.0) -> None:
    browser.wait_for(
        f"(document.getElementById('{name}')?.innerText || '').includes({words!r})", timeout_s
    )


@pytest.mark.parametrize("size", SIZES)
def test_it_shows_the_flight(
    server: StatusServer, browser: Browser, size: tuple[int, int], tmp_path: Path
) -> None:
    browser.open(server.url, *size)
    shows(browser, "mode", "tracking")
    assert text(browser, "gnss") == "jammed"
    assert text(browser, "protection") == "21 m" and text(browser, "speed") == "8.0 m/s"
    assert "12 satellites" in text(browser, "evidence")
    assert "disk full" in text(browser, "health")
    assert "30 frames, 20 fixes" in text(browser, "counts")
    assert "two places <b>alike</b>" in text(browser, "refusals")  # as text, not as HTML
    assert "AUTO, armed" in text(browser, "vehicle")
    shows(browser, "legend", "Pilotage")
    browser.wait_for("document.getElementById('pair').naturalWidth === 520")
    assert browser.value("document.documentElement.scrollWidth") <= size[0]
    browser.wait_for("document.getElementById('map').getBoundingClientRect().height > 200")
    # The pack's only tile is grey 90, the track orange.
    for colour in ((90, 90, 90), (255, 157, 77)):
        browser.wait_for(_has_colour(*colour))
    browser.screenshot(tmp_path / "page.png")
    picture = cv2.imread(str(tmp_path / "page.png"))
    assert picture is not None and picture.shape[:2] == size[::-1] and np.std(picture) > 10
    assert browser.errors == []


def test_it_says_which_height_a_frame_was_seen_with_and_from_what(
    server: StatusServer, browser: Browser, board: StatusBoard
) -> None:
    board.note(flight.ticked(31.0))
    board.note(flight.found(31.0, 31))
    browser.open(server.url, *SIZES[1])
    shows(browser, "height", "112 m, one sigma 3.1 m")
    said = text(browser, "height")
    assert "height above sea level and the map's terrain" in said
    assert "431 m above sea level" in said and "-4.2 m, by which" in said
    assert "terrain says 7.6 m less" in said
    assert "a tile <b>damaged</b>" in said  # as text, not as HTML
    assert browser.value("document.documentElement.scrollWidth") <= SIZES[1][0]
    for height, words in (
        (HeightUsed(80.0, 0.5, "rangefinder"), "from\trangefinder"),
        (HeightUsed(80.0, 0.5, "<b>new</b>"), "from\t<b>new</b>"),  # the page has no words for it
        (None, "none over the map's terrain"),
    ):
        done = flight.found(31.0, 32)
        board.note(replace(done, result=replace(done.result, height=height)))
        shows(browser, "height", words)
        said = text(browser, "height")
        assert "null" not in said and "ground below" not in said and "taken off" not in said
    assert browser.errors == []


def test_the_map_can_be_moved_and_follows_again(server: StatusServer, browser: Browser) -> None:
    browser.open(server.url, *SIZES[0])
    shows(browser, "legend", "Pilotage")
    before = browser.wait_for(_OF_THE_ARROW)
    browser.drag((400, 400), (300, 350))
    browser.wait_for("document.getElementById('follow').getAttribute('aria-pressed') === 'false'")
    browser.wait_for(f"{_OF_THE_ARROW} !== {before!r}")
    browser.value("document.getElementById('follow').click()")
    browser.wait_for(f"{_OF_THE_ARROW} === {before!r}")
    assert browser.errors == []


def test_it_follows_what_changes(
    server: StatusServer, browser: Browser, board: StatusBoard
) -> None:
    browser.open(server.url, *SIZES[0])
    shows(browser, "gnss", "jammed")
    board.note(flight.refused(31.0, 31))
    board.note(flight.ticked(31.0, GnssState.SPOOFED))
    shows(browser, "gnss", "spoofed", 10)
    shows(browser, "counts", "31 frames")
    assert browser.errors == []


def test_a_flight_that_stopped_is_not_shown_as_live(
    server: StatusServer, browser: Browser, board: StatusBoard
) -> None:
    board.note(flight.ticked(31.0))
    browser.open(server.url, *SIZES[0])
    shows(browser, "connection", "flight silent", 15)
    assert browser.value("document.getElementById('connection').className") == "bad"


def test_a_lost_connection_is_said_and_comes_back(
    board: StatusBoard, pack: MapPack, browser: Browser
) -> None:
    first = serve(WebSettings("127.0.0.1:0"), board, pack)
    browser.open(first.url, *SIZES[0])
    shows(browser, "mode", "tracking")
    first.close()
    shows(browser, "connection", "no connection", 15)
    assert text(browser, "mode") == "-"  # an old position is no position
    second = serve(WebSettings(f"127.0.0.1:{first.port}"), board, pack)
    try:
        shows(browser, "mode", "tracking", 30)
    finally:
        browser.open("about:blank")
        second.close()


def test_the_token_opens_the_page_and_leaves_the_address(
    board: StatusBoard, pack: MapPack, browser: Browser
) -> None:
    server = serve(WebSettings("0.0.0.0:0"), board, pack)
    try:
        base = f"http://127.0.0.1:{server.port}/"
        browser.open(base)
        browser.wait_for("document.body.innerText.includes('token included')")
        browser.open(base + "?token=" + server.url.partition("?token=")[2])
        shows(browser, "mode", "tracking")
        assert browser.value("location.href") == base
    finally:
        browser.open("about:blank")
        server.close()


def test_an_empty_board_waits(pack: MapPack, browser: Browser) -> None:
    browser.errors.clear()
    server = serve(WebSettings("127.0.0.1:0"), StatusBoard(), pack)
    try:
        browser.open(server.url)
        shows(browser, "connection", "waiting for the flight")
        time.sleep(0.5)
        assert browser.value("document.getElementById('pair').offsetHeight") == 0
        assert browser.errors == []
    finally:
        browser.open("about:blank")
        server.close()


def _has_colour(red: int, green: int, blue: int) -> str:
    """Whether the map's canvas holds many pixels of about this colour."""
    return f"""(() => {{
      const c = document.getElementById('map');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let n = 0;
      for (let i = 0; i < d.length; i += 4)
        n += Math.abs(d[i] - {red}) + Math.abs(d[i+1] - {green}) + Math.abs(d[i+2] - {blue}) < 12;
      return n > 100;
    }})()"""


# The first orange pixel, which moves with the map.
_OF_THE_ARROW = """(() => {
  const c = document.getElementById('map');
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  for (let i = 0; i < d.length; i += 4)
    if (Math.abs(d[i] - 255) + Math.abs(d[i+1] - 157) + Math.abs(d[i+2] - 77) < 12) return i;
  return null;
})()"""
