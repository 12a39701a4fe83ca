"""Pooling of a feature map into one descriptor: the average, and the generalised mean (GeM).

GeM: Radenovic, Tolias, Chum, "Fine-tuning CNN image retrieval with no human annotation",
PAMI 2018, eq. 3. Both are the baselines that the aggregators of GenGeo (SALAD) and GeoLink
(Mixer) are measured against; GeM is also the end of UnifyGeo's global branch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.networks.unit_length import unit_length

GEM_POWER = 3.0  # where the learned power starts (UnifyGeo and the GeM paper)
GEM_EPS = 1e-6  # features below are lifted to it: GeM is defined for positive ones only


def generalised_mean(features: Tensor, power: Tensor | float, eps: float = GEM_EPS) -> Tensor:
    """(N,C,h,w) -> (N,C): (mean of max(x, eps)^p)^(1/p) over the cells, in fp32.

    The largest value is factored out, so that the powers stay within 0..1: plain x^3 of fp16
    features overflows above 40.
    """
    x = features.float().flatten(2).clamp_min(eps)
    top = x.amax(dim=2, keepdim=True)
    mean = ((x / top) ** power).mean(dim=2)
    result: Tensor = top.squeeze(2) * mean ** (1.0 / power)
    return result


class AveragePooling(nn.Module):
    """The mean over the cells: (N,C,h,w) -> (N,out) of unit length; (N,C) where out is None.

    out: length of the descriptor, reached by a learned linear projection.
    """

    def __init__(self, channels: int, out: int | None = None) -> None:
        super().__init__()
        self.project = _projection(channels, out)

    def forward(self, features: Tensor) -> Tensor:
        return unit_length(self.project(features.float().mean(dim=(2, 3))))


class Gem(nn.Module):
    """The generalised mean with a learned power: (N,C,h,w) -> (N,out) of unit length; (N,C)
    where out is None. Negative features count as 0. At export the power is a constant."""

    def __init__(self, channels: int, out: int | None = None, power: float = GEM_POWER) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))
        self.project = _projection(channels, out)

    def forward(self, features: Tensor) -> Tensor:
        return unit_length(self.project(generalised_mean(features, at_export(self.power))))


def at_export(power: Tensor) -> Tensor | float:
    """A learned power as a plain number while ONNX is being written, as it is otherwise.

    TensorRT's Pow and the reciprocal of the power are then constants of the graph.
    """
    return float(power.detach()) if torch.onnx.is_in_onnx_export() else power


def _projection(channels: int, out: int | None) -> nn.Module:
    return nn.Identity() if out is None else nn.Linear(channels, out)
