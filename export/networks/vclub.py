"""vCLUB: an upper bound of the mutual information of two vectors, and its estimator.

After Cheng et al. 2020 (CLUB), from the formulas of seeds 1.4: q(y|x) is a Gaussian whose mean
and log-variance two small networks read from x; tanh keeps the log-variance in -1..1. The
bound only means something while the estimator fits, and only its own loss may train it: see
`frozen_bound` for the encoders' side.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call

HIDDEN = 4096  # GeoLink's section 4; half of it is the hidden layer's width


class VClub(nn.Module):
    """x: (N,x_dim), y: (N,y_dim); row i of both is one sample."""

    def __init__(self, x_dim: int, y_dim: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        half = hidden // 2
        self.mean = nn.Sequential(nn.Linear(x_dim, half), nn.ReLU(), nn.Linear(half, y_dim))
        self.log_variance = nn.Sequential(
            nn.Linear(x_dim, half), nn.ReLU(), nn.Linear(half, y_dim), nn.Tanh()
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The bound in nats: mean over i of log q(y_i|x_i) less mean over j of log q(y_j|x_i)."""
        mean, log_variance = self.mean(x), self.log_variance(x)
        # mean_j (y_j - m)^2 by the first two moments of y: O(N) instead of O(N^2)
        centre = y.mean(0)
        spread = (y - centre).square().mean(0)
        others = spread + (centre - mean).square()
        gain: Tensor = (others - (mean - y).square()) / (2.0 * log_variance.exp())
        return gain.sum(1).mean()

    def estimator_loss(self, x: Tensor, y: Tensor) -> Tensor:
        """What the estimator minimises: the negative log-likelihood of a number of y given x, up
        to factor and constant. Neither x nor y gets a gradient."""
        x, y = x.detach(), y.detach()
        mean, log_variance = self.mean(x), self.log_variance(x)
        loss: Tensor = (mean - y).square() / log_variance.exp() + log_variance
        return loss.mean()

    def frozen_bound(self, x: Tensor, y: Tensor) -> Tensor:
        """The bound with gradients for x and y only: what the encoders minimise."""
        held = {k: v.detach() for k, v in self.named_parameters()}
        bound: Tensor = functional_call(self, held, (x, y))
        return bound
