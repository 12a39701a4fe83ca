"""UnifyGeo's heads on top of the shared encoder: ConvNeXt's fourth stage cut down to one block,
and for retrieval the aggregator (section III.C of the paper; key names of the VIGOR release)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.networks.convnext import NORM_EPS, Block, ChannelsFirstNorm, downsample, initialise
from export.networks.pooling import GEM_POWER, at_export, generalised_mean
from export.networks.unit_length import unit_length

ATTENTION_REDUCTION = 2  # query, key and value have half the channels
NO_GROUND = -1e4  # added to the attention of a cell without ground; within fp16


class LocalHead(nn.Module):
    """(N,cin,h,w) -> (N,cout,h/2,w/2): the detailed features."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.model = nn.Sequential()
        self.model.add_module("downsample", downsample(cin, cout))
        self.model.add_module("conv", Block(cout))
        self.model.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.model(x)
        return out


class Attention(nn.Module):
    """Self-attention over the cells, residual: (N,C,h,w) -> (N,C,h,w).

    x + v(softmax(f^T g / sqrt(C/2)) h), where f and g are projected, normed and rectified (the
    paper's equation 2 norms before projecting; this is the release). v starts as zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // ATTENTION_REDUCTION
        self.scale = inner**-0.5
        self.f, self.g = _projection(channels, inner), _projection(channels, inner)
        self.h, self.v = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)
        for name, value in self.named_parameters():
            if value.ndim > 1:
                nn.init.kaiming_normal_(value)
            elif name.endswith("bias"):
                nn.init.zeros_(value)
        nn.init.zeros_(self.v.weight)

    def forward(self, x: Tensor, ground: Tensor | None = None) -> Tensor:
        """ground: (N,1,h,w), 1 where a cell may be attended to, 0 where not."""
        f, g, h = self.f(x).flatten(2), self.g(x).flatten(2), self.h(x).flatten(2)
        logits = (f.transpose(1, 2) @ g) * self.scale
        if ground is not None:
            logits = logits + (1.0 - ground.flatten(2)) * NO_GROUND
        weights = torch.softmax(logits.float(), dim=-1).to(h.dtype)
        seen = (h @ weights.transpose(1, 2)).reshape(x.shape[0], -1, *x.shape[2:])
        out: Tensor = x + self.v(seen)
        return out


def _projection(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 1), ChannelsFirstNorm(cout), nn.ReLU())


class _GemPower(nn.Module):
    """GeM alone, its power spelled as in the release."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), GEM_POWER))

    def forward(self, x: Tensor) -> Tensor:
        return generalised_mean(x, at_export(self.p))


class _Aggregator(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block, self.gem = Attention(channels), _GemPower()

    def forward(self, x: Tensor, ground: Tensor | None) -> Tensor:
        x = self.block(x, ground)
        pooled: Tensor = self.gem(x if ground is None else x * ground)
        return pooled


class GlobalHead(LocalHead):
    """(N,cin,h,w) -> descriptor (N,cout), unit length: one block, attention, GeM, LayerNorm.

    ground: (N,1,h/2,w/2), 1 or 0, keeps cells without ground out. They enter GeM as zeros,
    which scales all channels alike, and the LayerNorm takes that factor away again.
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__(cin, cout)
        self.aggregator = _Aggregator(cout)
        self.agg_post_norm = nn.LayerNorm(cout, eps=NORM_EPS)

    def forward(self, x: Tensor, ground: Tensor | None = None) -> Tensor:
        pooled = self.aggregator(super().forward(x), ground)
        return unit_length(self.agg_post_norm(pooled))
