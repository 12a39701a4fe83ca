"""SALAD: tokens assigned to learned clusters by optimal transport (Izquierdo & Civera 2024).

Written from the formulas (facts sheet 1.2); parameter names are those of `dino_salad.ckpt`.
"""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor, nn

from export.networks.unit_length import unit_length

SINKHORN_ITERATIONS = 3  # the released model's


class Salad(nn.Module):
    """Descriptor of a token map: [token_channels of the whole, cluster_channels x clusters].

    Without a dustbin (the ablation) every token belongs entirely to the clusters, whose shares
    are equal. token_channels = 0 leaves the whole picture's part out.
    """

    def __init__(
        self,
        channels: int,
        clusters: int = 64,
        cluster_channels: int = 128,
        token_channels: int = 256,
        hidden: int = 512,
        dustbin: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.clusters = clusters
        self.output_dim = token_channels + clusters * cluster_channels
        self.token_features = (
            nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, token_channels))
            if token_channels
            else None
        )
        self.cluster_features = _head(channels, hidden, cluster_channels, dropout)
        self.score = _head(channels, hidden, clusters, dropout)
        self.dust_bin = nn.Parameter(torch.tensor(1.0)) if dustbin else None

    def forward(self, features: Tensor, token: Tensor) -> Tensor:
        """features (N,C,h,w), token (N,C) -> (N, output_dim) float32 of unit length; clusters lie
        feature-major, number d * clusters + k is feature d of cluster k.

        Raises ValueError: with a dustbin, no more tokens than clusters.
        """
        tokens = int(features.shape[2]) * int(features.shape[3])
        if self.dust_bin is not None and tokens <= self.clusters:
            raise ValueError(
                f"SALAD needs more tokens than its {self.clusters} clusters, "
                f"not {tokens}: give it larger pictures"
            )
        local = self.cluster_features(features)
        scores = self.score(features)
        whole = self.token_features(token) if self.token_features is not None else None
        with _single_precision(features.device.type):
            shares = self._shares(scores.flatten(2).float())
            summed = local.flatten(2).float() @ shares.transpose(1, 2)
            parts = [unit_length(summed).flatten(1)]
            if whole is not None:
                parts.insert(0, unit_length(whole))
            return unit_length(torch.cat(parts, dim=1))

    def _shares(self, scores: Tensor) -> Tensor:
        """(N, clusters, tokens) -> the same: how much of each token goes to each cluster."""
        m, n = self.clusters, int(scores.shape[2])
        if self.dust_bin is None:
            log_rows = scores.new_full((m,), math.log(n / m))
            return optimal_transport(scores, log_rows)
        bin_row = self.dust_bin.float().expand(scores.shape[0], 1, n)
        log_rows = scores.new_tensor([0.0] * m + [math.log(n - m)])
        return optimal_transport(torch.cat([scores, bin_row], dim=1), log_rows)[:, :m]


def optimal_transport(
    scores: Tensor, log_rows: Tensor, iterations: int = SINKHORN_ITERATIONS
) -> Tensor:
    """Sinkhorn's iterations in log form, entropy weight 1: (N,r,n), (r,) -> (N,r,n) whose columns
    sum to 1 and whose rows sum to about exp(log_rows), which must add up to n.

    The masses are the reference's, times their total: its factor (n + m) at the end falls away.
    """
    columns = torch.zeros_like(scores[:, :1])
    rows = torch.zeros_like(scores[:, :, :1])
    for _ in range(iterations):
        rows = log_rows[None, :, None] - log_sum_exp(scores + columns, 2)
        columns = -log_sum_exp(scores + rows, 1)
    return torch.exp(scores + rows + columns)


def log_sum_exp(x: Tensor, dim: int) -> Tensor:
    """Keeps the dimension. Own, because TensorRT lowers ReduceLogSumExp without a shift by the
    maximum and overflows (NVIDIA/TensorRT issue 4772)."""
    top = x.amax(dim, keepdim=True).detach()
    return top + torch.log(torch.exp(x - top).sum(dim, keepdim=True))


def _single_precision(device: str) -> contextlib.AbstractContextManager[object]:
    """No autocast; the meta device, on which shapes are tried out, knows none."""
    if not torch.amp.is_autocast_available(device):
        return contextlib.nullcontext()
    return torch.autocast(device, enabled=False)


def _head(channels: int, hidden: int, out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1), nn.Dropout(dropout), nn.ReLU(), nn.Conv2d(hidden, out, 1)
    )
