"""Batches larger than a graph takes, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from onboard.inference.contract import Tensor

RunOnce = Callable[[Sequence[str], Mapping[str, Tensor]], list[Tensor]]


def run_in_pieces(
    run_once: RunOnce,
    outputs: Sequence[str],
    inputs: Mapping[str, Tensor],
    batched: Collection[str],
    largest: int,
) -> list[Tensor]:
    """Cuts the inputs named in `batched` along their first axis into pieces of `largest`, runs
    each with the other inputs whole, and joins every output along its first axis.

    Raises ValueError when the batched inputs are not of one length.
    """
    lengths = {name: len(inputs[name]) for name in batched if name in inputs}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"inputs of different batches: {lengths}")
    length = next(iter(lengths.values()), 0)
    if length <= largest:
        return run_once(outputs, inputs)
    pieces = [
        run_once(
            outputs,
            {n: x[start : start + largest] if n in lengths else x for n, x in inputs.items()},
        )
        for start in range(0, length, largest)
    ]
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
