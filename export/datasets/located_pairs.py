"""Batches of panoramas and their tiles, with the camera's place in each tile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.datasets.aligned_turns import AlignedPair, at_random
from export.datasets.augmentation import Augmentation, augment_pair
from export.datasets.picture_file import read_picture
from export.datasets.retrieval_set import Size, TrainingSet


@dataclass(frozen=True)
class LocatedBatch:
    """panoramas (N,H,W,3) and tiles (N,S,S,3), uint8 BGR; places_px (N,2): column and row of
    the camera in its tile, where the corner of the first pixel is (0, 0)."""

    panoramas: NDArray[np.uint8]
    tiles: NDArray[np.uint8]
    places_px: NDArray[np.float32]


def read_located_pairs(
    found: TrainingSet,
    members: NDArray[np.int64],
    sizes: tuple[Size, Size],
    augmentation: Augmentation | None,
    seed: tuple[int, ...],
) -> LocatedBatch:
    """Queries `members` of a set with truths, each with its first positive, at `sizes` (the
    panorama's and the square tile's).

    seed: of the augmentation; the same seed, the same pictures. Raises InputError: a picture
    that is absent or broken.
    """
    views = (found.query_view, found.gallery_view)
    pairs = []
    for i, member in enumerate(members.tolist()):
        truth = found.truths[member]
        scale = sizes[1][1] / truth.tile_px
        pair = AlignedPair(
            read_picture(found.queries[member].picture, sizes[0]),
            read_picture(found.gallery[found.positives[member][0]].picture, sizes[1]),
            truth.col_px * scale,
            truth.row_px * scale,
        )
        if augmentation is not None:
            rng = np.random.default_rng((*seed, i))
            pair = at_random(pair, augmentation.mirror, augmentation.quarter_turn, rng)
            still = replace(augmentation, mirror=0.0, quarter_turn=0.0)
            panorama, tile = augment_pair(pair.panorama, pair.tile, views, still, rng)
            pair = replace(pair, panorama=panorama, tile=tile)
        pairs.append(pair)
    return LocatedBatch(
        np.stack([p.panorama for p in pairs]),
        np.stack([p.tile for p in pairs]),
        np.array([(p.col_px, p.row_px) for p in pairs], np.float32),
    )
