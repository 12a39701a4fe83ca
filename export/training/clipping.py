"""Bounds on gradients before a step."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn


def clip_gradients(
    parameters: Iterable[Tensor], max_norm: float | None, max_value: float | None
) -> None:
    """By the norm of all together, and by value, each where given."""
    parameters = list(parameters)
    if max_value is not None:
        nn.utils.clip_grad_value_(parameters, max_value)
    if max_norm is not None:
        nn.utils.clip_grad_norm_(parameters, max_norm)
