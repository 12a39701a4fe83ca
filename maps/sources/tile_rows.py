"""From which side tiles in a folder or an MBTiles file count their rows, by what lies beside them.

Read from the wrong side, a map near the equator is a whole map of the wrong place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from maps.sources.tile_bounds import Box, Lies
from onboard.errors import InputError
from onboard.pack.mbtiles import MBTiles
from onboard.pack.plain_text import made_plain

TMS_FILE = "tilemapresource.xml"  # OSGeo's Tile Map Service 1.0.0; gdal2tiles writes it
JSON_FILE = "metadata.json"
MAX_SAID_BYTES = 1 << 20
# gdal2tiles writes the first; EPSG:900913 and OSGEO:41001 are Web Mercator's older names.
MERCATOR_PROFILES = ("mercator", "global-mercator")
MERCATOR_NAMES = ("EPSG:3857", "EPSG:900913", "OSGEO:41001")
MAX_SAID = 60  # characters of a name that are repeated


class FromNorth:
    """An MBTiles file whose rows, against the specification, count from the north."""

    def __init__(self, tiles: MBTiles) -> None:
        self.path, self.levels = tiles.path, tiles.levels
        self._tiles = tiles

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        return self._tiles.tile(level, x, other_row(level, y))

    def positions(self, level: int) -> list[tuple[int, int]]:
        found = [(x, other_row(level, y)) for x, y in self._tiles.positions(level)]
        return sorted(found, key=lambda p: (p[1], p[0]))


def other_row(level: int, y: int) -> int:
    """The row, counted from the other side."""
    return (1 << level) - 1 - y


def with_its_rows(
    tiles: MBTiles, metadata: Mapping[str, str], against: Lies
) -> tuple[MBTiles | FromNorth, str | None]:
    """The tiles, and what a person must know of it. against: the bounds, with the rows from the
    south. MBTiles' specification knows of no scheme: some tools write xyz of tiles that came so,
    and count from the south as it wants; so xyz counts only where the bounds bear it out."""
    if metadata.get("scheme", "").strip().lower() != "xyz":
        return tiles, None
    if against is Lies.MIRRORED:
        return FromNorth(tiles), None
    if against is Lies.EITHER:
        return tiles, (
            f"note: {tiles.path}: its metadata's scheme is xyz, and its bounds don't tell whether "
            "its rows count from the north; taken to count from the south, as MBTiles' "
            "specification has it; look whether the map lies right"
        )
    return tiles, None


def tms_file(folder: Path) -> Path | None:
    """The file that says that rows count from the south. folder: of the zooms, or of one zoom."""
    return _beside(folder, TMS_FILE)


def tms_boxes(path: Path) -> list[Box]:
    """Where it says its tiles lie, as west, south, east, north in degrees or in EPSG:3857's
    metres; older gdal2tiles write latitude first, so it may be either of two.

    Raises InputError: unreadable, tiles of another kind than Web Mercator's.
    """
    root = _read(path)
    profile = (getattr(root.find("TileSets"), "attrib", {}).get("profile") or "").strip().lower()
    name = (root.findtext("SRS") or "").strip().upper()
    if profile not in MERCATOR_PROFILES or name not in MERCATOR_NAMES:
        raise InputError(
            f"{path}: its tiles are of profile {made_plain(profile, MAX_SAID) or 'unknown'!r} in "
            f"{made_plain(name, MAX_SAID) or 'an unknown system'}, not Web Mercator's; make them "
            "again with 'gdal2tiles --xyz -p mercator', or give the picture they come from"
        )
    said = getattr(root.find("BoundingBox"), "attrib", {})
    try:
        west, south, east, north = (float(said[k]) for k in ("minx", "miny", "maxx", "maxy"))
    except (KeyError, ValueError):
        return []
    return [(west, south, east, north), (south, west, north, east)]


def json_file(folder: Path) -> Path | None:
    """As mb-util and tilelive write it. folder: of the zooms, or of one zoom."""
    return _beside(folder, JSON_FILE)


def json_boxes(path: Path) -> list[Box]:
    """The same of such a file, in degrees. Its scheme is that of where the tiles came from, so it
    tells nothing. Nothing where it says no bounds: the name is anybody's."""
    try:
        if path.stat().st_size > MAX_SAID_BYTES:
            return []
        bounds = json.loads(path.read_bytes())["bounds"]
        parts = bounds.split(",") if isinstance(bounds, str) else bounds
        west, south, east, north = (float(part) for part in parts)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []
    return [(west, south, east, north)]


def _beside(folder: Path, name: str) -> Path | None:
    places = (folder, folder.parent) if folder.name.isdecimal() else (folder,)
    return next((p / name for p in places if (p / name).is_file()), None)


def _read(path: Path) -> Element:
    try:
        if path.stat().st_size > MAX_SAID_BYTES:
            raise ValueError("it is too long")
        root: Element = ElementTree.fromstring(path.read_bytes())
    except (OSError, ParseError, DefusedXmlException, ValueError, LookupError) as e:
        raise InputError(
            f"{path}: cannot be read ({made_plain(str(e), MAX_SAID)}), so nothing tells from which "
            "side the tiles' rows count; make the tiles again with 'gdal2tiles --xyz'"
        ) from e
    return root
