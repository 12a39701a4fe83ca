"""Smooth random fields that wrap around, so that a small texture covers any area."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatLayer = NDArray[np.float32]


def wrapped_noise(rng: np.random.Generator, side_px: int, cell_px: float) -> FloatLayer:
    """(side, side) field of about zero mean and unit deviation, features about cell_px wide."""
    cells = max(2, round(side_px / cell_px))
    grid = rng.standard_normal((cells, cells)).astype(np.float32)
    weights = _cubic_weights(side_px, cells)
    field: FloatLayer = weights @ grid @ weights.T
    field /= max(float(field.std()), 1e-6)
    return field


@lru_cache(maxsize=64)
def _cubic_weights(side_px: int, cells: int) -> FloatLayer:
    """(side, cells) wrapped cubic convolution. OpenCV's warps round coordinates to 1/32 of a
    cell: steps that a low sun turns into stripes."""
    at = (np.arange(side_px) + 0.5) * cells / side_px - 0.5
    first = np.floor(at).astype(int)
    t = at - first
    a = -0.75  # Keys' parameter

    def near(d: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: NDArray[np.float64]) -> NDArray[np.float64]:
        return a * (((d - 5) * d + 8) * d - 4)

    weights = np.zeros((side_px, cells), np.float32)
    rows = np.arange(side_px)
    for k, w in ((-1, far(1 + t)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))):
        np.add.at(weights, (rows, (first + k) % cells), w)
    return weights


def fractal_noise(
    rng: np.random.Generator, side_px: int, cell_px: float, octaves: int, gain: float = 0.5
) -> FloatLayer:
    """Sum of `octaves` noises, each half as wide and `gain` as strong; unit deviation."""
    field = np.zeros((side_px, side_px), np.float32)
    for k in range(octaves):
        cell = cell_px / 2**k
        if cell < 1:
            break
        field += gain**k * wrapped_noise(rng, side_px, cell)
    field /= max(float(field.std()), 1e-6)
    return field


@dataclass(frozen=True)
class Texture:
    """A wrapped field; `window` gives its part over rows and columns of the landscape's grid."""

    field: FloatLayer

    def window(self, rows: slice, cols: slice) -> FloatLayer:
        side = self.field.shape[0]
        y = np.arange(rows.start, rows.stop) % side
        x = np.arange(cols.start, cols.stop) % side
        return np.asarray(self.field[y[:, None], x[None, :]], np.float32)


class SmoothWarp:
    """Bends the plane gently: a sum of a few long waves. Straight lines become curves, and
    nothing folds over because the total slope stays below `slope`."""

    def __init__(
        self,
        rng: np.random.Generator,
        slope: float,
        shortest_m: float = 220.0,
        longest_m: float = 900.0,
    ) -> None:
        waves = 6
        length = np.exp(rng.uniform(math.log(shortest_m), math.log(longest_m), waves))
        heading = rng.uniform(0, 2 * math.pi, waves)
        bearing = rng.uniform(0, 2 * math.pi, waves)
        self._k = np.stack([np.cos(heading), np.sin(heading)]) * 2 * math.pi / length
        self._phase = rng.uniform(0, 2 * math.pi, waves)
        amplitude = slope * length / (2 * math.pi) / waves
        self._shift = np.stack([np.cos(bearing), np.sin(bearing)], axis=1) * amplitude[:, None]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) metres -> (N, 2) metres."""
        return points + np.sin(points @ self._k + self._phase) @ self._shift
