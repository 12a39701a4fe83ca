"""The tiles of many cells in the one MBTiles file of a pack, cell after cell."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from maps.cells.cell import Cell
from maps.cells.selection import Selection
from maps.cells.store import CellStore, Step, StoreHeader
from maps.progress import progress_s
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from onboard.pack.pack_manifest import (
    IMAGERY_NAME,
    TERRAIN_NAME,
    Bounds,
    ImagerySource,
    TerrainSource,
)


def write_imagery(
    path: Path,
    store: CellStore,
    cells: list[Cell],
    selection: Selection,
    header: StoreHeader,
    scratch: Path,
) -> Bounds:
    """Writes the file unless it is there; returns the bounds of its finest level.

    Raises InputError when there is no imagery at all, or a cell is damaged."""
    if not path.exists():
        partial, count = _copied(path, IMAGERY_NAME, store, cells, selection, scratch)
        if not count:
            raise InputError("there is no imagery in the area, or it is blank; give another area")
        _set_metadata(partial, selection.levels, header.imagery)
        partial.replace(path)
    return imagery_bounds(path)


def write_terrain(
    path: Path,
    store: CellStore,
    cells: list[Cell],
    selection: Selection,
    terrain: TerrainSource,
    scratch: Path,
) -> bool:
    """The same of the heights; False, and no file, where none are known."""
    if path.exists():
        return True
    partial, count = _copied(path, TERRAIN_NAME, store, cells, selection, scratch)
    if not count:
        partial.unlink()
        return False
    writer = MBTilesWriter(partial)
    writer.set_metadata(
        {
            "name": terrain.name,
            "format": "png",
            "type": "baselayer",
            "version": "1",
            "description": "Heights above mean sea level (EGM96) as Mapbox Terrain-RGB v1",
            "attribution": f"{terrain.attribution} ({terrain.licence})",
            "minzoom": str(terrain.level),
            "maxzoom": str(terrain.level),
        }
    )
    writer.commit()
    writer.close()
    partial.replace(path)
    return True


def imagery_bounds(path: Path) -> Bounds:
    """Around all tiles of the finest level."""
    tiles = MBTiles(path)
    level = tiles.levels[-1]
    positions = tiles.positions(level)
    tiles.close()
    xs, ys = [x for x, _ in positions], [y for _, y in positions]
    north, west = pixel_to_latlon(min(xs) * TILE_PX, min(ys) * TILE_PX, level)
    south, east = pixel_to_latlon((max(xs) + 1) * TILE_PX, (max(ys) + 1) * TILE_PX, level)
    return Bounds(float(south), float(west), float(north), float(east))


def _copied(
    path: Path,
    name: str,
    store: CellStore,
    cells: list[Cell],
    selection: Selection,
    scratch: Path,
) -> tuple[Path, int]:
    """(the file before it has its name, tiles in it)."""
    partial = path.with_name(f"{path.name}.tmp")
    for stale in (partial, partial.with_name(f"{partial.name}-journal")):
        stale.unlink(missing_ok=True)
    writer = MBTilesWriter(partial)
    count = 0
    for cell in tqdm(cells, desc=name.partition(".")[0], unit="cell", mininterval=progress_s()):
        mark = store.mark(cell, Step.LAY)
        file = None if mark is None else mark.file(name)
        if file is None:
            continue
        tiles = MBTiles(store.local(cell, file, scratch))
        for level in tiles.levels:
            if name == IMAGERY_NAME and level not in selection.levels:
                continue
            for x, y in tiles.positions(level):
                if selection.tile(level, x, y):
                    writer.put(level, x, y, tiles.tile(level, x, y) or b"")
                    count += 1
        tiles.close()
    writer.commit()
    writer.close()
    return partial, count


def _set_metadata(path: Path, levels: tuple[int, ...], imagery: tuple[ImagerySource, ...]) -> None:
    """The rows that MBTiles 1.3 asks for. Tiles with holes are PNG; readers look at each."""
    bounds = imagery_bounds(path)
    credit = dict.fromkeys(f"{i.attribution} ({i.licence})" for i in imagery)
    writer = MBTilesWriter(path)
    writer.set_metadata(
        {
            "name": ", ".join(i.name for i in imagery),
            "format": "jpg",
            "type": "baselayer",
            "version": "1",
            "description": "Pilotage map pack imagery",
            "attribution": "; ".join(credit),
            "bounds": f"{bounds.west:.7f},{bounds.south:.7f},{bounds.east:.7f},{bounds.north:.7f}",
            "center": f"{(bounds.west + bounds.east) / 2:.7f},"
            f"{(bounds.south + bounds.north) / 2:.7f},{levels[0]}",
            "minzoom": str(levels[0]),
            "maxzoom": str(levels[-1]),
        }
    )
    writer.commit()
    writer.close()
