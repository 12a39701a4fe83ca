"""UnifyGeo made small for two overhead views: one network retrieves, re-ranks and locates.

After "UnifyGeo" (VIGOR release): a shared encoder serves both tasks, a global branch of
attention and GeM gives the retrieval descriptor, and a hierarchical decoder turns the
matching scores of several levels into a heatmap of where the view's centre lies. Because
both pictures look down and are north-up, the matching score of a level is the correlation
of whole feature maps under every shift rather than of one vector with a map, and one
encoder serves both views.

The encoder has XFeat's layout with batch norm folded (27 convolutions, Potje et al. 2024,
Apache-2.0), so that it may start from XFeat's published weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DESCRIPTOR_DIM = 256
SHORT_DESCRIPTOR_DIM = 64  # the first so many numbers are trained to work alone
COARSE_STRIDE, COARSE_CHANNELS = 8, 64
FINE_STRIDE, FINE_CHANNELS = 4, 32
GLOBAL_CHANNELS = 128
NORM_EPS = 1e-4  # above fp16's smallest normal number
GEM_EPS = 1e-3


def _conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2)


def unit(x: Tensor) -> Tensor:
    """L2 along dim 1 with an eps that survives fp16."""
    return x * torch.rsqrt((x * x).sum(1, keepdim=True) + NORM_EPS**2)


class Encoder(nn.Module):
    """XFeat's convolutions. (N,1,H,W) normalised gray -> maps of stride 4 (24) and 8 (64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.block1_0, self.block1_1 = _conv(1, 4), _conv(4, 8, stride=2)
        self.block1_2, self.block1_3 = _conv(8, 8), _conv(8, 24, stride=2)
        self.skip1 = _conv(1, 24, 1)
        self.block2_0, self.block2_1 = _conv(24, 24), _conv(24, 24)
        self.block3_0, self.block3_1 = _conv(24, 64, stride=2), _conv(64, 64)
        self.block3_2 = _conv(64, 64, 1)
        self.block4_0, self.block4_1 = _conv(64, 64, stride=2), _conv(64, 64)
        self.block4_2 = _conv(64, 64)
        self.block5_0, self.block5_1 = _conv(64, 128, stride=2), _conv(128, 128)
        self.block5_2, self.block5_3 = _conv(128, 128), _conv(128, 64, 1)
        self.fusion_0, self.fusion_1, self.fusion_2 = _conv(64, 64), _conv(64, 64), _conv(64, 64, 1)
        self.heat_0, self.heat_1, self.heat_2 = _conv(64, 64, 1), _conv(64, 64, 1), _conv(64, 1, 1)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stride4, hidden = self.hidden(gray)
        return stride4, hidden, self.fusion_2(hidden)

    def hidden(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """The maps of stride 4 (24) and 8 (64) before the features' last layer."""
        x = gray
        for conv in (self.block1_0, self.block1_1, self.block1_2, self.block1_3):
            x = F.relu(conv(x))
        x = x + self.skip1(F.avg_pool2d(gray, 4))
        for conv in (self.block2_0, self.block2_1):
            x = F.relu(conv(x))
        stride4 = x
        for conv in (self.block3_0, self.block3_1, self.block3_2):
            x = F.relu(conv(x))
        x3 = x
        for conv in (self.block4_0, self.block4_1, self.block4_2):
            x = F.relu(conv(x))
        x4 = x
        for conv in (self.block5_0, self.block5_1, self.block5_2, self.block5_3):
            x = F.relu(conv(x))
        size = x3.shape[2:]
        x = x3 + _resize(x4, size) + _resize(x, size)
        return stride4, F.relu(self.fusion_1(F.relu(self.fusion_0(x))))

    def reliability(self, features: Tensor) -> Tensor:
        """(N,64,h,w) -> (N,1,h,w) in 0.1..1: how far a cell can be trusted in matching."""
        logits = self.heat_2(F.relu(self.heat_1(F.relu(self.heat_0(features)))))
        return reliability(logits)


def reliability(logits: Tensor) -> Tensor:
    # never quite zero, so that a bare field is still compared with other bare fields
    return 0.1 + 0.9 * torch.sigmoid(logits)


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=(int(size[0]), int(size[1])), mode="bilinear", align_corners=False)


class GlobalBranch(nn.Module):
    """Self-attention (zero at the start, residual), GeM over the ground, projection, L2."""

    def __init__(self) -> None:
        super().__init__()
        c = GLOBAL_CHANNELS
        self.down = _conv(64, c, stride=2)
        self.mix_0, self.mix_1 = _conv(c, c), _conv(c, c)
        self.query, self.key, self.value = _conv(c, c // 2, 1), _conv(c, c // 2, 1), _conv(c, c, 1)
        nn.init.zeros_(self.value.weight)
        self.widen = _conv(c, DESCRIPTOR_DIM, 1)
        self.gem_power = nn.Parameter(torch.tensor(3.0))
        self.norm = nn.LayerNorm(DESCRIPTOR_DIM)
        self.project = nn.Linear(DESCRIPTOR_DIM, DESCRIPTOR_DIM)

    def forward(self, hidden: Tensor, ground: Tensor) -> Tensor:
        """hidden (N,64,h,w), ground (N,1,h/2,w/2) share of ground per cell -> (N,256)."""
        x = F.relu(self.down(hidden))
        x = F.relu(x + self.mix_1(F.relu(self.mix_0(x))))
        inside = ground.flatten(2)
        q, k, v = self.query(x).flatten(2), self.key(x).flatten(2), self.value(x).flatten(2)
        logits = (q.transpose(1, 2) @ k) * (GLOBAL_CHANNELS // 2) ** -0.5
        weights = torch.softmax(logits + (inside - 1.0) * 1e4, dim=-1)
        x = x + (v @ weights.transpose(1, 2)).reshape(x.shape)
        # GeM with the largest value factored out: x**p stays within 0..1
        x = F.relu(self.widen(x)).flatten(2) * inside + GEM_EPS
        top = x.amax(dim=2, keepdim=True)
        mean = ((x / top) ** self.gem_power * inside).sum(2) / (inside.sum(2) + GEM_EPS)
        pooled = top.squeeze(2) * (mean + GEM_EPS) ** (1.0 / self.gem_power)
        return unit(self.project(self.norm(pooled)))


class UnifyGeoEdge(nn.Module):
    """Pictures (N,S,S,3) uint8 BGR, S a multiple of 32, black where there is no ground ->
    descriptor (N,256), coarse (N,64,S/8,S/8) and fine (N,32,S/4,S/4) maps. A cell's length
    is its reliability, 0 where there is no ground.

    global_branch: another one than UnifyGeo's, with the same forward (GenGeo's and GeoLink's
    small sisters: export/networks/edge_branches.py)."""

    def __init__(self, global_branch: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.lateral = _conv(24, FINE_CHANNELS, 1)
        self.top_down = _conv(64, FINE_CHANNELS, 1)
        self.fine_0, self.fine_1 = (
            _conv(FINE_CHANNELS, FINE_CHANNELS),
            _conv(FINE_CHANNELS, FINE_CHANNELS),
        )
        self.fine_reliability = _conv(FINE_CHANNELS, 1, 1)
        self.global_branch = global_branch or GlobalBranch()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gray, ground = normalised_gray(pictures)
        stride4, hidden, features = self.encoder(gray)
        ground4 = (F.avg_pool2d(ground, FINE_STRIDE) > 0.5).float()
        ground8 = (F.avg_pool2d(ground, COARSE_STRIDE) > 0.5).float()
        coarse = unit(features) * self.encoder.reliability(features) * ground8
        x = self.lateral(stride4) + _resize(self.top_down(hidden), stride4.shape[2:])
        x = F.relu(self.fine_0(F.relu(x)))
        fine = unit(self.fine_1(x)) * reliability(self.fine_reliability(x)) * ground4
        descriptor = self.global_branch(hidden, F.avg_pool2d(ground8, 2))
        return descriptor, coarse, fine

    def descriptors(self, pictures: Tensor) -> Tensor:
        """The descriptors (N,D) alone."""
        gray, ground = normalised_gray(pictures)
        hidden = self.encoder.hidden(gray)[1]
        ground8 = (F.avg_pool2d(ground, COARSE_STRIDE) > 0.5).float()
        descriptor: Tensor = self.global_branch(hidden, F.avg_pool2d(ground8, 2))
        return descriptor


def normalised_gray(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Gray of zero mean and unit deviation over the ground, and the ground's mask, (N,1,S,S)."""
    x = pictures.permute(0, 3, 1, 2).float() / 255.0
    ground = (x.amax(1, keepdim=True) > 0).float()
    gray = x.mean(1, keepdim=True)
    count = ground.sum((2, 3), keepdim=True) + 1.0
    mean = (gray * ground).sum((2, 3), keepdim=True) / count
    centred = (gray - mean) * ground
    deviation = torch.sqrt((centred * centred).sum((2, 3), keepdim=True) / count + 1e-5)
    return centred / deviation, ground


def load_xfeat(network: UnifyGeoEdge, state: dict[str, Tensor]) -> None:
    """Starts the encoder from XFeat with batch norm folded (keys `c.<layer>.{weight,bias}`).

    Raises ValueError naming the keys that are absent or of another shape.
    """
    own = network.encoder.state_dict()
    found = {k: state.get(f"c.{k}") for k in own}
    wrong = [k for k, v in found.items() if v is None or v.shape != own[k].shape]
    if wrong:
        raise ValueError(f"these layers are missing or differ in shape: {', '.join(wrong)}")
    network.encoder.load_state_dict(found)
