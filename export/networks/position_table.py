"""DINOv2's position table resampled to another grid, as upstream does it, by two matrices.

Upstream calls bicubic F.interpolate (facebookresearch/dinov2 at b8931f7, Apache-2.0, and facts
sheet 1.1). Here the resampled table is computed once and frozen, so that no engine ever sees a
cubic Resize, which the exporters write in ways that TensorRT answers differently.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SCALE_OFFSET_CELLS = 0.1  # upstream adds it to the grid it asks for (models without registers)
PLAIN_CUBIC = -0.75  # Keys' a of torch's bicubic
ANTIALIASED_CUBIC = -0.5  # and of its antialiased bicubic


def resampled_position_table(table: Tensor, rows: int, columns: int, antialiased: bool) -> Tensor:
    """(1, 1+g*g, D) -> (1, 1+rows*columns, D) float32; the class token's row stays as it is.

    antialiased: how models with registers were trained; those without use a scale that is 0.1
    cells too large. The released grid itself is never changed.
    """
    grid = math.isqrt(table.shape[1] - 1)
    table = table.detach().float()
    if (rows, columns) == (grid, grid):
        return table.clone()
    make = _antialiased_weights if antialiased else _plain_weights
    down, across = (
        torch.as_tensor(make(grid, cells), dtype=torch.float32).to(table.device)
        for cells in (rows, columns)
    )
    patches = table[0, 1:].reshape(grid, grid, -1)
    patches = torch.einsum("ig,jk,gkd->ijd", down, across, patches)
    return torch.cat([table[:, :1], patches.reshape(1, rows * columns, -1)], dim=1)


def _plain_weights(grid: int, cells: int) -> NDArray[np.float64]:
    """(cells, grid): four taps about each cell's centre, those outside clamped to the border."""
    scale = (cells + SCALE_OFFSET_CELLS) / grid
    centres = (np.arange(cells) + 0.5) / scale - 0.5
    weights = np.zeros((cells, grid))
    for tap in range(-1, 3):
        places = np.floor(centres).astype(int) + tap
        share = _cubic(centres - places, PLAIN_CUBIC)
        np.add.at(weights, (np.arange(cells), places.clip(0, grid - 1)), share)
    return weights


def _antialiased_weights(grid: int, cells: int) -> NDArray[np.float64]:
    """(cells, grid): the kernel widened when shrinking, cut at the border, summing to 1."""
    stretch = max(grid / cells, 1.0)
    centres = (np.arange(cells) + 0.5) * grid / cells
    distance = np.arange(grid) + 0.5 - centres[:, None]
    weights = _cubic(distance / stretch, ANTIALIASED_CUBIC)
    weights /= weights.sum(1, keepdims=True)
    return weights


def _cubic(x: NDArray[np.float64], a: float) -> NDArray[np.float64]:
    """Keys' convolution kernel, zero beyond 2."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
