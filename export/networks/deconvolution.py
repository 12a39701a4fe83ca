"""Upsampling by a 2x2 transposed convolution of stride 2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Deconvolution(nn.ConvTranspose2d):
    """(N,cin,h,w) -> (N,cout,2h,2w).

    While ONNX is being written it is a 1x1 convolution to four times the channels and
    depth-to-space, which is the same sum: each output cell sees exactly one input cell. That
    spares TensorRT its int8 deconvolutions (NVIDIA/TensorRT 1694, 1699).
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__(cin, cout, kernel_size=2, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return self.by_depth_to_space(x)
        return super().forward(x, output_size)

    def by_depth_to_space(self, x: Tensor) -> Tensor:
        """The same result by a 1x1 convolution; its channels are (cout, row, column)."""
        weight = self.weight.permute(1, 2, 3, 0).reshape(-1, self.in_channels, 1, 1)
        bias = None if self.bias is None else torch.stack([self.bias] * 4, 1).reshape(-1)
        return F.pixel_shuffle(F.conv2d(x, weight, bias), 2)
