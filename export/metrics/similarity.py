"""Similarities of all queries to all of a gallery, a block of queries at a time: 90,000 times
90,000 of them would be 32 GB."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
BLOCK_BYTES = 64 << 20
NOWHERE = -np.inf  # similarity of and to a picture that has no descriptor


def similarity_blocks(
    queries: Floats32, gallery: Floats32, block_bytes: int = BLOCK_BYTES
) -> Iterator[tuple[int, Floats32]]:
    """(first query, its block (q, G) float32) of the inner products of (Q, D) with (G, D).

    Descriptors are of unit length; a row of NaN is a picture that has none, and is similar to
    nothing (-inf).
    """
    rows = max(1, block_bytes // (4 * max(1, len(gallery))))
    gallery = np.ascontiguousarray(gallery, np.float32)
    for first in range(0, len(queries), rows):
        block = np.asarray(queries[first : first + rows], np.float32) @ gallery.T
        block[np.isnan(block)] = NOWHERE
        yield first, block


def best_places(row: Floats32, count: int) -> NDArray[np.intp]:
    """Places of the `count` largest of (G,), best first, equal ones in their order."""
    count = min(count, len(row))
    if count == 0:
        return np.zeros(0, np.intp)
    least = np.partition(row, len(row) - count)[len(row) - count]
    places = np.flatnonzero(row >= least)
    return places[np.argsort(-row[places], kind="stable")][:count]
