"""Ranks of right answers, and the shares that follow from them.

Two ways of counting are in use. VIGOR, CVUSA and CVACT (Sample4Geo's code too) count the
references that are strictly more similar than the right one: `strict_ranks`. University-1652
and its kin sort, and look for every right answer in the order: `Found`, whose ties keep the
gallery's order (the references' order is not defined there).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from export.metrics.similarity import NOWHERE, Floats32

Ranks = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max  # rank of a query that has no right answer
PERCENT = 0.01


class OnePercent(str, Enum):
    """What the references call R@1 %: the number of answers looked at in a gallery of N."""

    SAMPLE4GEO = "N // 100, at least 1"  # VIGOR, CVUSA, CVACT
    UNIVERSITY = "round(N / 100) + 1"  # CMC[round(0.01 N)] of a list that starts at 0


def one_percent(gallery: int, counting: OnePercent) -> int:
    """How many answers R@1 % looks at. Python's round: a half goes to the even number."""
    if counting is OnePercent.SAMPLE4GEO:
        return max(1, gallery // 100)
    return round(PERCENT * gallery) + 1


def strict_ranks(block: Floats32, positives: Sequence[Sequence[int]]) -> Ranks:
    """block (q, G) -> (q,): 1 + how many are strictly more similar than the best positive;
    NEVER without one, or where the query or all its positives have no descriptor."""
    best = _best(block, positives)
    ranks = 1 + (block > best[:, None]).sum(1, dtype=np.int64)
    return np.where(best > NOWHERE, ranks, NEVER)


def hits(
    block: Floats32, positives: Sequence[Sequence[int]], spared: Sequence[Sequence[int]]
) -> NDArray[np.bool_]:
    """VIGOR's hit: nothing is strictly more similar than the best positive once positives and
    semi-positives (spared) are out of the competition. Never below R@1."""
    best = _best(block, positives)
    rivals = block.copy()
    for row, *own in zip(rivals, positives, spared, strict=True):
        for places in own:
            row[list(places)] = NOWHERE
    return np.asarray((best > NOWHERE) & (rivals.max(1, initial=NOWHERE) <= best))


def _best(block: Floats32, positives: Sequence[Sequence[int]]) -> Floats32:
    best = np.full(len(block), NOWHERE, np.float32)
    for i, own in enumerate(positives):
        if own:
            best[i] = block[i, list(own)].max()
    return best


@dataclass(frozen=True)
class Found:
    """A query's right answers in its ranking, best first. ranks: (P,) places from 0.
    reached: (P,) how many of the gallery are at least as similar as each."""

    ranks: Ranks
    reached: Ranks


def find_positives(
    block: Floats32, positives: Sequence[Sequence[int]], junk: NDArray[np.bool_] | None = None
) -> list[Found]:
    """One a query. junk: (G,) references that are taken out of the ranking, and out of the
    positives. Answers without a descriptor are not found; a query without one finds none."""
    kept = np.arange(block.shape[1]) if junk is None else np.flatnonzero(~junk)
    place = np.full(block.shape[1], -1)
    place[kept] = np.arange(len(kept))
    if junk is not None:
        block = block[:, kept]
    ascending = np.sort(block, axis=1)
    return [
        _find(row, in_order, place[list(own)])
        for row, in_order, own in zip(block, ascending, positives, strict=True)
    ]


def _find(row: Floats32, ascending: Floats32, own: NDArray[np.int_]) -> Found:
    own = own[own >= 0]
    own = np.sort(own[row[own] > NOWHERE])
    scores = row[own]
    more = len(row) - np.searchsorted(ascending, scores, "right")
    reached = len(row) - np.searchsorted(ascending, scores, "left")
    ranks = more.astype(np.int64)
    for i in np.flatnonzero(reached - more > 1):
        ranks[i] += np.count_nonzero(row[: own[i]] == scores[i])
    order = np.argsort(ranks)
    return Found(ranks[order], reached[order].astype(np.int64))


def recall_at(ranks: Ranks, k: int) -> float:
    """Share (0..1) of ranks (from 1) that are at most k; 0 for no queries."""
    return float(np.mean(ranks <= k)) if len(ranks) else 0.0


def first_ranks(found: Iterable[Found]) -> Ranks:
    """Rank (from 1) of each query's first right answer, NEVER without one: with them CMC[k]
    is `recall_at(ranks, k + 1)`. Queries without a right answer stay in the denominator."""
    return np.array([f.ranks[0] + 1 if len(f.ranks) else NEVER for f in found], np.int64)
