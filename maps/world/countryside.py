"""Open land: fields, strips, terraces, meadows, orchards, woods, scrub."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.polygons import Points, inset, long_axis, subdivide
from maps.world.relief import grid_window
from maps.world.roads import LANE, TRACK, draw_road
from maps.world.vegetation import add_tree, hedge, orchard, wood


def draw_fields(canvas: Canvas, district: Points, max_area_m2: float, jitter: float) -> None:
    """Fields between grass margins, hedges and farm tracks."""
    rng = canvas.rng
    canvas.fill(canvas.bent(district), canvas.new_parcel(Material.GRASS))
    hedged = rng.random() * 0.5
    for field in subdivide(district, rng, max_area_m2, jitter):
        outline = canvas.bent(field)
        if not canvas.inside(outline):
            continue
        _, along, _, _ = long_axis(outline)
        margin = float(rng.choice([0.3, 1.0, 2.5]))
        inner = canvas.bent(inset(field, margin)) if len(inset(field, margin)) else outline
        material = Material.GRASS if rng.random() < 0.18 else Material.CROP
        whole = canvas.new_parcel(material, math.atan2(along[1], along[0]))
        canvas.fill(inner, whole)
        if rng.random() < 0.35:  # headland: worked the other way round at the field's ends
            core = inset(field, margin + rng.uniform(6, 14))
            if len(core):
                heading = math.atan2(along[1], along[0]) + (
                    math.pi / 2 if rng.random() < 0.3 else 0
                )
                canvas.fill(canvas.bent(core), canvas.new_parcel(material, heading, like=whole))
        edge = int(rng.integers(len(field)))
        side = canvas.bent(np.array([field[edge], field[(edge + 1) % len(field)]]), closed=False)
        draw = rng.random()
        if draw < hedged:
            hedge(canvas, side, rng.uniform(0.8, 2.8), gap=rng.uniform(0.02, 0.4))
        elif draw < hedged + 0.2:
            draw_road(canvas, side, TRACK if rng.random() < 0.8 else LANE)
        if rng.random() < 0.06:
            for _ in range(int(rng.integers(1, 5))):
                add_tree(
                    canvas, outline.mean(axis=0) + rng.normal(0, 12, 2), rng.uniform(2, 6), False
                )


def draw_terraces(canvas: Canvas, district: Points, terrain_m: NDArray[np.float32]) -> None:
    """Narrow fields that follow the contour lines."""
    rng = canvas.rng
    outline = canvas.bent(district)
    if not canvas.inside(outline):
        return
    mask = np.zeros(canvas.parcel.shape, np.uint8)
    cv2.fillPoly(mask, [canvas.pixels(outline)], 1, shift=4)
    rows, cols = (np.flatnonzero(mask.any(axis=k)) for k in (1, 0))
    if not len(rows):
        return
    window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
    level = grid_window(terrain_m, canvas.size_m, canvas.gsd_m, *window)
    shape = (window[1].stop - window[1].start, window[0].stop - window[0].start)
    step = max(float(level.max() - level.min()) / rng.uniform(8, 25), 0.3)
    band = level / step
    number = band.astype(int) - int(band.min())
    # Terraces are cut up across the slope every few dozen metres.
    cut = (
        np.arange(shape[0])[None, :] * canvas.gsd_m / rng.uniform(25, 70) + number * 0.37
    ).astype(int)
    parcels = np.array(
        [canvas.new_parcel(Material.CROP, rng.uniform(0, math.pi)) for _ in range(61)]
    )
    field = parcels[(number * 7 + cut * 13) % len(parcels)].astype(np.uint16)
    edge = (band - np.floor(band)) < 0.1
    field[edge] = canvas.new_parcel(Material.GRASS)
    inside = mask[window] > 0
    canvas.parcel[window][inside] = field[inside]
    for _ in range(int(len(rows) * canvas.gsd_m / 8)):
        at = rng.uniform(outline.min(axis=0), outline.max(axis=0))
        add_tree(canvas, at, rng.uniform(1, 3.5), False)


def draw_meadow(canvas: Canvas, district: Points) -> None:
    """Pasture with groups of trees and a track."""
    rng = canvas.rng
    for part in subdivide(district, rng, 40000, 0.2):
        outline = canvas.bent(part)
        if not canvas.inside(outline):
            continue
        canvas.fill(outline, canvas.new_parcel(Material.GRASS, rng.uniform(0, math.pi)))
        for _ in range(int(rng.poisson(3))):
            at = rng.uniform(outline.min(axis=0), outline.max(axis=0))
            for _ in range(int(rng.integers(1, 12))):
                add_tree(canvas, at + rng.normal(0, 9, 2), rng.uniform(1.2, 5), rng.random() < 0.2)
    draw_path(canvas, district)


def draw_path(canvas: Canvas, district: Points) -> None:
    """A trodden path from one side to another."""
    rng = canvas.rng
    a, b = district[rng.permutation(len(district))[:2]]
    middle = (a + b) / 2 + rng.normal(0, 30, 2)
    t = np.linspace(0, 1, 40)[:, None]
    line = canvas.bent_shape((1 - t) ** 2 * a + 2 * t * (1 - t) * middle + t**2 * b)
    canvas.line(line, rng.uniform(1.0, 2.5), canvas.new_parcel(Material.GRAVEL))


def draw_wood(canvas: Canvas, district: Points) -> None:
    """A forest with rides, clearings and an uneven edge."""
    rng = canvas.rng
    canvas.fill(canvas.bent(district), canvas.new_parcel(Material.GRASS))
    needle = float(np.clip(rng.normal(0.3, 0.4), 0, 1))
    for stand in subdivide(district, rng, rng.uniform(15000, 80000), 0.2):
        outline = (
            canvas.bent(inset(stand, rng.uniform(0, 4)))
            if len(inset(stand, 4))
            else canvas.bent(stand)
        )
        if not canvas.inside(outline):
            continue
        if rng.random() < 0.08:
            canvas.fill(outline, canvas.new_parcel(Material.SCRUB))
            continue
        canvas.fill(outline, canvas.new_parcel(Material.FOREST_FLOOR))
        wood(canvas, outline, np.clip(needle + rng.normal(0, 0.3), 0, 1), rng.uniform(0.5, 1.6))
    if rng.random() < 0.6:
        draw_path(canvas, district)


def draw_orchard(canvas: Canvas, district: Points) -> None:
    rng = canvas.rng
    canvas.fill(canvas.bent(district), canvas.new_parcel(Material.GRASS))
    for part in subdivide(district, rng, rng.uniform(6000, 20000)):
        outline = canvas.bent(part)
        if not canvas.inside(outline):
            continue
        _, along, _, _ = long_axis(outline)
        soil = Material.SOIL if rng.random() < 0.4 else Material.GRASS
        inner = inset(part, 1.5)
        if len(inner):
            canvas.fill(canvas.bent(inner), canvas.new_parcel(soil, math.atan2(along[1], along[0])))
            if rng.random() < 0.85:
                orchard(canvas, canvas.bent(inner), along)


def draw_scrub(canvas: Canvas, district: Points) -> None:
    """Dry or heath land: bare ground, bushes, tracks."""
    rng = canvas.rng
    outline = canvas.bent(district)
    canvas.fill(outline, canvas.new_parcel(Material.SCRUB))
    low, high = np.maximum(outline.min(axis=0), 0), np.minimum(outline.max(axis=0), canvas.size_m)
    if (high <= low).any():
        return
    shape = outline.astype(np.float32)
    clump = rng.normal(0, 1, (16, 16))
    for at in rng.uniform(low, high, (int(np.prod(high - low) / rng.uniform(40, 250)), 2)):
        x, y = float(at[0]), float(at[1])
        share = clump[int(y / 25) % 16, int(x / 25) % 16]
        if rng.normal() < share and cv2.pointPolygonTest(shape, (x, y), False) > 0:
            add_tree(canvas, at, rng.uniform(0.5, 2.4), rng.random() < 0.3)
    for _ in range(int(rng.integers(1, 4))):
        draw_path(canvas, district)
