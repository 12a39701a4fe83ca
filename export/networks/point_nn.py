"""Point-NN: a point cloud into one vector without any learned weight.

After "Starting from Non-Parametric Networks for 3D Point Cloud Analysis" (Zhang et al. 2023,
seeds 1.4): trigonometric embedding of the raw coordinates, then four stages of farthest-point
sampling, nearest neighbours, geometry-weighted features and pooling.

Two choices depart from the published code. The spread that a stage divides by is taken over
ONE sample, not over the batch: a sample's vector then doesn't depend on its companions and can
be computed once and stored. And farthest-point sampling always starts at point 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FREQUENCY_BASE = 1000.0  # alpha of the official runs (the class's default is 100)
FREQUENCY_SCALE = 100.0  # beta of the official runs (the class's default is 1000)
RAW_CHANNELS = 72
STAGES = 4
FIRST_SAMPLED = 512  # then 256, 128, 64
NEIGHBOURS = 90
FEATURE_DIM = RAW_CHANNELS * 2**STAGES  # 1152
SPREAD_EPS = 1e-5
NORM_EPS = 1e-5  # of the batch norm with untouched statistics: all that is left of it


@torch.no_grad()
def point_nn(points: Tensor) -> Tensor:
    """(B,N,3) coordinates, each sample centred and scaled to about one -> (B,1152) float32.

    Raises ValueError: another shape, N < 512, a coordinate that is no finite number.
    """
    if points.ndim != 3 or points.shape[2] != 3:
        raise ValueError(f"points have the shape {tuple(points.shape)}; it must be (B, N, 3)")
    if points.shape[1] < FIRST_SAMPLED:
        raise ValueError(f"{points.shape[1]} points a sample; it takes {FIRST_SAMPLED} or more")
    if not torch.isfinite(points).all():
        raise ValueError("a coordinate is not a finite number")
    # one sample at a time: 26 MB a stage instead of that times the batch
    return torch.stack([_one(xyz.float()) for xyz in points])


def farthest_points(xyz: Tensor, count: int) -> Tensor:
    """(N,3) -> (count,) indices: 0 first, then always the point farthest from those taken.
    When fewer distinct points are there, the rest repeat the first."""
    taken = torch.zeros(count, dtype=torch.long, device=xyz.device)
    distance = torch.full((len(xyz),), torch.inf, device=xyz.device)
    for i in range(1, count):
        step = (xyz - xyz[taken[i - 1]]).square().sum(1)
        distance = torch.minimum(distance, step)
        taken[i] = distance.argmax()
    return taken


def trigonometric_embedding(xyz: Tensor, channels: int) -> Tensor:
    """(...,3) -> (...,channels): axis by axis, frequency by frequency, sine then cosine."""
    frequencies = channels // 6
    order = torch.arange(frequencies, dtype=torch.float32, device=xyz.device) / frequencies
    angle = FREQUENCY_SCALE * xyz[..., None] / FREQUENCY_BASE**order
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(-3)


def _one(xyz: Tensor) -> Tensor:
    features = trigonometric_embedding(xyz, RAW_CHANNELS)
    for stage in range(STAGES):
        xyz, features = _stage(xyz, features, FIRST_SAMPLED >> stage)
    return features.amax(0) + features.mean(0)


def _stage(xyz: Tensor, features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(N,3), (N,C) -> (count,3), (count,2C)."""
    centres = farthest_points(xyz, count)
    centre_xyz, centre = xyz[centres], features[centres]
    distance = (centre_xyz[:, None] - xyz[None]).square().sum(2)
    near = distance.topk(NEIGHBOURS, dim=1, largest=False, sorted=False).indices
    relative = _spread_to_one(xyz[near] - centre_xyz[:, None])
    difference = _spread_to_one(features[near] - centre[:, None])
    joined = torch.cat((difference, centre[:, None].expand_as(difference)), 2)
    geometry = trigonometric_embedding(relative, joined.shape[2])
    weighted = (joined + geometry) * geometry
    pooled = weighted.amax(1) + weighted.mean(1)
    return centre_xyz, F.gelu(pooled * (1.0 + NORM_EPS) ** -0.5)


def _spread_to_one(x: Tensor) -> Tensor:
    return x / (x.std() + SPREAD_EPS)
