"""Whether tiles lie where their file says: a row counted from the wrong side, or a column taken
for a row, is a whole map of another place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from maps.plan import box_text
from maps.sources.source import WORLD_M
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX

Box = tuple[float, float, float, float]
MAX_DEGREES = 180.0  # a larger number is metres
SLACK_M = 0.01  # of two bounds that are the same


def said_box(text: str | None) -> list[Box]:
    """'W,S,E,N' in degrees, as MBTiles' metadata has it; nothing where it is none."""
    try:
        west, south, east, north = (float(part) for part in (text or "").split(","))
    except ValueError:
        return []
    return [(west, south, east, north)]


def refuse_elsewhere(where: Path, said: Sequence[Box], tiles_m: Box, zoom: int) -> None:
    """said: west, south, east, north in degrees, or in EPSG:3857's metres, as the file has them;
    several are readings of one. tiles_m: of its tiles of a zoom, in EPSG:3857.

    Raises InputError: by no reading do the tiles lie there; or their mirror at the equator lies
    there to a tile, and they don't.
    """
    boxes = [_metres(box) for box in said if _means_something(box)]
    tile_m = WORLD_M / 2**zoom
    if boxes and not any(_meets(box, tiles_m, tile_m) for box in boxes):
        raise InputError(
            f"{where}: its tiles lie in {box_text(tiles_m)} (W,S,E,N), it says "
            f"{box_text(boxes[0])}; is the side from which their rows count a wrong one? Correct "
            "what it says, or make the tiles again"
        )
    west, south, east, north = tiles_m
    mirrored = (west, -north, east, -south)
    for box in boxes:
        if _fits(box, mirrored, tile_m) and not _fits(box, tiles_m, tile_m):
            raise InputError(
                f"{where}: it says {box_text(box)} (W,S,E,N), its tiles lie there only when their "
                "rows are counted from the other side; correct the side, or make the tiles again"
            )


def _means_something(box: Box) -> bool:
    west, south, east, north = box
    return all(map(math.isfinite, box)) and south < north and west != east


def _metres(box: Box) -> Box:
    if max(map(abs, box)) > MAX_DEGREES:
        return box
    west, south, east, north = box
    (x0, x1), (y0, y1) = latlon_to_pixel([south, north], [west, east], 0)
    x0, x1, y0, y1 = (float(v) / TILE_PX * WORLD_M for v in (x0, x1, y0, y1))
    return x0 - WORLD_M / 2, WORLD_M / 2 - y0, x1 - WORLD_M / 2, WORLD_M / 2 - y1


def _meets(box: Box, tiles_m: Box, slack_m: float) -> bool:
    west, south, east, north = tiles_m
    across = box[0] - slack_m <= east and west <= box[2] + slack_m
    # West of which is east: over the antimeridian.
    return (across or box[0] > box[2]) and box[1] - slack_m <= north and south <= box[3] + slack_m


def _fits(box: Box, tiles_m: Box, tile_m: float) -> bool:
    """Whether the tiles are those that the box touches, from south to north."""
    off_m = abs(box[1] - tiles_m[1]), abs(box[3] - tiles_m[3])
    return max(off_m) < tile_m - SLACK_M
