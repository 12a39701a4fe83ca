"""InfoNCE between the two views of a batch: whoever is not the partner is a negative."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from export.training.distributed import gather

LABEL_SMOOTHING = 0.1  # Sample4Geo, CV-Cities, UnifyGeo
# The references put no cap on the learned scale (Sample4Geo starts at 1/0.07 and stays far
# below); CLIP's cap keeps a run that diverges from overflowing. Above it the gradient is 0.
MAX_SCALE = 100.0
STEEPNESS = 5.0  # Game4Loc's k


def symmetric_infonce(
    a: Tensor, b: Tensor, log_scale: Tensor, label_smoothing: float = LABEL_SMOOTHING
) -> Tensor:
    """Mean of the cross entropies of rows and of columns of exp(log_scale) a b^T.

    a, b: (N,D), unit length, row i of each shows the same place; log_scale: scalar, usually
    learned from ln(1/0.07). Returns a scalar, computed in fp32 under autocast too. With
    several processes the batch is that of all of them, and every process returns the same
    value; each must bring the same N. (Sample4Geo, equation 1; UnifyGeo's L_G)
    """
    logits = _logits(a, b, log_scale)
    target = torch.arange(len(logits), device=logits.device)
    return 0.5 * (
        F.cross_entropy(logits, target, label_smoothing=label_smoothing)
        + F.cross_entropy(logits.T, target, label_smoothing=label_smoothing)
    )


def weighted_infonce(
    a: Tensor, b: Tensor, log_scale: Tensor, iou: Tensor, steepness: float = STEEPNESS
) -> Tensor:
    """Symmetric InfoNCE that believes a pair as far as its footprints overlap (Game4Loc).

    a, b, log_scale: as in symmetric_infonce; iou: (N,) in 0..1, the overlap of pair i. The
    label smoothing of pair i is 1 - 1 / (1 + exp(-steepness iou)): 0.5 for a pair that only
    touches, 0.007 for one that coincides.
    """
    logits = _logits(a, b, log_scale)
    smoothing = 1.0 - torch.sigmoid(steepness * gather(iou.float()))
    return 0.5 * (_smoothed(logits, smoothing) + _smoothed(logits.T, smoothing))


def _logits(a: Tensor, b: Tensor, log_scale: Tensor) -> Tensor:
    a, b = gather(a), gather(b)
    with torch.autocast(a.device.type, enabled=False):
        scale = log_scale.float().exp().clamp(max=MAX_SCALE)
        return scale * a.float() @ b.float().T


def _smoothed(logits: Tensor, smoothing: Tensor) -> Tensor:
    """Cross entropy to the diagonal; row i shares smoothing[i] of its label among all columns."""
    log_p = F.log_softmax(logits, 1)
    return -((1.0 - smoothing) * log_p.diagonal() + smoothing * log_p.mean(1)).mean()
