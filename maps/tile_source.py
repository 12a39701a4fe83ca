"""Imagery that already lies in map tiles: an MBTiles file or an XYZ folder. Only scaled by
powers of two, never resampled otherwise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import numpy as np

from maps.pixels import resized
from maps.source import WORLD_M, Source
from onboard.errors import InputError
from onboard.imagery import decode_tile
from onboard.mbtiles import MBTiles
from onboard.messages import TILE_PX, Picture

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class TileStore(Protocol):
    """Encoded tiles by zoom and XYZ position, as `MBTiles` has them."""

    path: Path
    levels: tuple[int, ...]

    def tile(self, level: int, x: int, y: int) -> bytes | None: ...

    def positions(self, level: int) -> list[tuple[int, int]]: ...


class XyzFolder:
    """Tiles in files z/x/y.jpg (.png, .webp), y counted from the north."""

    def __init__(self, path: Path) -> None:
        """path: the folder that holds the zooms, or the folder of one zoom, named by it.

        Raises InputError when there are no tiles in it.
        """
        self.path = path
        zooms: dict[int, Path] = {}
        for child in _numbered(path):
            if _tile_files(child):
                if not path.name.isdigit():
                    raise InputError(
                        f"{path}: holds tiles of one zoom but is not named by it; rename it to "
                        "the zoom's number"
                    )
                zooms = {int(path.name): path}
                break
            if any(_tile_files(column) for column in _numbered(child)):
                zooms[int(child.name)] = child
        if not zooms:
            raise InputError(
                f"{path}: holds no tiles; an XYZ folder holds z/x/y.jpg, .png or .webp"
            )
        self.levels = tuple(sorted(zooms))
        self.files_at = {
            zoom: {
                (int(column.name), int(file.stem)): file
                for column in _numbered(folder)
                for file in _tile_files(column)
            }
            for zoom, folder in zooms.items()
        }

    def tile(self, level: int, x: int, y: int) -> bytes | None:
        file = self.files_at[level].get((x, y))
        try:
            return None if file is None else file.read_bytes()
        except OSError as e:
            raise InputError(f"{file}: cannot be read ({e.strerror})") from e

    def positions(self, level: int) -> list[tuple[int, int]]:
        return sorted(self.files_at[level], key=lambda p: (p[1], p[0]))


class TileSource(Source):
    """Tiles of 256 px, or 256 times a power of two, as imagery."""

    def __init__(self, store: TileStore, files: tuple[Path, ...], date: str | None) -> None:
        """Raises InputError: no tiles, tiles of an odd size."""
        self.name, self.files, self.date = store.path.name, files, date
        self._store = store
        if not store.levels:
            raise InputError(f"{store.path}: holds no tiles; give another file")
        deepest = store.levels[-1]
        positions = store.positions(deepest)
        (x, y), *_ = positions
        first = store.tile(deepest, x, y) or b""
        self._tile_px = len(decode_tile(first, f"{store.path}: tile {deepest}/{x}/{y}"))
        extra = math.log2(self._tile_px / TILE_PX)
        if extra != int(extra) or extra < 0:
            raise InputError(
                f"{store.path}: its tiles are {self._tile_px} px wide; 256 or 512 is expected"
            )
        self._extra_levels = int(extra)
        self.native_level = float(deepest + self._extra_levels)
        side_m = WORLD_M / 2**deepest
        xs, ys = [p[0] for p in positions], [p[1] for p in positions]
        self.bounds_m = (
            min(xs) * side_m - WORLD_M / 2,
            WORLD_M / 2 - (max(ys) + 1) * side_m,
            (max(xs) + 1) * side_m - WORLD_M / 2,
            WORLD_M / 2 - min(ys) * side_m,
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        enough = [z for z in self._store.levels if z + self._extra_levels >= level]
        zoom = enough[0] if enough else self._store.levels[-1]
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
        tile = decode_tile(data, name)
        if tile.shape[0] != tile.shape[1] or tile.shape[0] != self._tile_px:
            raise InputError(f"{name}: is {tile.shape[1]}x{tile.shape[0]} px, unlike the others")
        return tile


def open_mbtiles(path: Path) -> TileSource:
    """Raises InputError as `MBTiles` and `TileSource` do, and on vector tiles."""
    store = MBTiles(path)
    metadata = store.metadata()
    if metadata.get("format") == "pbf":
        raise InputError(f"{path}: holds vector tiles, not pictures; give a raster MBTiles file")
    return TileSource(store, (path,), metadata.get("date"))


def open_xyz(path: Path) -> TileSource:
    """Raises InputError as `XyzFolder` and `TileSource` do."""
    store = XyzFolder(path)
    files = tuple(file for z in store.levels for _, file in sorted(store.files_at[z].items()))
    return TileSource(store, files, None)


def _numbered(folder: Path) -> list[Path]:
    return sorted(c for c in folder.iterdir() if c.name.isdigit() and c.is_dir())


def _tile_files(folder: Path) -> list[Path]:
    return sorted(
        f for f in folder.iterdir() if f.stem.isdigit() and f.suffix.lower() in PICTURE_SUFFIXES
    )
