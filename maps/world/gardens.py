"""One plot with a house: drive, terrace, pool, shed, hedge, trees."""

from __future__ import annotations

import math

import cv2
import numpy as np

from maps.world.buildings import house, pitched_roof
from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.polygons import Points, box, long_axis
from maps.world.vegetation import add_tree, hedge

SHORE_M = 8.0  # nothing is built nearer to the water


def _street_side(lot: Points, block: Points) -> tuple[Points, Points] | None:
    """(middle of the lot's side on the block's border, inward unit normal)."""
    outline = block.astype(np.float32)
    best: tuple[float, Points, Points] | None = None
    centre = lot.mean(axis=0)
    for a, b in zip(lot, np.roll(lot, -1, axis=0), strict=True):
        middle, length = (a + b) / 2, math.hypot(*(b - a))
        if length < 4:
            continue
        away = abs(cv2.pointPolygonTest(outline, (float(middle[0]), float(middle[1])), True))
        normal = np.array([-(b - a)[1], (b - a)[0]]) / length
        if (centre - middle) @ normal < 0:
            normal = -normal
        if best is None or away < best[0]:
            best = (away, middle, normal)
    return (best[1], best[2]) if best and best[0] < 1.0 else None


def garden_lot(canvas: Canvas, lot: Points, block: Points, built: float) -> None:
    """A house near the street, drive, trees, perhaps a pool, shed or hedge."""
    rng = canvas.rng
    shape = canvas.bent_shape(lot)
    centre, along, length, width = long_axis(shape)
    if min(length, width) < 9 or canvas.wet(centre, SHORE_M):
        return
    canvas.fill(shape, canvas.new_parcel(Material.GRASS, math.atan2(along[1], along[0])))
    side = _street_side(shape, canvas.bent(block))
    if side is None:
        for _ in range(int(rng.poisson(2.5))):
            add_tree(
                canvas,
                centre + rng.normal(0, width / 4, 2),
                rng.uniform(1.2, 4),
                rng.random() < 0.25,
            )
        return
    front, inward = side
    across = np.array([-inward[1], inward[0]])
    turn = rng.random() < 0.6
    depth = abs((shape - front) @ inward).max()
    frontage = float(np.ptp((shape - front) @ across))
    house_w = min(rng.uniform(7.5, 11), frontage * 0.72, depth * 0.5)
    house_l = min(house_w * rng.uniform(1.1, 1.8), frontage * 0.8)
    if rng.random() < built and house_w > 5:
        back = min(depth * 0.42, rng.uniform(4, 9) + house_w / 2)
        at = front + inward * back + across * frontage * rng.uniform(-0.08, 0.08)
        drive = box(
            front + inward * back / 2 + across * frontage * 0.3,
            inward,
            back * 1.1,
            rng.uniform(2.5, 5),
        )
        surface = [Material.CONCRETE, Material.GRAVEL, Material.ASPHALT][int(rng.integers(3))]
        canvas.fill(drive, canvas.new_parcel(surface))
        spot = drive.mean(axis=0)
        canvas.car_spots.append((spot[0], spot[1], math.atan2(inward[1], inward[0]), 0.5))
        patio = box(at + inward * house_w * 0.7, across, house_l * 0.7, 4)
        if rng.random() < 0.5:
            canvas.fill(patio, canvas.new_parcel(Material.CONCRETE))
        size = (house_l, house_w)
        house(canvas, at, across if turn or house_l > depth * 0.45 else inward, size)
        if rng.random() < 0.12 and depth > 26:
            pool = box(front + inward * depth * 0.75, across, rng.uniform(6, 10), rng.uniform(3, 5))
            canvas.fill(
                pool + (pool - pool.mean(axis=0)) * 0.3, canvas.new_parcel(Material.CONCRETE)
            )
            canvas.fill(pool, canvas.new_parcel(Material.POOL))
        if rng.random() < 0.5:
            at = (
                front
                + inward * depth * rng.uniform(0.7, 0.88)
                + across * frontage * rng.uniform(-0.35, 0.35)
            )
            pitched_roof(
                canvas, at, across, (rng.uniform(3, 6), rng.uniform(2.5, 4)), 2.2, 0.3, False
            )
    if rng.random() < 0.3:
        hedge(canvas, np.concatenate([shape, shape[:1]]), rng.uniform(0.5, 1.1), gap=0.2)
    for _ in range(int(rng.poisson(2.2))):
        at = (
            centre
            + along * length * rng.uniform(-0.42, 0.42)
            + across * width * rng.uniform(-0.3, 0.3)
        )
        add_tree(canvas, at, rng.uniform(0.9, 4.2), rng.random() < 0.25)
    if rng.random() < 0.12:  # kitchen garden
        bed = box(front + inward * depth * 0.8, across, frontage * 0.5, depth * 0.2)
        canvas.fill(bed, canvas.new_parcel(Material.CROP, rng.uniform(0, 3)))
