"""Cross-correlation of feature maps by the discrete Fourier transform, written as matrix products.

Every shift of one map over another is scored at once. Only MatMul, Mul and Add are
needed, so the graph exports to any ONNX opset and to TensorRT, which has no FFT.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ShiftCorrelation(nn.Module):
    """Scores of all shifts up to half a map: out[dy, dx] = sum_x v(x) * t(x + d).

    For square maps of n x n cells the shifts d run over -n/2 .. n/2, giving (n+1) x (n+1)
    scores; zero padding to 1.5 n keeps the circular transform from wrapping.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        if cells % 2:
            raise ValueError(f"a map of {cells} cells has no half; use an even number")
        padded = cells * 3 // 2
        columns = padded // 2 + 1
        # float64 before rounding once: the angles reach hundreds of radians
        step = 2 * math.pi / padded
        x = torch.arange(cells, dtype=torch.float64)
        u = torch.arange(columns, dtype=torch.float64)
        v = torch.arange(padded, dtype=torch.float64)
        d = torch.arange(-(cells // 2), cells // 2 + 1, dtype=torch.float64)
        # a real signal's half spectrum counts twice, but for its first and last column
        weight = torch.full((columns,), 2.0, dtype=torch.float64)
        weight[0] = 1.0
        if padded % 2 == 0:
            weight[-1] = 1.0
        for name, angle, scale in (
            ("forward_x", torch.outer(x, u) * -step, torch.ones(1)),
            ("forward_y", torch.outer(v, x) * -step, torch.ones(1)),
            ("inverse_x", torch.outer(u, d) * step, weight[:, None] / padded),
            ("inverse_y", torch.outer(d, v) * step, torch.ones(1) / padded),
        ):
            self.register_buffer(f"{name}_re", (angle.cos() * scale).float(), persistent=False)
            self.register_buffer(f"{name}_im", (angle.sin() * scale).float(), persistent=False)

    def spectrum(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(..., n, n) real -> real and imaginary parts (..., 1.5 n, 0.75 n + 1)."""
        row_re, row_im = maps @ self.forward_x_re, maps @ self.forward_x_im
        re = self.forward_y_re @ row_re - self.forward_y_im @ row_im
        im = self.forward_y_re @ row_im + self.forward_y_im @ row_re
        return re, im

    def scores(self, re: Tensor, im: Tensor) -> Tensor:
        """The inverse at the shifts of interest: (..., n+1, n+1)."""
        part_re = self.inverse_y_re @ re - self.inverse_y_im @ im
        part_im = self.inverse_y_re @ im + self.inverse_y_im @ re
        return part_re @ self.inverse_x_re - part_im @ self.inverse_x_im

    def forward(self, views: Tensor, tiles: Tensor) -> Tensor:
        """views (V, C, n, n), tiles (T, C, n, n) -> (V, T, n+1, n+1), summed over channels."""
        v_re, v_im = self.spectrum(views)
        t_re, t_im = self.spectrum(tiles)
        # frequencies first, so that the sum over channels is one batched matrix product
        v_re, v_im = (a.permute(2, 3, 0, 1) for a in (v_re, v_im))
        t_re, t_im = (a.permute(2, 3, 1, 0) for a in (t_re, t_im))
        re = v_re @ t_re + v_im @ t_im
        im = v_re @ t_im - v_im @ t_re
        return self.scores(re.permute(2, 3, 0, 1), im.permute(2, 3, 0, 1))
