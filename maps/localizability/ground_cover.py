"""What the imagery around a place looks like: texture, water, forest, holes, seams.

Colours and grain are a guess at what lies there, no classification: muddy water passes for a
field and a dark meadow for a wood. They serve the words of the map; how far they count in the
prediction was fitted (`model`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.pixels import mask_of
from onboard.messages import TILE_PX, Picture
from onboard.patches import PATCH_PX

# Grey levels, set by eye on the training grounds (banepa west, naip_virginia, procedural world).
PLAIN_LEVELS = 4.0  # standard deviation within a patch: below, nothing is to be seen in it
WATER_LEVELS, WATER_BRIGHTEST, WATER_REDDEST = 6.0, 150.0, 4.0
FOREST_GREENEST, FOREST_BRIGHTEST, FOREST_GRAIN = 4.0, 115.0, 5.0
FOREST_SHAPE_SHARE = 0.75  # of the variation may be left at the scale of things, not leaves
SHAPE_PX = 3.0  # sigma of the blur that takes leaves and grass away
SEAM_REACH_PX, SEAM_LEVELS = 4, 7.0
SEAM_TIMES = 3.0  # as large as the other steps of the picture


@dataclass(frozen=True)
class GroundCover:
    """Shares of a tile (0..1): covered by imagery; of that, patches with nothing to see, water,
    forest. structure: ln of the grey variation within patches that is coarser than leaves.
    seam_levels: the step of grey at a seam, 0 where there is none."""

    covered: float
    plain: float
    water: float
    forest: float
    structure: float
    seam_levels: float


def ground_cover(picture: Picture) -> GroundCover:
    """picture: (256, 256, 3) BGR of the map, holes (0, 0, 0)."""
    mask = mask_of(picture)
    covered = float(mask.mean())
    there = _patches(mask.astype(np.float32)).mean(1) > 0.99
    if not there.any():
        return GroundCover(covered, 1.0, 0.0, 0.0, 0.0, 0.0)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    shapes = cv2.GaussianBlur(grey, (0, 0), SHAPE_PX)
    spread = _patches(grey).std(1)[there]
    coarse = _patches(np.asarray(shapes, np.float32)).std(1)[there]
    bands = (np.ascontiguousarray(picture[:, :, i]).astype(np.float32) for i in range(3))
    blue, green, red = (_patches(band).mean(1)[there] for band in bands)
    level = (blue + green + red) / 3
    reddish = red - np.maximum(blue, green)
    water = (spread < WATER_LEVELS) & (level < WATER_BRIGHTEST) & (reddish < WATER_REDDEST)
    water &= green - (blue + red) / 2 < 12.0  # not a plain meadow
    forest = (green - (blue + red) / 2 > FOREST_GREENEST) & (level < FOREST_BRIGHTEST)
    forest &= (spread > FOREST_GRAIN) & (coarse < FOREST_SHAPE_SHARE * spread)
    return GroundCover(
        covered,
        float((spread < PLAIN_LEVELS).mean()),
        float(water.mean()),
        float(forest.mean()),
        float(np.log(coarse + 1.0).mean()),
        _seam(grey, mask),
    )


def _patches(layer: NDArray[np.float32]) -> NDArray[np.float32]:
    """(256, 256) -> (64, 1024): one row a patch."""
    n = TILE_PX // PATCH_PX
    blocks = layer.reshape(n, PATCH_PX, n, PATCH_PX).swapaxes(1, 2)
    return np.asarray(blocks.reshape(n * n, -1), np.float32)


def _seam(grey: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """The largest step that runs straight through the whole picture from north to south or
    west to east, as the edge of another picture does: of one sign in all patches along it but
    one, and the least of those, where it stands out of all others."""
    if not mask.all():
        return 0.0
    best, k = 0.0, SEAM_REACH_PX
    for layer in (grey, grey.T):
        sums = np.cumsum(layer, axis=1)
        means = (sums[:, k:] - sums[:, :-k]) / k
        steps = (means[:, k:] - means[:, :-k]).reshape(TILE_PX // PATCH_PX, PATCH_PX, -1).mean(1)
        ordered = np.sort(steps, axis=0)
        through = np.maximum(np.maximum(ordered[1], -ordered[-2]), 0.0)
        top = float(through.max())
        if top >= SEAM_LEVELS and top >= SEAM_TIMES * float(np.quantile(through, 0.9)):
            best = max(best, top)
    return best
