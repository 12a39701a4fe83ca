"""Whether tiles lie where their file says: a row counted from the wrong side, or a column taken
for a row, is a whole map of another place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from maps.plan import box_text
from maps.sources.source import WORLD_M
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX

Box = tuple[float, float, float, float]
# A larger number is metres. Boxes over the antimeridian are written up to here, too, and those
# of the whole world end a little beyond 180.
MAX_DEGREES = 360.0
SLACK_M = 0.01  # of two bounds that are the same


class Lies(Enum):
    """Where tiles lie against what is said of them. MIRRORED: there only with their rows counted
    from the other side. EITHER: nothing is said, or as much of the one as of the other."""

    THERE = "there"
    MIRRORED = "mirrored"
    ELSEWHERE = "elsewhere"
    EITHER = "either"


def said_box(text: str | None) -> list[Box]:
    """'W,S,E,N' in degrees, as MBTiles' metadata has it; nothing where it is none."""
    try:
        west, south, east, north = (float(part) for part in (text or "").split(","))
    except ValueError:
        return []
    return [(west, south, east, north)]


def lies(said: Sequence[Box], tiles_m: Box, zoom: int) -> Lies:
    """said: west, south, east, north in degrees, or in EPSG:3857's metres, as the file has them;
    several are readings of one. tiles_m: of its tiles of a zoom, in EPSG:3857."""
    boxes = [_metres(box) for box in said if _means_something(box)]
    tile_m = WORLD_M / 2**zoom
    mirror_m = _mirrored(tiles_m)
    if not boxes:
        return Lies.EITHER
    here = any(_meets(box, tiles_m, tile_m) for box in boxes)
    there = any(_meets(box, mirror_m, tile_m) for box in boxes)
    if here and there:  # over the equator: a better fit tells
        here = any(_fits(box, tiles_m, tile_m) for box in boxes)
        there = any(_fits(box, mirror_m, tile_m) for box in boxes)
        if here == there:
            return Lies.EITHER
    if here:
        return Lies.THERE
    return Lies.MIRRORED if there else Lies.ELSEWHERE


def refuse_mirrored(where: Path, said: Sequence[Box], tiles_m: Box, zoom: int) -> None:
    """As `lies` has it. Raises InputError: the tiles lie where it is said only when their rows
    are counted from the other side."""
    if lies(said, tiles_m, zoom) is Lies.MIRRORED:
        raise InputError(
            f"{where}: it says {_said(said)} (W,S,E,N), its tiles lie there only when their "
            "rows are counted from the other side; correct the side, or make the tiles again"
        )


def refuse_elsewhere(where: Path, said: Sequence[Box], tiles_m: Box, zoom: int, mend: str) -> None:
    """As `lies` has it. mend: what a person does whose tiles lie right.

    Raises InputError: as `refuse_mirrored` does; and where the tiles lie there from neither side.
    """
    refuse_mirrored(where, said, tiles_m, zoom)
    if lies(said, tiles_m, zoom) is Lies.ELSEWHERE:
        raise InputError(
            f"{where}: its bounds say {_said(said)} (W,S,E,N), its tiles lie at "
            f"{box_text(tiles_m)}; if the tiles lie right, {mend}, else make them again"
        )


def _said(said: Sequence[Box]) -> str:
    box = next(box for box in said if _means_something(box))
    if max(map(abs, box)) > MAX_DEGREES:
        return box_text(box)
    return ",".join(f"{side:.5f}" for side in box)  # as it says, even a latitude that is none


def _means_something(box: Box) -> bool:
    west, south, east, north = box
    there = all(math.isfinite(side) and abs(side) <= WORLD_M for side in box)
    return there and south < north and west != east


def _metres(box: Box) -> Box:
    if max(map(abs, box)) > MAX_DEGREES:
        return box
    west, south, east, north = box
    (x0, x1), (y0, y1) = latlon_to_pixel([south, north], [west, east], 0)
    x0, x1, y0, y1 = (float(v) / TILE_PX * WORLD_M for v in (x0, x1, y0, y1))
    return x0 - WORLD_M / 2, WORLD_M / 2 - y0, x1 - WORLD_M / 2, WORLD_M / 2 - y1


def _mirrored(tiles_m: Box) -> Box:
    west, south, east, north = tiles_m
    return west, -north, east, -south


def _meets(box: Box, tiles_m: Box, slack_m: float) -> bool:
    west, south, east, north = tiles_m
    across = any(  # 181 is -179
        box[0] + turn_m - slack_m <= east and west <= box[2] + turn_m + slack_m
        for turn_m in (-WORLD_M, 0.0, WORLD_M)
    )
    # West of which is east: over the antimeridian.
    return (across or box[0] > box[2]) and box[1] - slack_m <= north and south <= box[3] + slack_m


def _fits(box: Box, tiles_m: Box, tile_m: float) -> bool:
    """Whether the tiles are those that the box touches, from south to north."""
    off_m = abs(box[1] - tiles_m[1]), abs(box[3] - tiles_m[3])
    return max(off_m) < tile_m - SLACK_M
