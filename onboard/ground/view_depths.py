"""How far below the camera the ground of a view lies: a plane, or slopes where they matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.ground.relief import Relief
from onboard.messages import TILE_PX, Floats
from onboard.telemetry_messages import Height

MIN_AGL_M = 5.0  # below, the plane says little about what the camera sees
# Slopes that shift no part of the view by more are left out: matched patches scatter by 0.76 px
# and more (`protection.EVEN_RESIDUAL_PX`).
RELIEF_MATTERS_PX = 0.5
RELIEF_STEP_PX = 16  # spacing of the view pixels at which the ground's height is asked for
MIN_KNOWN_SHARE = 0.5  # of these whose height must be known, else the ground counts as a plane

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class ViewCentre:
    """The ground point under the picture's centre: metres below the camera, sigma of that depth,
    east and north of the point below the vehicle."""

    depth_m: float
    sigma_m: float
    east_m: float
    north_m: float


def view_centre(ray: Floats, height: Height, relief: Relief | None) -> ViewCentre:
    """Where the ray, in north-east-down, meets the ground."""
    north, east = (float(side) / float(ray[2]) for side in ray[:2])
    depth_m, sigma_m = height.agl_m, height.sigma_m
    met = None if relief is None else relief.meets(depth_m, east, north)
    if relief is not None and met is not None:
        # Heights of two places, below the vehicle and there: the model errs in both.
        sigma_m = math.hypot(sigma_m, met[1], relief.sigma_m)
        depth_m = met[0]
    return ViewCentre(depth_m, sigma_m, depth_m * east, depth_m * north)


def view_depths(
    centre: ViewCentre, relief: Relief | None, agl_m: float, pixel_m: tuple[float, float]
) -> float | Maps:
    """How far below the camera the ground of each view pixel lies, 0 where unknown; one number
    where a plane does as well."""
    if relief is None:
        return centre.depth_m
    # One row and column more on each side: then they are spread over the pixels between.
    count = TILE_PX // RELIEF_STEP_PX + 2
    steps = (np.arange(count) - (count - 1) / 2) * RELIEF_STEP_PX
    east, north = np.meshgrid(
        centre.east_m + steps * pixel_m[0], centre.north_m - steps * pixel_m[1]
    )
    rise = relief.rise(east, north)
    depth_m = agl_m - rise.mean_m
    known = np.isfinite(depth_m) & (depth_m >= MIN_AGL_M)
    if known.mean() < MIN_KNOWN_SHARE:
        return centre.depth_m
    unlike_m = np.where(known, depth_m - centre.depth_m, 0.0)
    shift_px = np.hypot(east, north) * np.abs(unlike_m) / centre.depth_m / pixel_m[0]
    # A position that is too uncertain says less about the slopes than it confuses.
    is_clear = np.mean(unlike_m[known] ** 2) > np.mean(rise.sigma_m[known] ** 2)
    if not (is_clear and shift_px.max() > RELIEF_MATTERS_PX):
        return centre.depth_m
    full = (count * RELIEF_STEP_PX,) * 2
    spread = cv2.resize(np.where(known, depth_m, np.nan).astype(np.float32), full)
    inner = slice(RELIEF_STEP_PX, RELIEF_STEP_PX + TILE_PX)
    return np.asarray(np.nan_to_num(spread[inner, inner]), np.float32)
