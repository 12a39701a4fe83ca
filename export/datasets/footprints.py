"""How much ground two pictures share: intersection over union of convex footprints."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]  # (N, 2) in order around a convex polygon, x right and y down


def turned_rectangle(
    centre: tuple[float, float], width: float, height: float, heading: float
) -> Corners:
    """Corners, from the upper left clockwise, of a rectangle whose up points to `heading` (rad,
    clockwise from the map's up)."""
    x = np.array([-0.5, 0.5, 0.5, -0.5]) * width
    y = np.array([-0.5, -0.5, 0.5, 0.5]) * height
    c, s = math.cos(heading), math.sin(heading)
    return np.stack((centre[0] + c * x - s * y, centre[1] + s * x + c * y), 1)


def iou(a: Corners, b: Corners) -> float:
    """0..1 of two polygons whose corners go clockwise as seen on the picture.

    Clips b by each edge of a (Sutherland and Hodgman 1974); OpenCV's intersectConvexConvex
    misses polygons that share a side.
    """
    shared = b
    for start, end in zip(a, np.roll(a, -1, 0), strict=True):
        shared = _clipped(shared, start, end)
        if len(shared) < 3:
            return 0.0
    areas = area(a) + area(b) - area(shared)
    return float(area(shared) / areas) if areas > 0 else 0.0


def area(corners: Corners) -> float:
    """Above zero, in whatever order the corners go."""
    x, y = (corners - corners.mean(0)).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _clipped(corners: Corners, start: Corners, end: Corners) -> Corners:
    """What lies to the right of the line from start to end, the inside of a clockwise polygon."""
    (dx, dy), off = end - start, corners - start
    side = dx * off[:, 1] - dy * off[:, 0]
    kept = []
    for i in range(len(corners)):
        before = i - 1
        if (side[i] >= 0) != (side[before] >= 0):
            t = side[before] / (side[before] - side[i])
            kept.append(corners[before] + t * (corners[i] - corners[before]))
        if side[i] >= 0:
            kept.append(corners[i])
    return np.array(kept).reshape(-1, 2)
