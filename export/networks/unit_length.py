"""Vectors brought to length 1, in single precision whatever comes in."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def unit_length(x: Tensor, dim: int = 1) -> Tensor:
    """L2 along dim, fp32 out; a zero vector stays zero.

    In fp16 the sum of squares would overflow from 255 on and the eps of 1e-12 be 0.
    """
    return F.normalize(x.float(), dim=dim)
