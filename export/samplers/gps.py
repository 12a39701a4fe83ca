"""GPS sampling (Sample4Geo): before a network can tell what looks alike, what lies near must do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.samplers.exclusive import Samples
from export.samplers.neighbours import NEIGHBOURS, Neighbours

CHUNK = 256  # references measured against all others at once


def nearest_by_gps(
    samples: Samples,
    lat_deg: NDArray[np.float64],
    lon_deg: NDArray[np.float64],
    count: int = NEIGHBOURS,
) -> Neighbours:
    """The `count` references nearest to each sample's own by haversine, without those it is
    positive to; (N, count), nearest first, -1 where there are no more.

    lat_deg, lon_deg: (P,) of the references that samples.places numbers. Raises ValueError: a
    position that is no number, a place outside the list.
    """
    # the squared chord between two points of the unit sphere is four times the haversine of
    # their angle: the order is the same
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    points = np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))
    return _nearest_to_own(samples, points, count)


def nearest_by_metres(
    samples: Samples,
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    count: int = NEIGHBOURS,
) -> Neighbours:
    """The same by Euclidean distance, for sets with a metric frame (UTM of one zone)."""
    return _nearest_to_own(samples, np.stack((x_m, y_m)), count)


def without_positives(samples: Samples, ranked: NDArray[np.int64], count: int) -> Neighbours:
    """Ranked references (N, M) of each sample without its own and its other positives, cut to
    the first `count` and filled with -1."""
    kept = np.full((len(samples), count), -1, np.int32)
    for i, row in enumerate(ranked.tolist()):
        own = int(samples.places[i])
        others = [p for p in row if p != own and p not in samples.positives[i]][:count]
        kept[i, : len(others)] = others
    return kept


def _nearest_to_own(samples: Samples, points: NDArray[np.float64], count: int) -> Neighbours:
    if not np.isfinite(points).all():
        raise ValueError("a reference without a position")
    references = points.shape[1]
    if len(samples) and not 0 <= samples.places.min() <= samples.places.max() < references:
        raise ValueError(f"places outside the list of {references} positions")
    spare = 1 + max((len(p) for p in samples.positives), default=0)
    nearest = _nearest(points, count + spare)
    return without_positives(samples, nearest[samples.places], count)


def _nearest(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Points (D, P) -> (P, min(count, P)) by distance, then by number."""
    references = points.shape[1]
    count = min(count, references)
    nearest = np.empty((references, count), np.int64)
    for start in range(0, references, CHUNK):
        some = points[:, start : start + CHUNK]
        square = sum((a[:, None] - b[None]) ** 2 for a, b in zip(some, points, strict=True))
        best = np.sort(np.argpartition(square, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(np.take_along_axis(square, best, 1), axis=1, kind="stable")
        nearest[start : start + CHUNK] = np.take_along_axis(best, order, 1)
    return nearest
