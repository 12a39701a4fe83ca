"""Roads and lanes along the borders of districts, with verges, markings and trees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.polygons import Points
from maps.world.vegetation import add_tree, hedge


@dataclass(frozen=True)
class RoadClass:
    width_m: float
    verge_m: float
    surface: Material
    marked: bool


HIGHWAY = RoadClass(21.0, 8.0, Material.ASPHALT, True)
MAIN = RoadClass(10.0, 4.0, Material.ASPHALT, True)
RURAL = RoadClass(6.5, 3.0, Material.ASPHALT, True)
LANE = RoadClass(4.2, 2.0, Material.ASPHALT, False)
TRACK = RoadClass(3.0, 1.5, Material.GRAVEL, False)


def draw_road(canvas: Canvas, line: Points, road: RoadClass) -> None:
    """Along a bent line (N, 2)."""
    rng = canvas.rng
    if not canvas.inside(line):
        return
    verge = canvas.new_parcel(Material.GRASS if rng.random() < 0.7 else Material.SCRUB)
    canvas.line(line, road.width_m + 2 * road.verge_m, verge)
    if road.surface is Material.ASPHALT and rng.random() < 0.5:
        canvas.line(line, road.width_m + 1.2, canvas.new_parcel(Material.GRAVEL))
    canvas.line(line, road.width_m, canvas.new_parcel(road.surface))
    if road.surface is Material.GRAVEL and rng.random() < 0.6:  # grass between the wheel tracks
        canvas.line(line, 0.7, canvas.new_parcel(Material.GRASS))
    if road is HIGHWAY:
        canvas.line(line, 3.0, canvas.new_parcel(Material.GRASS))
        for side in (-1, 1):
            canvas.mark(parallel(line, side * 2.2), 0.2)
            canvas.mark(parallel(line, side * 9.8), 0.2)
            _dashes(canvas, parallel(line, side * 6.0), 4.0, 8.0)
    elif road.marked:
        _dashes(canvas, line, 3.0, float(rng.choice([3.0, 6.0, 9.0])))
        if rng.random() < 0.6:
            for side in (-1, 1):
                canvas.mark(parallel(line, side * (road.width_m / 2 - 0.3)), 0.15)
    if rng.random() < 0.3 and road is not HIGHWAY:
        for side in (-1, 1):
            if rng.random() < 0.6:
                _avenue(canvas, parallel(line, side * (road.width_m / 2 + 3.0)))
    elif rng.random() < 0.35:
        side_m = float(rng.choice([-1, 1])) * (road.width_m / 2 + road.verge_m)
        hedge(canvas, parallel(line, side_m), rng.uniform(1.0, 2.5), gap=0.15)
    for at in _along(line, rng.uniform(40, 160)):
        side_m = road.width_m / 4 * float(rng.choice([-1, 1]))
        canvas.car_spots.append(
            (*(at[:2] + side_m * np.array([-at[3], at[2]])), math.atan2(at[3], at[2]), 0.3)
        )


def parallel(line: Points, offset_m: float) -> Points:
    """The line moved sideways."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)[:, None]
    return line + offset_m * np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def _along(line: Points, step_m: float, start_m: float = 0.0) -> Points:
    """Every step_m: (N, 4) x, y and the direction there."""
    piece = np.hypot(*np.diff(line, axis=0).T)
    distance = np.concatenate([[0.0], np.cumsum(piece)])
    at = np.arange(start_m, distance[-1], step_m)
    points = np.stack([np.interp(at, distance, line[:, k]) for k in (0, 1)], axis=1)
    ahead = np.stack([np.interp(at + 1.0, distance, line[:, k]) for k in (0, 1)], axis=1)
    direction = ahead - points
    length = np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-9)
    return np.concatenate([points, direction / length[:, None]], axis=1)


def _dashes(canvas: Canvas, line: Points, dash_m: float, gap_m: float) -> None:
    for x, y, dx, dy in _along(line, dash_m + gap_m):
        canvas.mark(np.array([[x, y], [x + dx * dash_m, y + dy * dash_m]]), 0.15)


def _avenue(canvas: Canvas, line: Points) -> None:
    rng = canvas.rng
    tone, radius = int(rng.integers(16)), rng.uniform(2, 4.5)
    for at in _along(line, rng.uniform(7, 16)):
        if rng.random() < 0.9:
            add_tree(canvas, at[:2], radius * rng.uniform(0.8, 1.2), False, tone)
