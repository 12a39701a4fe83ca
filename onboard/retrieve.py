"""Which tiles of the map may show the view: by descriptor, and by the prior where there is one.

With a prior, only the tiles near it compete, in an exact search: the table is sorted by row,
so the window is a slice, and 1,000 descriptors take 0.05 ms. (hnswlib's filter would call
Python for every visited node, 20 ms when few tiles pass.) Without a prior the whole level
competes: exactly while it is small, by the hnswlib shards beyond that.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.map_pack import MapPack
from onboard.messages import TILE_PX, TILE_STRIDE_PX, Candidate, Prior
from onboard.tile_index import TileTable

WINDOW_SIGMAS = 3.0  # a view's centre lies further out in 1.1 % of cases (2-D normal)
# Cosine similarity that one unit of log-probability is worth. InfoNCE makes similarities
# log-likelihoods at its learned temperature (0.07 at the start, 0.01 at the least); this is
# between, for descriptors are surer of themselves than they are right. Not tuned on data.
PRIOR_WEIGHT = 0.05
EXACT_LIMIT = 20_000  # tiles; 1.1 ms at 256 numbers on one core


def retrieve(
    pack: MapPack,
    level: int,
    descriptor: NDArray[np.float32],
    k: int,
    prior: Prior | None = None,
) -> tuple[Candidate, ...]:
    """The k best candidates among the level's tiles, best first; empty when none is near.

    descriptor: (D,) float32 of unit length. prior: where the view's centre (not the
    vehicle) may be. With it, candidates are ordered by similarity + PRIOR_WEIGHT *
    log_prior.
    """
    if not np.isfinite(descriptor).all():
        return ()  # hnswlib would answer NaN with arbitrary tiles
    if prior is None:
        return _whole_level(pack, level, descriptor, k)
    tiles = pack.tiles(level)
    near, log_prior = tiles_near(tiles, prior)
    distance = 1.0 - tiles.descriptors[near] @ descriptor
    best = _smallest(distance - PRIOR_WEIGHT * log_prior, k)
    return tuple(
        Candidate(tiles.tile_id(int(near[i])), float(distance[i]), float(log_prior[i]))
        for i in best
    )


def tiles_near(tiles: TileTable, prior: Prior) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Positions of the tiles that can hold the view's centre, and their log-probabilities.

    A tile competes when its centre is within WINDOW_SIGMAS sigma and half its diagonal of
    the prior's position. The centre is spread evenly over the tile's middle (one stride
    wide), whose variance adds to the prior's.
    """
    east_m, north_m = pixel_size_m(prior.lat_deg, tiles.level)
    x, y = latlon_to_pixel(prior.lat_deg, prior.lon_deg, tiles.level)
    reach_m = WINDOW_SIGMAS * prior.sigma_m + math.hypot(east_m, north_m) * TILE_PX / 2
    col, row = (x - TILE_PX / 2) / TILE_STRIDE_PX, (y - TILE_PX / 2) / TILE_STRIDE_PX
    reach_cols, reach_rows = (
        reach_m / (TILE_STRIDE_PX * east_m),
        reach_m / (TILE_STRIDE_PX * north_m),
    )
    window = tiles.window(
        math.floor(col - reach_cols),
        math.ceil(col + reach_cols),
        math.floor(row - reach_rows),
        math.ceil(row + reach_rows),
    )
    d2 = ((tiles.cols[window] - col) * TILE_STRIDE_PX * east_m) ** 2
    d2 = d2 + ((tiles.rows[window] - row) * TILE_STRIDE_PX * north_m) ** 2
    inside = d2 <= reach_m**2
    variance = prior.sigma_m**2 + (TILE_STRIDE_PX * east_m) ** 2 / 12
    return window[inside], -d2[inside] / (2 * variance)


def _whole_level(
    pack: MapPack, level: int, descriptor: NDArray[np.float32], k: int
) -> tuple[Candidate, ...]:
    if pack.manifest.tile_count(level) > EXACT_LIMIT:
        return tuple(Candidate(tile, d) for tile, d in pack.nearest(level, descriptor, k))
    tiles = pack.tiles(level)
    distance = 1.0 - tiles.descriptors @ descriptor
    best = _smallest(distance.astype(np.float64), k)
    return tuple(Candidate(tiles.tile_id(int(i)), float(distance[i])) for i in best)


def _smallest(costs: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Positions of the k smallest, smallest first, ties by position."""
    part = np.arange(len(costs))
    if k < len(costs):
        part = np.sort(np.argpartition(costs, k)[:k])
    return part[np.argsort(costs[part], kind="stable")]
