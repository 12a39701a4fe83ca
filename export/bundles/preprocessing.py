"""Pictures as the aircraft has them -> what a network was trained on, inside the graph.

Every backend is handed the same uint8 (N,H,W,3) BGR, so that none can prepare it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from export.networks.registry import IMAGENET_DEVIATION, IMAGENET_MEAN


class FromPictures(nn.Module):
    """(N,H,W,3) uint8 BGR -> (N,3,h,w) float32 RGB, resized and normalised as ImageNet's.

    size_px: (h, w). Resizing is bilinear with half-pixel centres and without antialiasing,
    which ONNX lacks before opset 18; between 256 and 224..448 px that is no difference that
    counts.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size_px: tuple[int, int]) -> None:
        super().__init__()
        self.size_px = size_px
        for name, values in (("mean", IMAGENET_MEAN), ("deviation", IMAGENET_DEVIATION)):
            table = torch.tensor(values).mul(255.0).reshape(1, 3, 1, 1)
            self.register_buffer(name, table, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        bgr = pictures.permute(0, 3, 1, 2).float()
        rgb = torch.cat((bgr[:, 2:], bgr[:, 1:2], bgr[:, :1]), 1)
        if tuple(rgb.shape[2:]) != self.size_px:
            rgb = F.interpolate(rgb, size=self.size_px, mode="bilinear", align_corners=False)
        return (rgb - self.mean) / self.deviation


class PictureNetwork(nn.Module):
    """A network behind its preprocessing; `describe` picks what the graph gives (a tensor or
    a tuple of them) from the network and its input."""

    def __init__(
        self,
        network: nn.Module,
        size_px: tuple[int, int],
        describe: Callable[[nn.Module, Tensor], Tensor | tuple[Tensor, ...]],
    ) -> None:
        super().__init__()
        self.prepare = FromPictures(size_px)
        self.network = network
        self.describe = describe

    def forward(self, pictures: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.describe(self.network, self.prepare(pictures))


def descriptor_network(network: nn.Module, side_px: int) -> PictureNetwork:
    """A network of one descriptor, for square pictures of side_px, behind its preprocessing."""
    return PictureNetwork(network.eval(), (side_px, side_px), _describe)


def _describe(network: nn.Module, pictures: Tensor) -> Tensor:
    descriptor: Tensor = network(pictures)
    return descriptor
