"""Overhead pictures of a landscape, as a satellite or mapping aircraft delivers them."""

from __future__ import annotations

import math
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.noise import FloatLayer
from maps.world.scene import Scene, scene_of
from maps.world.sensor import develop

STANDS_M = 0.3  # what is lower does not lean
SIDE_LIGHT = (0.62, 1.0)  # brightness of walls turned away from and towards the sun


def render_ortho(
    landscape: Landscape,
    epoch: Epoch,
    east_m: float,
    north_m: float,
    width_px: int,
    height_px: int,
    gsd_m: float,
    lean: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.uint8], FloatLayer]:
    """The window of width_px x height_px pixels of gsd_m CENTRED on (east_m, north_m).

    lean: how far (east, north) the top of a building or tree appears away from its foot,
    metres per metre of height; the terrain itself does not lean, as in an orthophoto.

    Returns the (H, W, 3) BGR uint8 picture, (0, 0, 0) outside the landscape and nowhere
    else, and the (H, W) float32 height in metres of the surface seen there.
    """
    scene = scene_of(landscape, epoch)
    scale = gsd_m / landscape.gsd_m
    left = (east_m - width_px * gsd_m / 2) / landscape.gsd_m
    top = (landscape.size_m - north_m - height_px * gsd_m / 2) / landscape.gsd_m
    # Objects beyond the window's edge may lean into it.
    margin = math.ceil(40.0 * max(abs(lean[0]), abs(lean[1])) / gsd_m) if any(lean) else 0
    shape = (width_px + 2 * margin, height_px + 2 * margin)
    corner = (left - margin * scale, top - margin * scale)
    light, objects_m = _resample(landscape, scene, corner, shape, scale)
    terrain = landscape.terrain_m
    nodes = landscape.gsd_m / landscape.size_m * (terrain.shape[0] - 1)
    ground = _sample(terrain, corner, scale, shape, nodes)
    if margin:
        light, objects_m = _leaned(light, objects_m, gsd_m, lean, epoch)
        core = np.s_[margin : margin + height_px, margin : margin + width_px]
        light, objects_m, ground = light[core], objects_m[core], ground[core]
    seed = zlib.crc32(repr((epoch.seed, round(left), round(top), width_px, scale)).encode())
    picture = develop(light, epoch, seed)
    x = left + (np.arange(width_px) + 0.5) * scale
    y = top + (np.arange(height_px) + 0.5) * scale
    picture[(y < 0) | (y >= landscape.side_px)] = 0
    picture[:, (x < 0) | (x >= landscape.side_px)] = 0
    return picture, ground + objects_m


def _resample(
    landscape: Landscape,
    scene: Scene,
    corner: tuple[float, float],
    shape: tuple[int, int],
    scale: float,
) -> tuple[NDArray[np.uint8], FloatLayer]:
    """Colour and object height of a window, averaged over each output pixel."""
    side = landscape.side_px
    cols = slice(
        int(np.clip(math.floor(corner[0]) - 2, 0, side - 1)),
        int(np.clip(math.ceil(corner[0] + shape[0] * scale) + 2, 1, side)),
    )
    rows = slice(
        int(np.clip(math.floor(corner[1]) - 2, 0, side - 1)),
        int(np.clip(math.ceil(corner[1] + shape[1] * scale) + 2, 1, side)),
    )
    scene.prepare(rows, cols)
    colour, height = scene.colour[rows, cols], scene.height_cm[rows, cols]
    # Box-filter first where the output is coarser: plain interpolation would alias.
    shrink = max(1, round(scale))
    blur = (shrink, shrink) if shrink > 1 else None
    colour = np.asarray(cv2.blur(colour, blur), np.uint8) if blur else colour
    offset = (shrink - 1) / 2 - (shrink // 2) if blur else 0.0
    at = (corner[0] - cols.start - offset, corner[1] - rows.start - offset)
    light = _sample(colour, at, scale, shape, 1.0)
    at = (corner[0] - cols.start, corner[1] - rows.start)
    objects = _sample(
        height, at, scale, shape, 1.0, flags=cv2.INTER_NEAREST, border=cv2.BORDER_CONSTANT
    )
    return light, objects.astype(np.float32) * np.float32(0.01)


def _sample(
    layer: NDArray[Any],
    corner: tuple[float, float],
    scale: float,
    shape: tuple[int, int],
    unit: float,
    flags: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> NDArray[Any]:
    """layer at the output's pixel centres; `unit` layer pixels make a fine-grid pixel (node
    grids, unit != 1, have their first node on the edge and not half a pixel inside)."""
    half = 0.5 if unit == 1.0 else 0.0
    step = scale * unit
    matrix = np.array(
        [
            [step, 0, (corner[0] + scale / 2) * unit - half],
            [0, step, (corner[1] + scale / 2) * unit - half],
        ]
    )
    return cv2.warpAffine(
        layer, matrix, shape, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=border
    )


def _leaned(
    light: NDArray[np.uint8],
    objects_m: FloatLayer,
    gsd_m: float,
    lean: tuple[float, float],
    epoch: Epoch,
) -> tuple[NDArray[np.uint8], FloatLayer]:
    """Displaces everything that stands by its height, from the ground up: what is higher
    hides what is behind it, and the sides that face the viewer come into sight."""
    highest = float(objects_m.max())
    reach_px = highest * max(abs(lean[0]), abs(lean[1])) / gsd_m
    if reach_px < 0.5:
        return light, objects_m
    steps = math.ceil(reach_px)
    level = highest * np.arange(steps + 1) / steps
    dx = np.round(lean[0] * level / gsd_m).astype(int)
    dy = np.round(-lean[1] * level / gsd_m).astype(int)
    h, w = objects_m.shape
    seen = np.zeros((h, w), np.uint16)  # the highest step whose surface shows in each pixel
    tall = np.where(objects_m > STANDS_M, objects_m, 0)
    for k in range(1, steps + 1):
        x, y = int(dx[k]), int(dy[k])
        to = np.s_[max(y, 0) : h + min(y, 0), max(x, 0) : w + min(x, 0)]
        source = np.s_[max(-y, 0) : h + min(-y, 0), max(-x, 0) : w + min(-x, 0)]
        np.copyto(seen[to], np.uint16(k), where=tall[source] >= level[k] - level[1] / 2)
    columns, rows = np.meshgrid(np.arange(w), np.arange(h))
    # A foot that nothing hides keeps its place; one whose top leaned away shows its side.
    at_x = (columns - dx[seen]).astype(np.float32)
    at_y = (rows - dy[seen]).astype(np.float32)
    leaned = cv2.remap(light, at_x, at_y, cv2.INTER_NEAREST)
    standing = cv2.remap(tall, at_x, at_y, cv2.INTER_NEAREST)
    height = np.where(seen > 0, level[seen], objects_m).astype(np.float32)
    azimuth = math.radians(epoch.sun_azimuth_deg)
    towards_sun = -(lean[0] * math.sin(azimuth) + lean[1] * math.cos(azimuth)) / math.hypot(*lean)
    low, high = SIDE_LIGHT
    side = cv2.convertScaleAbs(leaned, alpha=low + (high - low) * (towards_sun + 1) / 2)
    wall = standing > height + level[1]
    cv2.copyTo(side, wall.astype(np.uint8), leaned)
    return np.asarray(leaned, np.uint8), height
