"""Imagery that already lies in map tiles, as MBTiles, PMTiles, XYZ folders and tile services
have it. Only scaled by powers of two, never resampled otherwise."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import Protocol

import numpy as np

from maps.pixels import resized
from maps.plan import tile_range
from maps.sources.source import Source, marks_of
from maps.sources.sqlite_leftovers import refuse_leftovers
from maps.sources.tile_bounds import lies, refuse_elsewhere, refuse_mirrored, said_box
from maps.sources.tile_extent import TileExtent, extent_of
from maps.sources.tile_rows import FromNorth, json_boxes, json_file, with_its_rows
from maps.sources.xyz_folder import XyzFolder
from onboard.errors import InputError
from onboard.messages import TILE_PX, Picture
from onboard.pack.imagery import decode_tile
from onboard.pack.mbtiles import MBTiles
from onboard.pack.picture_header import check_tile, picture_size

MAX_TILE_PX = 2048
MAX_ATTRIBUTION = 2000  # characters


class TileStore(Protocol):
    """Encoded tiles by zoom and XYZ position, as `MBTiles` has them."""

    path: Path
    levels: tuple[int, ...]

    def tile(self, level: int, x: int, y: int) -> bytes | None: ...


class TileSource(Source):
    """Tiles of 256 px, or 256 times a power of two, as imagery."""

    def __init__(
        self,
        store: TileStore,
        files: tuple[Path, ...],
        date: str | None,
        tile_px: int,
        bounds_m: tuple[float, float, float, float],
    ) -> None:
        """Raises InputError: tiles of an odd size."""
        self.name, self.files, self.date = store.path.name, files, date
        self._store = store
        deepest = store.levels[-1]
        self._tile_px, self.bounds_m = tile_px, bounds_m
        extra = math.log2(self._tile_px / TILE_PX)
        if extra != int(extra) or not TILE_PX <= self._tile_px <= MAX_TILE_PX:
            raise InputError(
                f"{store.path}: its tiles are {self._tile_px} px wide; 256 or 512 is expected"
            )
        self._extra_levels = int(extra)
        self.native_level = float(deepest + self._extra_levels)

    def zoom_for(self, level: int) -> int:
        """The zoom that is read for a level: the nearest that is fine enough."""
        enough = [z for z in self._store.levels if z + self._extra_levels >= level]
        return enough[0] if enough else self._store.levels[-1]

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        zoom = self.zoom_for(level)
        finer = zoom + self._extra_levels - level
        side = self._tile_px >> finer if finer >= 0 else self._tile_px << -finer
        if side == 0:
            raise InputError(
                f"{self._store.path}: its coarsest tiles are of zoom {zoom}, too fine to make "
                f"level {level} from; give --levels nearer to it"
            )
        out = np.zeros((height, width, 3), np.uint8)
        for tile_y in range(y // side, (y + height - 1) // side + 1):
            for tile_x in range(x // side, (x + width - 1) // side + 1):
                tile = self._decoded(zoom, tile_x, tile_y)
                if tile is None:
                    continue
                tile = resized(tile, side, side)
                left, top = tile_x * side - x, tile_y * side - y
                x0, y0 = max(left, 0), max(top, 0)
                x1, y1 = min(left + side, width), min(top + side, height)
                out[y0:y1, x0:x1] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _decoded(self, zoom: int, x: int, y: int) -> Picture | None:
        data = self._store.tile(zoom, x, y)
        if data is None:
            return None
        name = f"{self._store.path}: tile {zoom}/{x}/{y}"
        check_tile(data, name, self._tile_px)
        return decode_tile(data, name)


class StoredTiles(TileSource):
    """Tiles that are all there to be looked at."""

    def __init__(
        self, store: TileStore, files: tuple[Path, ...], date: str | None, extent: TileExtent
    ) -> None:
        """extent: of the deepest tiles. Raises InputError: tiles of an odd size."""
        tile_px = _size_of(store, extent.zoom, *extent.first)
        super().__init__(store, files, date, tile_px, extent.bounds_m)
        self.fill = extent.fill


class XyzSource(StoredTiles):
    """An XYZ folder, of which a part may change."""

    def __init__(self, store: XyzFolder) -> None:
        files = [file for z in store.levels for _, file in sorted(store.files_at[z].items())]
        of_tms = (store.tms,) if store.tms else ()
        super().__init__(store, (*files, *of_tms), None, _deepest(store))
        self._folder = store

    def mark(self, level: int, bounds_m: tuple[float, float, float, float]) -> str:
        zoom = self.zoom_for(level)
        x0, y0, x1, y1 = tile_range(bounds_m, zoom)
        files = self._folder.files_at[zoom]
        around = ((x, y) for x in range(x0, x1) for y in range(y0, y1))
        found = [(place, files[place]) for place in around if place in files]
        return f"{zoom} {[place for place, _ in found]} {marks_of(file for _, file in found)}"


def open_mbtiles(path: Path) -> TileSource:
    """Raises InputError as `refuse_leftovers`, `MBTiles`, `StoredTiles` and `refuse_elsewhere`
    do, and on vector tiles."""
    refuse_leftovers(path)
    tiles = MBTiles(path)
    metadata = tiles.metadata()
    if metadata.get("format") == "pbf":
        raise InputError(f"{path}: holds vector tiles, not pictures; give a raster MBTiles file")
    said, extent = said_box(metadata.get("bounds")), _deepest(tiles)
    store, note = with_its_rows(tiles, metadata, lies(said, extent.bounds_m, extent.zoom))
    source = StoredTiles(store, (path,), metadata.get("date"), _deepest(store))
    mend = f"""run sqlite3 {shlex.quote(str(path))} "DELETE FROM metadata WHERE name='bounds'\""""
    refuse_elsewhere(path, said, source.bounds_m, extent.zoom, mend)
    source.attribution, source.note = plain_text(metadata.get("attribution")), note
    return source


def open_xyz(path: Path) -> TileSource:
    """Raises InputError as `XyzFolder`, `StoredTiles`, `refuse_elsewhere` and `refuse_mirrored`
    do."""
    folder = XyzFolder(path)
    source = XyzSource(folder)
    zoom = folder.levels[-1]
    mend = "correct its BoundingBox"
    refuse_elsewhere(folder.tms or path, folder.boxes, source.bounds_m, zoom, mend)
    said = json_file(path)
    if said is not None:  # anybody's name: it may speak of something else
        refuse_mirrored(said, json_boxes(said), source.bounds_m, zoom)
    return source


def plain_text(said: object) -> str | None:
    """An attribution as text: the metadata of tiles often has it as HTML."""
    if not isinstance(said, str):
        return None
    text = re.sub(r"\s+", " ", re.sub(r"<[^<>]*>", "", said[:MAX_ATTRIBUTION])).strip()
    return "".join(c for c in text if c.isprintable()) or None


def _deepest(store: XyzFolder | MBTiles | FromNorth) -> TileExtent:
    if not store.levels:
        raise InputError(f"{store.path}: holds no tiles; give another file")
    zoom = store.levels[-1]
    return extent_of(zoom, [np.array(store.positions(zoom), np.int64)])


def _size_of(store: TileStore, zoom: int, x: int, y: int) -> int:
    name = f"{store.path}: tile {zoom}/{x}/{y}"
    size = picture_size(store.tile(zoom, x, y) or b"")
    if size is None:
        raise InputError(f"{name}: is no whole JPEG, PNG or WebP picture; get it again")
    return size[0]
