"""How much of what an exact search finds another search finds, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from onboard.pack.tile_index import RECALL_NEAREST, unit_length

# float32 sums of a thousand products differ by this from one order to another.
EQUAL_DISTANCE = 2e-6

Vectors = NDArray[np.float32]


def views_between(descriptors: Vectors, first: NDArray[np.intp]) -> Vectors:
    """(Q, D): queries as flights ask them, views between two tiles. descriptors: (N, D), by row,
    then column. Each is the middle of the tile at `first` and of the one after it."""
    after = np.minimum(first + 1, len(descriptors) - 1)
    return unit_length(descriptors[first] + descriptors[after])


def nearest_distances(queries: Vectors, parts: Iterable[Vectors]) -> Vectors:
    """(Q, K) cosine distances of the RECALL_NEAREST nearest among all parts, (N, D) each, best
    first; K is less where there are fewer."""
    best = np.zeros((len(queries), 0), np.float32)
    for descriptors in parts:
        both = np.concatenate([best, 1.0 - queries @ descriptors.T], axis=1)
        best = np.sort(_smallest_of_rows(both), axis=1)
    return best


def recall(queries: Vectors, exact: Vectors, search: Callable[[Vectors], Vectors]) -> float:
    """The share found. exact: `nearest_distances`; what is as near as the farthest of them counts,
    for the order of equals is arbitrary. search: gives the cosine distances of what it finds for
    (D,), best first."""
    k = exact.shape[1]
    bounds = exact[:, -1] + EQUAL_DISTANCE
    found = sum(int((search(q)[:k] <= b).sum()) for q, b in zip(queries, bounds, strict=True))
    return found / exact.size


def _smallest_of_rows(distances: Vectors) -> Vectors:
    if distances.shape[1] <= RECALL_NEAREST:
        return distances
    return np.partition(distances, RECALL_NEAREST - 1, axis=1)[:, :RECALL_NEAREST]
