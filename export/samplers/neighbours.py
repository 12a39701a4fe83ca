"""Batches of hard negatives: a random sample with those that lie or look near it (Sample4Geo).

The table of neighbours comes from gps.py in the first epochs and from similarity.py later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.samplers.exclusive import MAX_FAILED, Batch, Samples, exclusive_batches

NEIGHBOURS = 128  # kept for every sample
SELECTED = 64  # of them go into a batch: the nearest half always, the rest drawn

Neighbours = NDArray[np.int32]
"""(N, K): per sample the numbers of the references next to it, nearest first; -1 for none."""


def neighbour_batches(
    samples: Samples,
    neighbours: Neighbours,
    batch_size: int,
    seed: int,
    epoch: int,
    selected: int = SELECTED,
    max_failed: int = MAX_FAILED,
) -> list[Batch]:
    """One epoch: a random sample, then samples of its nearest selected / 2 references and of as
    many drawn from the others of its list, until the batch is full; then the next random one.

    No reference twice in a batch, no sample twice in an epoch, the last incomplete batch
    dropped. A reference with several samples gives one of them, in an order that changes with
    the epoch. Raises ValueError: a table that is not one row a sample.
    """
    if neighbours.ndim != 2 or len(neighbours) != len(samples):
        raise ValueError(f"neighbours {neighbours.shape} for {len(samples)} samples")
    rng = np.random.default_rng((seed, epoch))
    of_place: dict[int, list[int]] = {}
    for sample in rng.permutation(len(samples)).tolist():
        of_place.setdefault(int(samples.places[sample]), []).append(sample)

    def companions(sample: int) -> list[int]:
        row = neighbours[sample]
        row = row[row >= 0]
        always = selected // 2
        drawn = rng.permutation(row[always:])[: selected - always]
        return [
            s
            for place in (*row[:always].tolist(), *drawn.tolist())
            for s in of_place.get(place, ())
        ]

    return exclusive_batches(samples, batch_size, rng, companions, max_failed)
