"""ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022) under timm's key names.

Blocks: 7x7 depthwise convolution, LayerNorm, linear to four times the width, exact GELU, linear
back, a learned factor per channel (gamma), residual. `ConvNextFeatures` spells its keys as
timm's features_only does (`stem_0`, `stages_0.blocks.0...`), `ConvNext` as the classifier does
(`stem.0`, `stages.0.blocks.0...`, `head.norm`). Pictures come in as RGB, normalised by
ImageNet's mean and deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

NORM_EPS = 1e-6
GAMMA_START = 1e-6  # the paper's layer scale
INIT_SIGMA = 0.02  # of weights of convolutions and linear layers, cut off at two sigma
STEM_STRIDE = 4


@dataclass(frozen=True)
class Shape:
    """depths: blocks per stage. dims: channels per stage. Stage i has stride 4 * 2**i."""

    depths: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def stride(self) -> int:
        """Of the last stage, pixels per cell."""
        return STEM_STRIDE << (len(self.dims) - 1)


TINY = Shape((3, 3, 9, 3), (96, 192, 384, 768))
BASE = Shape((3, 3, 27, 3), (128, 256, 512, 1024))


def check_size(shape: Shape, *sides_px: int) -> None:
    """Raises ValueError: a side that isn't a whole number of the last stage's cells."""
    for px in sides_px:
        if px < shape.stride or px % shape.stride:
            raise ValueError(f"the picture's sides must be multiples of {shape.stride}, not {px}")


class ChannelsFirstNorm(nn.LayerNorm):
    """LayerNorm over the channels of (N,C,h,w).

    Permuted, so that it exports as one LayerNormalization node: TensorRT does not recognise
    the mean and variance of a channels-first spelling, and overflows in fp16.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return out


class _Mlp(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """(N,C,h,w) -> (N,C,h,w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), GAMMA_START))
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=NORM_EPS)
        self.mlp = _Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mlp(self.norm(self.conv_dw(x).permute(0, 2, 3, 1)))
        return x + (y * self.gamma).permute(0, 3, 1, 2)


def downsample(cin: int, cout: int) -> nn.Sequential:
    """Norm and 2x2 convolution of stride 2, in front of every stage but the first."""
    return nn.Sequential(ChannelsFirstNorm(cin), nn.Conv2d(cin, cout, 2, 2))


class Stage(nn.Module):
    """cin None: the first stage, which keeps its input's size and width."""

    def __init__(self, cin: int | None, channels: int, depth: int) -> None:
        super().__init__()
        self.downsample = nn.Identity() if cin is None else downsample(cin, channels)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.downsample(x))
        return out


def stem(channels: int) -> tuple[nn.Conv2d, ChannelsFirstNorm]:
    """4x4 convolution of stride 4, and its norm."""
    return nn.Conv2d(3, channels, STEM_STRIDE, STEM_STRIDE), ChannelsFirstNorm(channels)


def initialise(module: nn.Module) -> None:
    """Weights as the paper starts them; to be handed to nn.Module.apply."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INIT_SIGMA, a=-2 * INIT_SIGMA, b=2 * INIT_SIGMA)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ConvNextFeatures(nn.Module):
    """(N,3,H,W) -> one map per stage, (N,dims[i],H/(4*2**i),W/(4*2**i)).

    checkpointing: keeps only the stages' inputs for the backward pass and computes the rest
    again, for small GPUs.
    """

    def __init__(self, shape: Shape, checkpointing: bool = False) -> None:
        super().__init__()
        self.shape, self.checkpointing = shape, checkpointing
        self.stem_0, self.stem_1 = stem(shape.dims[0])
        for i, stage in enumerate(_stages(shape)):
            setattr(self, f"stages_{i}", stage)
        self.apply(initialise)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        x, maps = self.stem_1(self.stem_0(pictures)), []
        for i in range(len(self.shape.dims)):
            x = _run(getattr(self, f"stages_{i}"), x, self.checkpointing and self.training)
            maps.append(x)
        return tuple(maps)


class _Head(nn.Module):
    """timm's head without its classifier: average, norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelsFirstNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x.mean(dim=(2, 3), keepdim=True))
        return out.flatten(1)


class ConvNext(nn.Module):
    """(N,3,H,W) -> (N,dims[-1]): the last stage's average, normed. checkpointing as above."""

    def __init__(self, shape: Shape, checkpointing: bool = False) -> None:
        super().__init__()
        self.shape, self.checkpointing = shape, checkpointing
        self.stem = nn.Sequential(*stem(shape.dims[0]))
        self.stages = nn.Sequential(*_stages(shape))
        self.head = _Head(shape.dims[-1])
        self.apply(initialise)

    def features(self, pictures: Tensor) -> Tensor:
        """The last stage's map, (N,dims[-1],H/stride,W/stride)."""
        x: Tensor = self.stem(pictures)
        for stage in self.stages:
            x = _run(stage, x, self.checkpointing and self.training)
        return x

    def forward(self, pictures: Tensor) -> Tensor:
        out: Tensor = self.head(self.features(pictures))
        return out


def _stages(shape: Shape) -> list[Stage]:
    before = (None, *shape.dims)
    return [
        Stage(cin, channels, depth)
        for cin, channels, depth in zip(before, shape.dims, shape.depths, strict=False)
    ]


def _run(stage: nn.Module, x: Tensor, checkpointing: bool) -> Tensor:
    out: Tensor = checkpoint(stage, x, use_reentrant=False) if checkpointing else stage(x)
    return out
