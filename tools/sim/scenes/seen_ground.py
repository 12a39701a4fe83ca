"""Where every pixel of a camera's picture meets the ground.

Rays are followed on a coarse grid of pixels and interpolated: a lens is smooth, and so is the
ground at that distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.telemetry_messages import Attitude
from tools.sim.scenes.ground import Ground

STEP_PX = 4  # of the coarse grid
DESCENTS = 12  # iterations from the ray to the height field
SETTLED_M = 0.02
FARTHEST_M = 3000.0  # what is farther away, sideways, is sky
LOWEST_EYE_M = 0.5  # above the ground; nearer a camera sees nothing

Layer = NDArray[np.float32]


@dataclass(frozen=True)
class SeenGround:
    """(H, W) each. east_m, north_m: of the point below the camera. sky: no ground is seen."""

    east_m: Layer
    north_m: Layer
    sky: NDArray[np.bool_]

    def metres_per_px(self) -> float:
        """At the middle of the picture."""
        h, w = self.east_m.shape
        rows, cols = slice(h // 2 - 1, h // 2 + 2), slice(w // 2 - 1, w // 2 + 2)
        e, n = self.east_m[rows, cols], self.north_m[rows, cols]
        across = float(np.hypot(e[1, 2] - e[1, 0], n[1, 2] - n[1, 0])) / 2
        down = float(np.hypot(e[2, 1] - e[0, 1], n[2, 1] - n[0, 1])) / 2
        return min(across, down)


def seen_ground(
    camera: Camera,
    attitude: Attitude,
    lat_deg: float,
    lon_deg: float,
    amsl_m: float,
    ground: Ground,
) -> SeenGround:
    """For a camera at that place. One below the ground is taken to lie just above it."""
    rays = _coarse_rays(camera) @ camera.ned_from_optical(attitude).T
    north, east, down = rays[..., 0], rays[..., 1], rays[..., 2]
    # A ray within a degree of the horizon, or above it, ends far out.
    steep = np.maximum(down, np.hypot(north, east) * 1e-3)
    east, north = east / steep, north / steep  # metres sideways per metre of descent
    depth = _depth(east, north, lat_deg, lon_deg, amsl_m, ground)
    side = np.hypot(east, north) * depth
    clip = np.minimum(1.0, FARTHEST_M / np.maximum(side, 1e-9))
    far = (side >= FARTHEST_M).astype(np.float32)
    shape = (camera.height_px, camera.width_px)
    return SeenGround(
        _fine(east * depth * clip, shape),
        _fine(north * depth * clip, shape),
        _fine(far, shape) > 0.5,
    )


def _depth(
    east: NDArray[np.float64],
    north: NDArray[np.float64],
    lat_deg: float,
    lon_deg: float,
    amsl_m: float,
    ground: Ground,
) -> NDArray[np.float64]:
    """Metres of descent until each ray meets the ground."""
    if ground.highest_m - ground.lowest_m < SETTLED_M:
        return np.full(east.shape, max(amsl_m - ground.lowest_m, LOWEST_EYE_M))
    level = 20
    x0, y0 = latlon_to_pixel(lat_deg, lon_deg, level)
    east_m, north_m = pixel_size_m(lat_deg, level)
    farthest = FARTHEST_M / np.maximum(np.hypot(east, north), 1e-9)
    slope = np.hypot(east, north)

    def below(depth: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the ray has come below the surface."""
        reach = np.minimum(depth, farthest)
        heights = ground.heights(level, x0 + east * reach / east_m, y0 - north * reach / north_m)
        return np.asarray(depth - (amsl_m - heights))

    # Between the highest and the lowest the first crossing lies; steps halve from there on.
    low = np.full(east.shape, max(amsl_m - ground.highest_m, 0.0))
    high = np.full(east.shape, max(amsl_m - ground.lowest_m, LOWEST_EYE_M))
    if float(slope.max()) > 0.05:
        steps = 24
        crossed = np.zeros(east.shape, bool)
        first = high.copy()
        for share in np.linspace(0.0, 1.0, steps + 1)[1:]:
            at = low + (high - low) * share
            hit = ~crossed & (below(at) >= 0.0)
            first[hit] = at[hit]
            crossed |= hit
        high, low = first, first - (high - low) / steps
    for _ in range(DESCENTS):
        middle = (low + high) / 2
        under = below(middle) >= 0.0
        high = np.where(under, middle, high)
        low = np.where(under, low, middle)
        if float((high - low).max()) < SETTLED_M:
            break
    return np.asarray(np.maximum((low + high) / 2, LOWEST_EYE_M))


@lru_cache(maxsize=4)
def _coarse_rays(camera: Camera) -> NDArray[np.float64]:
    """(h, w, 3) rays with z = 1 of blocks of STEP_PX, one row of blocks beyond every border."""
    columns = np.arange(-STEP_PX / 2, camera.width_px + STEP_PX, STEP_PX)
    rows = np.arange(-STEP_PX / 2, camera.height_px + STEP_PX, STEP_PX)
    x, y = np.meshgrid(columns, rows)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-10)
    found = cv2.undistortPointsIter(
        points, camera.matrix, np.array(camera.distortion), np.eye(3), np.eye(3), criteria
    )
    rays = np.ones((*x.shape, 3))
    rays[..., :2] = found.reshape(*x.shape, 2)
    return rays


def _fine(coarse: NDArray[np.generic], shape: tuple[int, int]) -> Layer:
    """One value a pixel from one a block."""
    rows, cols = coarse.shape
    size = (cols * STEP_PX, rows * STEP_PX)
    full = cv2.resize(coarse.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[STEP_PX : STEP_PX + shape[0], STEP_PX : STEP_PX + shape[1]])
