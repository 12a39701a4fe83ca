"""Cross-correlation of feature maps by the discrete Fourier transform, written as matrix products.

Every shift of one map over another is scored at once. Only MatMul, Mul and Add are
needed, so the graph exports to any ONNX opset and to TensorRT, which has no FFT.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ShiftCorrelation(nn.Module):
    """out[i, j] = sum over x and channels of view(x) * tile(x + d), d = (first + i, first + j).

    view_cells, tile_cells: sides of the square maps; shifts run from first_shift to
    last_shift (inclusive) each way; cells outside a map count as zero.
    """

    def __init__(self, view_cells: int, tile_cells: int, first_shift: int, last_shift: int) -> None:
        super().__init__()
        # long enough that no shift wraps around, and even, so that the half spectrum ends
        # in a column of its own
        padded = max(tile_cells, view_cells + last_shift, tile_cells - first_shift)
        padded += padded % 2
        step = 2 * math.pi / padded
        rows = torch.arange(padded, dtype=torch.float64)
        columns = torch.arange(padded // 2 + 1, dtype=torch.float64)
        shifts = torch.arange(first_shift, last_shift + 1, dtype=torch.float64)
        one = torch.ones(1, dtype=torch.float64)
        twice = torch.full((padded // 2 + 1, 1), 2.0, dtype=torch.float64)
        twice[0] = twice[-1] = 1.0  # the columns without a mirrored partner
        tables = {
            "inverse_x": (torch.outer(columns, shifts) * step, twice / padded),
            "inverse_y": (torch.outer(shifts, rows) * step, one / padded),
        }
        for name, cells in (("view", view_cells), ("tile", tile_cells)):
            x = torch.arange(cells, dtype=torch.float64)
            tables[f"{name}_x"] = (torch.outer(x, columns) * -step, one)
            tables[f"{name}_y"] = (torch.outer(rows, x) * -step, one)
        for name, (angle, scale) in tables.items():
            self.register_buffer(f"{name}_re", (angle.cos() * scale).float(), persistent=False)
            self.register_buffer(f"{name}_im", (angle.sin() * scale).float(), persistent=False)

    def forward(self, views: Tensor, tiles: Tensor) -> Tensor:
        """Every view with every tile: (V, C, n, n), (T, C, m, m) -> (V, T, s, s)."""
        v_re, v_im = self._spectrum("view", views)
        t_re, t_im = self._spectrum("tile", tiles)
        if len(views) == 1:
            return self._scores(*_cross(v_re, v_im, t_re, t_im))[None]
        # frequencies first, so that the sum over channels is one batched matrix product
        v_re, v_im = v_re.permute(2, 3, 0, 1), v_im.permute(2, 3, 0, 1)
        t_re, t_im = t_re.permute(2, 3, 1, 0), t_im.permute(2, 3, 1, 0)
        re = v_re @ t_re + v_im @ t_im
        im = v_re @ t_im - v_im @ t_re
        return self._scores(re.permute(2, 3, 0, 1), im.permute(2, 3, 0, 1))

    def paired(self, views: Tensor, tiles: Tensor) -> Tensor:
        """Each view with its own tile: (N, C, n, n), (N, C, m, m) -> (N, s, s)."""
        return self._scores(
            *_cross(*self._spectrum("view", views), *self._spectrum("tile", tiles))
        )

    def _spectrum(self, name: str, maps: Tensor) -> tuple[Tensor, Tensor]:
        x_re, x_im = getattr(self, f"{name}_x_re"), getattr(self, f"{name}_x_im")
        y_re, y_im = getattr(self, f"{name}_y_re"), getattr(self, f"{name}_y_im")
        re, im = maps @ x_re, maps @ x_im
        return y_re @ re - y_im @ im, y_re @ im + y_im @ re

    def _scores(self, re: Tensor, im: Tensor) -> Tensor:
        y_re, y_im = self.inverse_y_re, self.inverse_y_im
        part_re, part_im = y_re @ re - y_im @ im, y_re @ im + y_im @ re
        return part_re @ self.inverse_x_re - part_im @ self.inverse_x_im


def _cross(v_re: Tensor, v_im: Tensor, t_re: Tensor, t_im: Tensor) -> tuple[Tensor, Tensor]:
    """Conjugate of the one times the other, summed over channels."""
    return (v_re * t_re + v_im * t_im).sum(1), (v_re * t_im - v_im * t_re).sum(1)
