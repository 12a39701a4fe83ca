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
    last_shift (inclusive) each way; cells outside a map count as zero. Spectra are kept as
    (..., columns, 2, rows), real part first, so that each step is one plain matrix product.
    """

    inverse_x: Tensor
    inverse_y: Tensor

    def __init__(self, view_cells: int, tile_cells: int, first_shift: int, last_shift: int) -> None:
        super().__init__()
        # long enough that no shift wraps around, and even, so that the half spectrum ends
        # in a column of its own
        padded = max(tile_cells, view_cells + last_shift, tile_cells - first_shift)
        padded += padded % 2
        self.rows, self.columns, self.shifts = padded, padded // 2 + 1, last_shift - first_shift + 1
        step = 2 * math.pi / padded
        rows = torch.arange(padded, dtype=torch.float64)
        columns = torch.arange(self.columns, dtype=torch.float64)
        shifts = torch.arange(first_shift, last_shift + 1, dtype=torch.float64)
        weight = torch.full((self.columns, 1), 2.0 / padded**2, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0 / padded**2  # the columns without a mirrored partner
        for name, cells in (("view", view_cells), ("tile", tile_cells)):
            x = torch.arange(cells, dtype=torch.float64)
            re, im = _cos_sin(torch.outer(x, columns) * -step)
            self._table(f"{name}_x", torch.cat((re, im), 1))
            self._table(f"{name}_y", _complex(*_cos_sin(torch.outer(x, rows) * -step)))
        self._table("inverse_y", _complex(*_cos_sin(torch.outer(rows, shifts) * step)))
        re, im = _cos_sin(torch.outer(columns, shifts) * step)
        self._table("inverse_x", torch.stack((re * weight, -im * weight), 1).flatten(0, 1))

    def _table(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values.float(), persistent=False)

    def all_pairs(self, views: Tensor, tiles: Tensor) -> Tensor:
        """Every view with every tile: (V, C, n, n), (T, C, m, m) -> (V, T, s, s)."""
        v, t = self._spectrum("view", views), self._spectrum("tile", tiles)
        # frequencies first, so that the sum over channels is one batched matrix product
        v_re, v_im = (x.permute(2, 3, 0, 1).contiguous() for x in v.unbind(3))
        t_re, t_im = (x.permute(2, 3, 1, 0).contiguous() for x in t.unbind(3))
        re = v_re @ t_re + v_im @ t_im
        im = v_re @ t_im - v_im @ t_re
        return self._scores(torch.stack((re, im)).permute(3, 4, 1, 0, 2))

    def paired(self, views: Tensor, tiles: Tensor) -> Tensor:
        """Each view with its own tile, or one view with all: (N or 1, C, n, n),
        (N, C, m, m) -> (N, s, s)."""
        v_re, v_im = self._spectrum("view", views).unbind(3)
        t_re, t_im = self._spectrum("tile", tiles).unbind(3)
        re = (v_re * t_re + v_im * t_im).sum(1)
        im = (v_re * t_im - v_im * t_re).sum(1)
        return self._scores(torch.stack((re, im), 2))

    def _spectrum(self, name: str, maps: Tensor) -> Tensor:
        """(N, C, n, n) -> (N, C, columns, 2, rows)."""
        n, c, h, _ = maps.shape
        along_x: Tensor = getattr(self, f"{name}_x")
        along_y: Tensor = getattr(self, f"{name}_y")
        x = (maps @ along_x).reshape(n, c, h, 2, self.columns)
        x = x.permute(0, 1, 4, 3, 2).reshape(n, c, self.columns, 2 * h)
        return (x @ along_y).reshape(n, c, self.columns, 2, self.rows)

    def _scores(self, spectrum: Tensor) -> Tensor:
        """(..., columns, 2, rows) -> (..., s, s), rows of the result first."""
        x = spectrum.flatten(-2) @ self.inverse_y  # (..., columns, 2 s)
        x = x.reshape(*x.shape[:-1], 2, self.shifts).transpose(-1, -3)  # (..., s, 2, columns)
        return x.transpose(-1, -2).flatten(-2) @ self.inverse_x


def _cos_sin(angle: Tensor) -> tuple[Tensor, Tensor]:
    return angle.cos(), angle.sin()


def _complex(re: Tensor, im: Tensor) -> Tensor:
    """The matrix that multiplies rows (re | im) from the right by re + i im."""
    return torch.cat((torch.cat((re, im), 1), torch.cat((-im, re), 1)), 0)
