"""MixVPR: channels as vectors over the picture's cells, mixed by small MLPs (Ali-bey et al. 2023).

Written from the formulas (facts sheet 1.3); parameter names are the released model's.
"""

from __future__ import annotations

from torch import Tensor, nn

from export.networks.unit_length import unit_length

INIT_DEVIATION = 0.02  # of the mixing layers' weights


class MixVpr(nn.Module):
    """Descriptor of a feature map whose number of cells is baked into the weights."""

    def __init__(
        self,
        channels: int,
        cells: int,
        out_channels: int = 1024,
        out_rows: int = 4,
        depth: int = 4,
        ratio: int = 1,
    ) -> None:
        super().__init__()
        self.cells = cells
        self.output_dim = out_channels * out_rows
        self.mix = nn.Sequential(*(FeatureMixer(cells, ratio) for _ in range(depth)))
        self.channel_proj = nn.Linear(channels, out_channels)
        self.row_proj = nn.Linear(cells, out_rows)

    def forward(self, features: Tensor) -> Tensor:
        """features (N,C,h,w) -> (N, out_channels * out_rows) float32 of unit length,
        channel-major.

        Raises ValueError: h * w is not the number of cells.
        """
        cells = int(features.shape[2]) * int(features.shape[3])
        if cells != self.cells:
            raise ValueError(
                f"this mixer is made for {self.cells} cells, not {cells}: "
                "give it pictures of the size it was made for"
            )
        x = self.mix(features.flatten(2))
        x = self.channel_proj(x.transpose(1, 2))
        x = self.row_proj(x.transpose(1, 2))
        return unit_length(x.flatten(1))


class FeatureMixer(nn.Module):
    """x + MLP(LayerNorm(x)) along the cells."""

    def __init__(self, cells: int, ratio: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.LayerNorm(cells),
            nn.Linear(cells, cells * ratio),
            nn.ReLU(),
            nn.Linear(cells * ratio, cells),
        )
        for layer in self.mix:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=INIT_DEVIATION)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = x + self.mix(x)
        return mixed
