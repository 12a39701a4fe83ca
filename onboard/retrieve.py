"""Which tiles of the map may show the view: by descriptor, and by the prior where there is one.

With a prior, only the tiles near it compete. A small window is compared by the full descriptors
straight from the disk; a large one, or the whole level without a prior, by the compact codes
first, whose shortlist the full descriptors put in order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import TILE_PX, TILE_STRIDE_PX, Candidate, Prior, TileId
from onboard.pack.index_search import (
    Found,
    estimated,
    found_in,
    joined,
    nearest,
    shortlists,
    smallest,
    with_full_distances,
)
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import Shard
from onboard.pack.shard_keeper import ShardKeeper

WINDOW_SIGMAS = 3.0  # a view's centre lies further out in 1.1 % of cases (2-D normal)
# Cosine similarity that one unit of log-probability is worth. InfoNCE makes similarities
# log-likelihoods at its learned temperature (0.07 at the start, 0.01 at the least); this is
# between, for descriptors are surer of themselves than they are right. Not tuned on data.
PRIOR_WEIGHT = 0.05
DIRECT_TILES = 1000  # up to here, reading them all takes no longer than choosing first


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
    log_prior. Raises InputError: no such level, an index that can't be read.
    """
    if not np.isfinite(descriptor).all():
        return ()  # it would be as near to one tile as to another
    if prior is None:
        found = nearest(pack.index, level, descriptor, k)
        return _candidates(level, found, np.zeros(len(found)))
    shards = pack.index.of_level(level)
    tiles, log_prior = tiles_near(pack.index, shards, prior)
    if len(tiles) > max(DIRECT_TILES, k):
        costs = estimated(pack.index, shards, tiles, descriptor) - PRIOR_WEIGHT * log_prior
        shortlist = smallest(costs, max(shortlists(len(descriptor))[1], k))
        tiles, log_prior = tiles.take(shortlist), log_prior[shortlist]
    tiles = with_full_distances(pack.index, shards, tiles, descriptor)
    costs = tiles.distance - PRIOR_WEIGHT * log_prior
    best = np.lexsort((tiles.col, tiles.row, costs))[:k]
    return _candidates(level, tiles.take(best), log_prior[best])


def tiles_near(
    index: ShardKeeper, shards: tuple[Shard, ...], prior: Prior
) -> tuple[Found, NDArray[np.float64]]:
    """The tiles of a level's shards that can hold the view's centre, and their
    log-probabilities; the distances are not filled in.

    A tile competes when its centre is within WINDOW_SIGMAS sigma and half its diagonal of
    the prior's position. The centre is spread evenly over the tile's middle (one stride
    wide), whose variance adds to the prior's.
    """
    level = shards[0].level
    east_m, north_m = pixel_size_m(prior.lat_deg, level)
    x, y = latlon_to_pixel(prior.lat_deg, prior.lon_deg, level)
    reach_m = WINDOW_SIGMAS * prior.sigma_m + math.hypot(east_m, north_m) * TILE_PX / 2
    index.move_to(prior.lat_deg, prior.lon_deg, reach_m)
    col, row = (x - TILE_PX / 2) / TILE_STRIDE_PX, (y - TILE_PX / 2) / TILE_STRIDE_PX
    east_step_m, north_step_m = TILE_STRIDE_PX * east_m, TILE_STRIDE_PX * north_m
    reach_cols, reach_rows = reach_m / east_step_m, reach_m / north_step_m
    col0, col1 = math.floor(col - reach_cols), math.ceil(col + reach_cols)
    row0, row1 = math.floor(row - reach_rows), math.ceil(row + reach_rows)
    parts = [_NOTHING]
    for number in index.within(level, col0, col1, row0, row1):
        opened = index.open(shards[number])
        parts.append(found_in(number, opened, opened.window(col0, col1, row0, row1)))
    tiles = joined(parts)
    d2 = ((tiles.col - col) * east_step_m) ** 2 + ((tiles.row - row) * north_step_m) ** 2
    inside = np.flatnonzero(d2 <= reach_m**2)
    variance = prior.sigma_m**2 + east_step_m**2 / 12
    return tiles.take(inside), -d2[inside] / (2 * variance)


def _candidates(level: int, tiles: Found, log_prior: NDArray[np.float64]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(TileId(level, col, row), distance, prior)
        for col, row, distance, prior in zip(
            tiles.col.tolist(),
            tiles.row.tolist(),
            tiles.distance.tolist(),
            log_prior.tolist(),
            strict=True,
        )
    )


_NOTHING = Found(
    np.zeros(0, np.int32),
    np.zeros(0, np.intp),
    np.zeros(0, np.int32),
    np.zeros(0, np.int32),
    np.zeros(0, np.float32),
)
