"""Average precision of one query's ranking, in the two kinds that the field prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from export.metrics.ranking import Found


class JunkRule(str, Enum):
    """Which references are out of the ranking before anything is counted.

    ORIGINAL: those labelled -1 (University-1652). SAMPLE4GEO: also those whose label no query
    has, so that distractors drop out; figures of the two do not compare.
    """

    ORIGINAL = "original"
    SAMPLE4GEO = "sample4geo"


JUNK_LABEL = "-1"


def junk_of(
    query_labels: Sequence[str], gallery_labels: Sequence[str], rule: JunkRule
) -> NDArray[np.bool_]:
    """(G,) which references are junk."""
    asked = set(query_labels)
    return np.array(
        [
            label == JUNK_LABEL or (rule is JunkRule.SAMPLE4GEO and label not in asked)
            for label in gallery_labels
        ],
        bool,
    )


def trapezoid_precision(found: Found, positives: int) -> float:
    """Oxford's area by trapezoids, as University-1652, SUES-200 and DenseUAV count:
    sum over the i-th right answer at place r (from 0) of (old + new) / 2G with
    new = i / (r + 1), old = (i - 1) / r, or 1 at r = 0. positives: G; 0 gives 0."""
    if positives == 0:
        return 0.0
    nth = np.arange(1, len(found.ranks) + 1)
    new = nth / (found.ranks + 1)
    old = np.where(found.ranks == 0, 1.0, (nth - 1) / np.maximum(found.ranks, 1))
    return math.fsum((old + new) / 2) / positives


def step_precision(found: Found, positives: int) -> float:
    """The sum over thresholds of precision times the gain in recall, equal scores being one
    threshold: sklearn's average_precision_score, as Game4Loc counts. positives: 0 gives 0."""
    if positives == 0:
        return 0.0
    right = np.searchsorted(found.reached, found.reached, "right")
    return math.fsum(right / found.reached) / positives
