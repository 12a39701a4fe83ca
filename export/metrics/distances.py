"""How far away the best answers lie: SDM, PDM, MA, Dis.

Of K answers the i-th (from 1) weighs K - i + 1. Rows of NaN (a query without an answer) count
as infinitely far away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_M = 6_378_137.0  # the references' haversine uses the equator's
SDM_PER_DEG = 5000.0  # DenseUAV
SDM_PER_M = 0.001  # Game4Loc's variant for GTA-UAV and UAV-VisLoc
PDM_SLOPE, PDM_HALF = 6.0, 0.9  # AnyVisLoc; PDM_HALF in widths of a tile


def sdm_deg(query: Floats, answers: Floats, as_float32: bool = False) -> Floats:
    """DenseUAV's SDM@K of each query: the weighted mean of exp(-5000 d), d in degrees of
    latitude and longitude alike. query (Q, 2), answers (Q, K, 2) -> (Q,).

    as_float32: round positions to float32 first, as the reference does (steps of about a metre
    at longitude 120).
    """
    if as_float32:
        query, answers = query.astype(np.float32), answers.astype(np.float32)
    away = (query[:, None] - answers).astype(np.float64)
    return _weighted(np.exp(-SDM_PER_DEG * np.sqrt((away**2).sum(-1))))


def sdm_m(distance_m: Floats) -> Floats:
    """Game4Loc's SDM@K: exp(-0.001 d), d in metres. (Q, K) -> (Q,)."""
    return _weighted(np.exp(-SDM_PER_M * distance_m))


def pdm(distance_m: Floats, width_m: Floats) -> Floats:
    """AnyVisLoc's PDM@K: the sigmoid of -6 (d / w - 0.9), w the width of the tile found.
    Both (Q, K) -> (Q,)."""
    with np.errstate(over="ignore"):
        near = 1.0 / (1.0 + np.exp(PDM_SLOPE * (distance_m / width_m - PDM_HALF)))
    return _weighted(near)


def share_within(distance_m: Floats, limit_m: float) -> float:
    """MA@m: share (0..1) of the best answers' distances (Q,) below m. No query gives 0."""
    return float(np.mean(distance_m < limit_m)) if len(distance_m) else 0.0


def mean_and_median(distance_m: Floats) -> tuple[float, float]:
    """Of those that are known (Dis@1 is the mean); NaN when none is."""
    known = distance_m[np.isfinite(distance_m)]
    if not len(known):
        return float("nan"), float("nan")
    return float(known.mean()), float(np.median(known))


def haversine_m(first: Floats, second: Floats) -> Floats:
    """Great-circle distances between (..., 2) latitudes and longitudes in degrees."""
    lat1, lon1 = np.radians(first[..., 0]), np.radians(first[..., 1])
    lat2, lon2 = np.radians(second[..., 0]), np.radians(second[..., 1])
    chord = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))


def _weighted(near: Floats) -> Floats:
    """(Q, K) -> (Q,), the weights falling from K to 1."""
    weights = np.arange(near.shape[1], 0, -1)
    return np.asarray((np.nan_to_num(near, nan=0.0) * weights).sum(1) / weights.sum())
