"""UnifyGeo's re-ranking (section III.D, equation 4): the first few candidates are put in a new
order by the sum of their retrieval score and their best detailed match.

Rows are queries. Scores are raw cosines, with no temperature.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 5  # the paper's k

Scores = NDArray[np.float32]
Indexes = NDArray[np.intp]


def candidates(similarities: Scores, count: int = CANDIDATES) -> Indexes:
    """(Q,R) similarities -> (Q,k) the most similar references, best first; of equals the one
    with the smaller index comes first. k = min(count, R)."""
    order = np.argsort(-similarities, axis=1, kind="stable")
    return order[:, :count].astype(np.intp)


def rerank(similarities: Scores, chosen: Indexes, matches: Scores) -> Indexes:
    """chosen, matches: (Q,k), of candidates() and the largest cosine of each (rerank_scores of
    the network) -> chosen in descending order of similarity + match; equals keep their order."""
    fused = np.take_along_axis(similarities, chosen, 1) + matches
    order = np.argsort(-fused, axis=1, kind="stable")
    reordered: Indexes = np.take_along_axis(chosen, order, 1)
    return reordered


def ranks(similarities: Scores, reranked: Indexes, positives: Indexes) -> Indexes:
    """Rank of each query's positive (Q,), first = 1: its place among the re-ranked ones, or, if
    it isn't among them, the rank it had in the whole gallery (1 + references strictly above)."""
    own = np.take_along_axis(similarities, positives[:, None], 1)
    before = 1 + (similarities > own).sum(1)
    found = reranked == positives[:, None]
    rank: Indexes = np.where(found.any(1), 1 + found.argmax(1), before).astype(np.intp)
    return rank
