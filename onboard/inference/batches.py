"""Batches of another length than a graph takes, in pieces."""

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
    fixed: bool = False,
) -> list[Tensor]:
    """Cuts the inputs named in `batched` along their first axis into pieces of `largest`, runs
    each with the other inputs whole, and joins every output along its first axis. fixed: the
    graph takes `largest` and nothing less; the last piece is filled up and its answers are cut.

    Raises ValueError when the batched inputs are not of one length.
    """
    lengths = {name: len(inputs[name]) for name in batched if name in inputs}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"inputs of different batches: {lengths}")
    length = next(iter(lengths.values()), 0)
    if length == largest or not length or (length < largest and not fixed):
        return run_once(outputs, inputs)
    pieces = []
    for start in range(0, length, largest):
        piece = {n: x[start : start + largest] if n in lengths else x for n, x in inputs.items()}
        count = min(largest, length - start)
        if fixed and count < largest:
            filled = {n: _filled(piece[n], largest) for n in lengths}
            pieces.append([a[:count] for a in run_once(outputs, {**piece, **filled})])
        else:
            pieces.append(run_once(outputs, piece))
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]


def _filled(part: Tensor, length: int) -> Tensor:
    """With its first entry repeated behind."""
    return np.concatenate([part, part[:1].repeat(length - len(part), axis=0)])


def fixed_batch(shapes: Sequence[Sequence[object]]) -> int | None:
    """The batch that a graph of these input shapes takes, None where a first axis is free or
    they differ."""
    firsts = {shape[0] if len(shape) else None for shape in shapes}
    only = firsts.pop() if len(firsts) == 1 else None
    return only if isinstance(only, int) and only > 0 else None
