"""Trees one by one: crowns of their own shape, in woods, hedges, orchards, streets and gardens."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.noise import wrapped_noise
from maps.world.polygons import Points, area_m2, densify

TONES = 16  # shades among trees of one kind
BROAD, NEEDLE = 0, TONES  # crown number = 1 + kind + tone
SHAPES = 5
SHORE_M = 1.0  # no tree nearer to the water
GROWS_ON = frozenset(
    {
        Material.GRASS,
        Material.FOREST_FLOOR,
        Material.SCRUB,
        Material.CROP,
        Material.SOIL,
        Material.PITCH,
    }
)


def add_tree(
    canvas: Canvas, at: Points, radius_m: float, needle: bool, tone: int | None = None
) -> None:
    """at: (x, y). needle: a conifer. tone: its shade, None for any."""
    rng = canvas.rng
    height = radius_m * (rng.uniform(3.2, 5.0) if needle else rng.uniform(1.8, 3.0))
    if tone is None:
        tone = int(rng.integers(TONES))
    crown = 1 + (NEEDLE if needle else BROAD) + tone
    canvas.trees.append((float(at[0]), float(at[1]), radius_m, min(height, 32.0), crown))


def hedge(canvas: Canvas, line: Points, radius_m: float, gap: float = 0.1) -> None:
    """A row of shrubs and trees along a line, with gaps."""
    rng = canvas.rng
    tone = int(rng.integers(TONES))
    for at in densify(line, radius_m * 1.3, closed=False):
        if rng.random() > gap:
            r = radius_m * rng.uniform(0.7, 1.3)
            add_tree(canvas, at + rng.normal(0, 0.4, 2), r, False, tone)


def wood(canvas: Canvas, polygon: Points, needle_share: float, density: float) -> None:
    """Crowns scattered over a polygon, in clumps of the same kind."""
    rng = canvas.rng
    spacing = rng.uniform(4.0, 6.5)
    low, high = np.maximum(polygon.min(axis=0), 0), np.minimum(polygon.max(axis=0), canvas.size_m)
    if (high <= low).any():
        return
    grid = np.meshgrid(
        np.arange(low[0], high[0], spacing), np.arange(low[1], high[1], spacing * 0.9)
    )
    places = np.stack(grid, axis=-1).reshape(-1, 2)
    places += rng.normal(0, spacing * 0.3, places.shape)
    clump = wrapped_noise(rng, 256, 32)
    thin = wrapped_noise(rng, 256, 20)
    outline = polygon.astype(np.float32)
    for at in places:
        x, y = float(at[0]), float(at[1])
        cell = (int(y / 3) % 256, int(x / 3) % 256)
        if thin[cell] * 0.5 + rng.normal(0, 0.4) > density:
            continue
        edge = cv2.pointPolygonTest(outline, (float(x), float(y)), True)
        if edge < rng.uniform(-4, 3):
            continue
        needle = bool(clump[cell] * 0.5 + 0.5 + rng.normal(0, 0.12) < needle_share)
        radius = spacing * rng.uniform(0.45, 0.85) * (0.8 if needle else 1.0)
        add_tree(canvas, at, radius, needle)


def orchard(canvas: Canvas, polygon: Points, along: Points) -> None:
    """Small trees on a grid."""
    rng = canvas.rng
    row, step, radius = rng.uniform(4, 8), rng.uniform(2.5, 6), rng.uniform(1.1, 2.4)
    across = np.array([-along[1], along[0]])
    centre = polygon.mean(axis=0)
    outline = polygon.astype(np.float32)
    reach = math.sqrt(area_m2(polygon)) * 1.5
    tone = int(rng.integers(TONES))
    for a in np.arange(-reach, reach, row):
        for b in np.arange(-reach, reach, step):
            at = centre + across * a + along * b
            inside = cv2.pointPolygonTest(outline, (float(at[0]), float(at[1])), True) > 3
            if inside and rng.random() > 0.05:
                add_tree(canvas, at, radius * rng.uniform(0.8, 1.15), False, tone)


def _crown_shapes(
    rng: np.random.Generator, gsd_m: float
) -> dict[tuple[bool, int, int], NDArray[np.float32]]:
    shapes = {}
    for radius_px in range(1, math.ceil(9.0 / gsd_m) + 1):
        side = 2 * radius_px + 1
        y, x = np.mgrid[-radius_px : radius_px + 1, -radius_px : radius_px + 1].astype(np.float32)
        angle, r = np.arctan2(y, x), np.hypot(x, y) / (radius_px + 0.3)
        for shape in range(SHAPES):
            phase = rng.uniform(0, 2 * math.pi, 3)
            rim = 1 + sum(0.09 * np.sin((k + 2) * angle + phase[k]) for k in range(3))
            lumps = wrapped_noise(rng, side, max(1.5, radius_px / 2.2))
            reach = np.clip(1 - (r / rim) ** 2, 0, 1)
            broad = np.sqrt(reach) * (0.86 + 0.09 * lumps)
            shapes[False, radius_px, shape] = np.where(reach > 0, broad.clip(0.15, 1.1), 0)
            shapes[True, radius_px, shape] = np.clip(1 - r / rim, 0, 1) ** 0.8
    return shapes


def plant(canvas: Canvas) -> None:
    """Draws all trees that were added, wherever something can grow; higher crowns win."""
    shapes = _crown_shapes(canvas.rng, canvas.gsd_m)
    largest = max(key[1] for key in shapes)
    trees = np.array(canvas.trees, np.float64).reshape(-1, 5)
    trees = trees[_can_grow(canvas, trees)]
    cells = (trees[:, :2] / canvas.gsd_m).astype(int)
    radii = np.clip(np.round(trees[:, 2] / canvas.gsd_m).astype(int), 1, largest)
    pick = canvas.rng.integers(0, SHAPES, len(trees))
    for (col, row), r, height, crown, shape in zip(
        cells.tolist(),
        radii.tolist(),
        trees[:, 3].tolist(),
        trees[:, 4].astype(int).tolist(),
        pick.tolist(),
        strict=True,
    ):
        top, left = max(row - r, 0), max(col - r, 0)
        window = np.s_[top : row + r + 1, left : col + r + 1]
        ground = canvas.tree_cm[window]
        bottom, right = top + ground.shape[0], left + ground.shape[1]
        profile = shapes[crown > NEEDLE, r, shape]
        part = profile[top - row + r : bottom - row + r, left - col + r : right - col + r]
        level = (part * np.float32(height * 100)).astype(np.uint16)
        higher = level > ground
        np.copyto(ground, level, where=higher)
        np.copyto(canvas.crown[window], np.uint8(crown), where=higher)


def _can_grow(canvas: Canvas, trees: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which trees stand inside the landscape, on soil, out of the water."""
    x, y = trees[:, 0], trees[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < canvas.size_m) & (y < canvas.size_m)
    cols, rows = (np.clip((v / canvas.gsd_m).astype(int), 0, canvas.side_px - 1) for v in (x, y))
    soil = np.isin(np.array(canvas.material)[canvas.parcel[rows, cols]], list(GROWS_ON))
    last = np.array(canvas.water_m.shape)[:, None] - 1
    at = np.clip(np.stack([y, x]).astype(int), 0, last)
    dry = canvas.water_m[at[0], at[1]] < -SHORE_M
    return np.asarray(inside & soil & dry)
