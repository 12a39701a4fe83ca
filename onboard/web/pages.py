"""What each path of the status page answers. Only these paths exist; no file is looked up."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from onboard.errors import InputError
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import IMAGERY_NAME
from onboard.web.map_tiles import MapTiles, media_type
from onboard.web.picture_pair import jpeg, picture_pair
from onboard.web.status_board import StatusBoard
from onboard.web.status_json import map_json, status_json, tracks_json

HERE = Path(__file__).parent
JSON = "application/json"
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
}
A_DAY_S = 86_400  # tiles do not change in flight
MAX_TRACKS = 8
_TILE = re.compile(r"/tiles/([0-9]{1,2})/([0-9]{1,8})/([0-9]{1,8})")
_HELD = re.compile(r"([a-z0-9]{1,16})=([0-9]{1,6})\.([0-9]{1,6})")


@dataclass(frozen=True)
class Answer:
    """An empty body: nothing to see there. keep_s: how long a browser may keep it."""

    body: bytes
    media_type: str
    keep_s: int = 0


class Pages:
    """For any number of threads."""

    def __init__(self, board: StatusBoard, pack: MapPack) -> None:
        """Raises InputError: the pack's imagery can't be opened."""
        self._board = board
        self._tiles = MapTiles(pack.path / IMAGERY_NAME)
        self._files = {
            path: Answer((HERE / name).read_bytes(), kind) for path, (name, kind) in FILES.items()
        }
        self._map = _json(map_json(pack, self._tiles.lowest_level))

    def answer(self, path: str, query: str) -> Answer | None:
        """None: there is no such page. query: as it stands in the address.

        tracks.json?estimate=0.120: what of each track the page has, as thinned.count.
        """
        if path in self._files:
            return self._files[path]
        if path == "/status.json":
            return _json(status_json(self._board.read()))
        if path == "/tracks.json":
            return _json(tracks_json(self._board, _held(query)))
        if path == "/map.json":
            return self._map
        if path == "/pair.jpg":
            return self._pair()
        if found := _TILE.fullmatch(path):
            return self._tile(*map(int, found.groups()))
        return None

    def close(self) -> None:
        self._tiles.close()

    def _tile(self, level: int, x: int, y: int) -> Answer | None:
        try:
            data = self._tiles.tile(level, x, y)
        except InputError:
            return None  # the navigator refuses frames over it by name
        return Answer(data, media_type(data), A_DAY_S) if data else Answer(b"", "image/png")

    def _pair(self) -> Answer | None:
        pictured = self._board.read().pictured
        if pictured is None:
            return None
        try:
            pair = picture_pair(pictured[1], self._tiles.picture)
        except InputError:
            return None
        return None if pair is None else Answer(jpeg(pair), "image/jpeg")


def _json(value: object) -> Answer:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Answer(text.encode(), JSON)


def _held(query: str) -> dict[str, tuple[int, int]]:
    """What can't be read is not held."""
    held = {}
    for part in query.split("&")[:MAX_TRACKS]:
        if found := _HELD.fullmatch(part):
            held[found.group(1)] = int(found.group(2)), int(found.group(3))
    return held
