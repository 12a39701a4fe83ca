"""Convex polygons in the plane: (N, 2) float64 arrays of metres."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def area_m2(polygon: Points) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def clip(polygon: Points, point: Points, normal: Points) -> Points:
    """The part on the side that `normal` leaves; (0, 2) when nothing is left."""
    side = (polygon - point) @ normal
    if (side <= 0).all():
        return polygon
    kept: list[Points] = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] <= 0:
            kept.append(polygon[i])
        if (side[i] <= 0) != (side[j] <= 0):
            kept.append(polygon[i] + (polygon[j] - polygon[i]) * (side[i] / (side[i] - side[j])))
    return np.array(kept) if len(kept) >= 3 else np.empty((0, 2))


def inset(polygon: Points, distance_m: float) -> Points:
    """Every edge moved inwards; (0, 2) when nothing is left."""
    centre = polygon.mean(axis=0)
    inner = polygon
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        length = math.hypot(*(b - a))
        if length < 1e-6:
            continue
        normal = np.array([(b - a)[1], -(b - a)[0]]) / length
        if (centre - a) @ normal > 0:
            normal = -normal
        inner = clip(inner, a - normal * distance_m, normal)
        if not len(inner):
            break
    return inner


def long_axis(polygon: Points) -> tuple[Points, Points, float, float]:
    """(centre, unit vector along the longer side, length, width) of the smallest box around it."""
    (cx, cy), (w, h), angle_deg = cv2.minAreaRect(polygon.astype(np.float32))
    if w < h:
        w, h, angle_deg = h, w, angle_deg + 90
    angle = math.radians(angle_deg)
    return np.array([cx, cy]), np.array([math.cos(angle), math.sin(angle)]), float(w), float(h)


def subdivide(
    polygon: Points, rng: np.random.Generator, max_area_m2: float, jitter: float = 0.05
) -> list[Points]:
    """Cuts across the longer side until every part is below about max_area_m2."""
    if len(polygon) < 3:
        return []
    if area_m2(polygon) < max_area_m2 * rng.uniform(0.7, 1.3):
        return [polygon]
    centre, along, length, _ = long_axis(polygon)
    turn = rng.normal(0, jitter)
    normal = np.array(
        [
            along[0] * math.cos(turn) - along[1] * math.sin(turn),
            along[0] * math.sin(turn) + along[1] * math.cos(turn),
        ]
    )
    point = centre + along * length * rng.uniform(-0.12, 0.12)
    parts = [clip(polygon, point, normal), clip(polygon, point, -normal)]
    return [leaf for part in parts for leaf in subdivide(part, rng, max_area_m2, jitter)]


def voronoi(sites: Points, low_m: float, high_m: float) -> list[Points]:
    """The cell of every site within the square [low, high]^2."""
    square = np.array([[low_m, low_m], [high_m, low_m], [high_m, high_m], [low_m, high_m]])
    cells = []
    for i, site in enumerate(sites):
        cell = square
        order = np.argsort(((sites - site) ** 2).sum(axis=1))
        for j in order:
            if j == i or not len(cell):
                continue
            between = sites[j] - site
            cell = clip(cell, (sites[j] + site) / 2, between / math.hypot(*between))
        cells.append(cell)
    return cells


def densify(line: Points, step_m: float, closed: bool) -> Points:
    """Points no further apart than step_m along the line or outline."""
    ends = np.roll(line, -1, axis=0) if closed else line[1:]
    parts = []
    for a, b in zip(line, ends, strict=False):
        n = max(1, math.ceil(math.hypot(*(b - a)) / step_m))
        parts.append(a + (b - a) * (np.arange(n) / n)[:, None])
    if not closed:
        parts.append(line[-1:])
    return np.concatenate(parts)


def box(centre: Points, along: Points, length_m: float, width_m: float) -> Points:
    """The rectangle with its longer side along the unit vector `along`."""
    across = np.array([-along[1], along[0]])
    a, b = along * length_m / 2, across * width_m / 2
    return np.array([centre - a - b, centre + a - b, centre + a + b, centre - a + b])
