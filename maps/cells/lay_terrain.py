"""Terrain tiles of a cell, from the elevation models."""

from __future__ import annotations

import itertools
from pathlib import Path

from maps.cells.cell import Cell
from maps.cells.recipe import Opened
from maps.sources.source import marks_of
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.terrain import encode_heights


def terrain_made_of(cell: Cell, opened: Opened) -> object:
    """What tells, as JSON, whether the cell's terrain would be another; None where none is."""
    if opened.dem is None or opened.terrain is None:
        return None
    at = cell.level, cell.x, cell.y
    # Not what the person said, which belongs to the models in the order given: how it is taken.
    return opened.terrain.level, opened.dem.readings_in(*at), marks_of(opened.dem.files_in(*at))


def lay_terrain(path: Path, cell: Cell, opened: Opened) -> bool:
    """Writes the file unless no height is known in the cell; returns whether it did."""
    if opened.dem is None or opened.terrain is None:
        return False
    level = opened.terrain.level
    x0, y0, x1, y1 = cell.tiles(level)
    writer = MBTilesWriter(path)
    known = False
    for y, x in itertools.product(range(y0, y1), range(x0, x1)):
        data = encode_heights(opened.dem.heights_m(level, x, y))
        if data is not None:
            writer.put(level, x, y, data)
            known = True
    writer.set_metadata({"name": cell.name, "format": "png"})
    writer.commit()
    writer.close()
    return known
