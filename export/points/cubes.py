"""Space cut into cubes, to thin point clouds by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS_A_SIDE = 1 << 21  # three of which make 63 bits


def cube_numbers(xyz: NDArray[np.float64], side: float) -> NDArray[np.int64]:
    """(N,3) -> (N,) one number for each cube; whatever lies 2^20 cubes out shares one."""
    cells: NDArray[np.float64] = np.floor(xyz / side) + CELLS_A_SIDE // 2
    inside: NDArray[np.bool_] = np.all((cells >= 0) & (cells < CELLS_A_SIDE), axis=1)
    cells[~inside] = 0
    i, j, k = cells.astype(np.int64).T
    numbers: NDArray[np.int64] = (i * CELLS_A_SIDE + j) * CELLS_A_SIDE + k
    return numbers
