"""Multi-similarity loss with its miner (Wang et al. 2019), as SALAD and MixVPR are trained."""

from __future__ import annotations

import torch
from torch import Tensor

from export.training.distributed import gather

# of the code base that GSV-Cities, MixVPR and SALAD share
ALPHA = 1.0  # steepness towards positives
BETA = 50.0  # and away from negatives
BASE = 0.0  # similarity that both are compared with
MINER_MARGIN = 0.1


def multi_similarity(
    descriptors: Tensor,
    labels: Tensor,
    alpha: float = ALPHA,
    beta: float = BETA,
    base: float = BASE,
    margin: float = MINER_MARGIN,
) -> Tensor:
    """Mean over the samples i of

        1/alpha log(1 + sum over positives  exp(-alpha (s_ip - base)))
      + 1/beta  log(1 + sum over negatives  exp( beta (s_in - base)))

    with cosines s, over the pairs that the miner keeps: a positive less similar than the
    likest negative plus margin, a negative more similar than the unlikest positive less margin.
    A sample without such pairs counts as 0.

    descriptors: (N,D), unit length; labels: (N,) integers, the place of each. Returns a scalar,
    computed in fp32; of all processes' samples together, each bringing the same N.
    """
    descriptors, labels = gather(descriptors), gather(labels)
    with torch.autocast(descriptors.device.type, enabled=False):
        similarity = descriptors.float() @ descriptors.float().T
        positive, negative = _mined(similarity.detach(), labels, margin)
        pull = _soft_sum(-alpha * (similarity - base), positive) / alpha
        push = _soft_sum(beta * (similarity - base), negative) / beta
        return (pull + push).mean()


def _mined(similarity: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Masks (N,N) of the positive and the negative pairs that are worth learning from."""
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    negative = ~same
    infinity = similarity.new_tensor(float("inf"))
    unlikest_positive = torch.where(positive, similarity, infinity).amin(1, keepdim=True)
    likest_negative = torch.where(negative, similarity, -infinity).amax(1, keepdim=True)
    return (
        positive & (similarity < likest_negative + margin),
        negative & (similarity > unlikest_positive - margin),
    )


def _soft_sum(exponents: Tensor, kept: Tensor) -> Tensor:
    """log(1 + sum of exp over the kept), row by row; (N,N) -> (N,)."""
    exponents = exponents.masked_fill(~kept, float("-inf"))
    one = exponents.new_zeros(len(exponents), 1)
    return torch.cat((one, exponents), 1).logsumexp(1)
