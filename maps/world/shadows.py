"""Cast shadows on a height grid."""

from __future__ import annotations

import math

import numpy as np

from maps.world.noise import FloatLayer

SOFT_M = 0.6  # height over which a shadow's edge fades


def shadow_share(
    casts_m: FloatLayer,
    receives_m: FloatLayer,
    gsd_m: float,
    azimuth_deg: float,
    elevation_deg: float,
) -> FloatLayer:
    """(H, W) 0 in the sun, 1 in shadow. `casts_m` is the surface that takes the light,
    `receives_m` the one it falls on, both in metres, north row first.

    Highest surface towards the sun, lowered by the ray's rise on the way: found by doubling
    the reach, so that the cost grows with the logarithm of the shadow's length.
    """
    rise = math.tan(math.radians(elevation_deg))
    azimuth = math.radians(azimuth_deg)
    ux, uy = math.sin(azimuth), -math.cos(azimuth)  # towards the sun, rows going south
    step_m = gsd_m / max(abs(ux), abs(uy))
    longest_m = min(float(np.ptp(casts_m)) / rise, 400.0)
    horizon = _shifted(casts_m, ux * step_m / gsd_m, uy * step_m / gsd_m) - np.float32(
        rise * step_m
    )
    reach = 1
    while reach * step_m < longest_m:
        dx, dy = ux * step_m * reach / gsd_m, uy * step_m * reach / gsd_m
        further = _shifted(horizon, dx, dy)
        further -= np.float32(rise * step_m * reach)
        np.maximum(horizon, further, out=horizon)
        reach *= 2
    return np.asarray(np.clip((horizon - receives_m) / SOFT_M - 0.5, 0, 1), np.float32)


def _shifted(layer: FloatLayer, dx: float, dy: float) -> FloatLayer:
    """layer at (x + dx, y + dy), rounded to pixels; -inf-like beyond the edge."""
    sx, sy = round(dx), round(dy)
    out = np.full_like(layer, -1e4)
    h, w = layer.shape
    if abs(sx) >= w or abs(sy) >= h:
        return out
    to_r, to_c = slice(max(-sy, 0), h - max(sy, 0)), slice(max(-sx, 0), w - max(sx, 0))
    from_r, from_c = slice(max(sy, 0), h - max(-sy, 0)), slice(max(sx, 0), w - max(-sx, 0))
    out[to_r, to_c] = layer[from_r, from_c]
    return out
