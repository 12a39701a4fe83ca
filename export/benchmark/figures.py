"""All figures of one set from its descriptors, by its protocol. Shares are 0..1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from export.benchmark.model import Floats32
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet
from export.metrics.average_precision import (
    JunkRule,
    junk_of,
    step_precision,
    trapezoid_precision,
)
from export.metrics.distances import (
    haversine_m,
    mean_and_median,
    pdm,
    sdm_deg,
    sdm_m,
    share_within,
)
from export.metrics.ranking import (
    Found,
    OnePercent,
    Ranks,
    find_positives,
    first_ranks,
    hits,
    one_percent,
    recall_at,
    strict_ranks,
)
from export.metrics.similarity import NOWHERE, best_places, similarity_blocks

Figures = dict[str, float]
RECALLS = (1, 5, 10)
WEIGHTED = (1, 3, 5, 10)  # K of SDM@K and PDM@K
WITHIN_M = (5, 10, 20, 50, 100)  # of MA@m


def measure(
    pairs: RetrievalSet, queries: Floats32, gallery: Floats32, rule: JunkRule = JunkRule.ORIGINAL
) -> Figures:
    """queries (Q, D) and gallery (G, D) in the set's order; NaN rows could not be described: a
    query is then a miss, a reference is never found. rule: of sets that group by label."""
    if pairs.protocol is Protocol.CLASSES:
        return _classes(pairs, queries, gallery, rule)
    if pairs.protocol is Protocol.POSITIONS:
        return _classes(pairs, queries, gallery, rule) | _distances(pairs, queries, gallery)
    return _pairs(pairs, queries, gallery)


def _classes(pairs: RetrievalSet, queries: Floats32, gallery: Floats32, rule: JunkRule) -> Figures:
    """By sorting. AP by trapezoids (University-1652, DenseUAV) and by steps (Game4Loc)."""
    junk = np.zeros(len(pairs.gallery), bool)
    if pairs.protocol is Protocol.CLASSES:
        junk = junk_of([q.label for q in pairs.queries], [g.label for g in pairs.gallery], rule)
    found: list[Found] = []
    for first, block in similarity_blocks(queries, gallery):
        found += find_positives(block, pairs.positives[first : first + len(block)], junk)
    good = [int((~junk[list(own)]).sum()) for own in pairs.positives]
    trapezoids = [trapezoid_precision(f, n) for f, n in zip(found, good, strict=True)]
    steps = [step_precision(f, n) for f, n in zip(found, good, strict=True)]
    figures = _recalls(first_ranks(found), len(pairs.gallery), OnePercent.UNIVERSITY)
    return figures | {"AP": float(np.mean(trapezoids)), "AP step": float(np.mean(steps))}


def _pairs(pairs: RetrievalSet, queries: Floats32, gallery: Floats32) -> Figures:
    """By counting what is strictly more similar; hit rate where there are semi-positives."""
    ranks, hit = [], []
    for first, block in similarity_blocks(queries, gallery):
        own = slice(first, first + len(block))
        ranks.append(strict_ranks(block, pairs.positives[own]))
        if pairs.semi_positives:
            hit.append(hits(block, pairs.positives[own], pairs.semi_positives[own]))
    figures = _recalls(np.concatenate(ranks), len(pairs.gallery), OnePercent.SAMPLE4GEO)
    return figures | ({"hit": float(np.mean(np.concatenate(hit)))} if hit else {})


def _recalls(ranks: Ranks, gallery: int, counting: OnePercent) -> Figures:
    figures = {f"R@{k}": recall_at(ranks, k) for k in RECALLS}
    return figures | {"R@1%": recall_at(ranks, one_percent(gallery, counting))}


def _distances(pairs: RetrievalSet, queries: Floats32, gallery: Floats32) -> Figures:
    """SDM in degrees (DenseUAV) and metres (Game4Loc), PDM where tiles tell their width, MA,
    mean and median distance of the first answer. Nothing where there are no positions."""
    degrees = _all(pairs, lambda item: item.position_deg)
    metres = _all(pairs, lambda item: item.position_m)
    if degrees is None and metres is None:
        return {}
    count = min(max(WEIGHTED), len(pairs.gallery))
    best = np.zeros((len(queries), count), np.intp)
    known = np.zeros((len(queries), count), bool)
    for first, block in similarity_blocks(queries, gallery):
        for i, row in enumerate(block, start=first):
            best[i] = best_places(row, count)
            known[i] = row[best[i]] > NOWHERE
    figures: Figures = {}
    if degrees is not None:
        found = np.where(known[:, :, None], degrees[1][best], np.nan)
        for k in WEIGHTED:
            figures[f"SDM@{k}"] = float(sdm_deg(degrees[0], found[:, :k]).mean())
        away = haversine_m(degrees[0][:, None], found)
    elif metres is not None:
        found = np.where(known[:, :, None], metres[1][best], np.nan)
        away = np.hypot(*np.moveaxis(found - metres[0][:, None], 2, 0))
    for k in WEIGHTED:
        figures[f"SDM m@{k}"] = float(sdm_m(away[:, :k]).mean())
    widths = [item.width_m for item in pairs.gallery]
    if all(w is not None for w in widths):
        wide = np.array(widths, np.float64)[best]
        for k in WEIGHTED:
            figures[f"PDM@{k}"] = float(pdm(away[:, :k], wide[:, :k]).mean())
    for limit_m in WITHIN_M:
        figures[f"MA@{limit_m}"] = share_within(away[:, 0], limit_m)
    figures["Dis@1 m"], figures["median m"] = mean_and_median(away[:, 0])
    return figures


def _all(
    pairs: RetrievalSet, place: Callable[[Item], tuple[float, float] | None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """(Q, 2) and (G, 2), None unless every item has its place."""
    both = [[place(item) for item in items] for items in (pairs.queries, pairs.gallery)]
    if any(p is None for own in both for p in own):
        return None
    return np.array(both[0], np.float64), np.array(both[1], np.float64)
