"""Bounds on gradients before a step."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


def clip_gradients(
    parameters: Iterable[Tensor], max_norm: float | None, max_value: float | None
) -> float:
    """By value, then by the norm of all together, each where given. Returns the norm before:
    it is not finite if any gradient is not."""
    parameters = list(parameters)
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if max_value is not None:
        nn.utils.clip_grad_value_(parameters, max_value)
    if max_norm is not None:
        nn.utils.clip_grad_norm_(parameters, max_norm)
    return float(norm)
