"""GeoLink's mixture of experts that refines a point cloud's vector (its section 3.2.2).

The paper gives equations 3 and 4 only. Chosen here: the input is layer-normalised (Point-NN's
numbers have no fixed size); a specific expert is Linear-GELU-Linear; the shared expert's 1x1
convolution of one vector is a Linear; the gate is a Linear with softmax over the specific
experts; every expert gives an equal share of the output's width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.networks.point_nn import FEATURE_DIM

DESCRIPTOR_DIM = 4096  # GeoLink's own width; a smaller 2-D encoder takes its own
EXPERTS = 3  # best in GeoLink's table 7


class PointExperts(nn.Module):
    """(N, in_dim) -> (N, out_dim): the gated specific experts, then the shared one.

    Raises ValueError when out_dim is not divisible by experts + 1.
    """

    def __init__(
        self,
        in_dim: int = FEATURE_DIM,
        out_dim: int = DESCRIPTOR_DIM,
        experts: int = EXPERTS,
    ) -> None:
        super().__init__()
        width, rest = divmod(out_dim, experts + 1)
        if rest or experts < 1:
            raise ValueError(
                f"{out_dim} numbers cannot be shared by {experts} experts and a common one"
            )
        self.norm = nn.LayerNorm(in_dim)
        self.specific = nn.ModuleList(
            nn.Sequential(nn.Linear(in_dim, width), nn.GELU(), nn.Linear(width, width))
            for _ in range(experts)
        )
        self.shared = nn.Linear(in_dim, width)
        self.gate = nn.Linear(in_dim, experts)

    def forward(self, features: Tensor) -> Tensor:
        x = self.norm(features)
        share = torch.softmax(self.gate(x), dim=1)
        gated = [share[:, i : i + 1] * e(x) for i, e in enumerate(self.specific)]
        return torch.cat((*gated, self.shared(x)), dim=1)
