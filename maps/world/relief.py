"""Height of the ground, on a grid of nodes that spans the landscape from edge to edge."""

from __future__ import annotations

import math

import numpy as np

from maps.world.noise import FloatLayer, fractal_noise

TERRAIN_GRID_M = 4.0
HILL_M = 500.0  # width of the largest hills


def terrain_grid(rng: np.random.Generator, size_m: float, relief_m: float) -> FloatLayer:
    """(N, N) metres above the lowest point, north row first, about TERRAIN_GRID_M apart."""
    nodes = math.ceil(size_m / TERRAIN_GRID_M) + 1
    side = 2 ** math.ceil(math.log2(nodes))
    field = fractal_noise(rng, side, min(HILL_M / TERRAIN_GRID_M, side / 2), 5, 0.42)
    field = field[:nodes, :nodes]
    share = min(1.0, size_m / HILL_M) * rng.uniform(0.4, 1.2)
    return np.ascontiguousarray((field - field.min()) * np.float32(relief_m * share / 4))


def grid_window(
    grid: FloatLayer, size_m: float, gsd_m: float, rows: slice, cols: slice
) -> FloatLayer:
    """Bilinear values of a node grid at the centres of the fine grid's pixels.

    Written out because OpenCV's warps round coordinates to 1/32 of a node: steps that a low
    sun turns into stripes.
    """
    scale = gsd_m / size_m * (grid.shape[0] - 1)
    top, down = _weights(rows, scale, grid.shape[0])
    left, right = _weights(cols, scale, grid.shape[1])
    band = grid[top[0] : top[-1] + 2]
    across = band[:, left] * (1 - right) + band[:, left + 1] * right
    at = top - top[0]
    return np.asarray(across[at] * (1 - down)[:, None] + across[at + 1] * down[:, None], np.float32)


def _weights(span: slice, scale: float, nodes: int) -> tuple[np.ndarray, FloatLayer]:
    at = (np.arange(span.start, span.stop) + 0.5) * scale
    first = np.clip(at.astype(int), 0, nodes - 2)
    return first, np.clip(at - first, 0, 1).astype(np.float32)
