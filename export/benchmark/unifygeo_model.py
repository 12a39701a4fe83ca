"""UnifyGeo at full size: a tower for panoramas, one for tiles, re-ranking and metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.benchmark.kept_tiles import KeptTiles
from export.benchmark.model import Floats32
from export.benchmark.picture_size import picture_size
from export.benchmark.picture_tensor import device_of, normalised
from export.datasets.retrieval_set import Size, View
from export.metrics.localization import HeatmapGrid
from export.networks.unifygeo import TILE_PX, UnifyGeo
from export.networks.unifygeo_rerank import CANDIDATES
from onboard.errors import InputError
from onboard.messages import Picture
from onboard.pack.tile_index import unit_length

BATCH = 4
CACHED_TILES = 32  # 6.6 MB of maps each


class UnifyGeoModel:
    """Re-ranks the first five by equation 4: similarity plus the largest cosine of level 0."""

    candidates = CANDIDATES
    grid = HeatmapGrid.CCVPE
    batch = BATCH

    def __init__(self, name: str, sha256: str, network: UnifyGeo, tile_px: int = TILE_PX) -> None:
        """tile_px: side of the tiles that the network is made for."""
        self.name, self.sha256 = name, sha256
        self._network, self._tile_px = network, tile_px
        self._tiles = KeptTiles(self._maps, CACHED_TILES)

    def size(self, view: View, field: Size) -> Size:
        """Raises InputError: a view that is neither a panorama nor from above."""
        if view not in (View.GROUND, View.SATELLITE):
            raise InputError(
                f"{self.name}: compares ground panoramas with satellite tiles, and this set has "
                f"{view.value} pictures; choose another network"
            )
        return picture_size(self._network, self._tile_px, view, field)

    def describe(self, pictures: NDArray[np.uint8], view: View) -> Floats32:
        look = (
            self._network.describe_ground
            if view is View.GROUND
            else self._network.describe_overhead
        )
        with torch.inference_mode():
            descriptors, _ = look(normalised(pictures, device_of(self._network)))
        return unit_length(descriptors.float().cpu().numpy())

    def examine(
        self,
        query: Picture,
        tiles: Sequence[Picture],
        similarities: Floats32,
        primary: Picture | None,
    ) -> tuple[Floats32, Floats32 | None]:
        network = self._network
        with torch.inference_mode():
            _, vectors = network.describe_ground(normalised(query[None], device_of(network)))
            level0 = torch.cat([self._tiles(tile)[0] for tile in tiles])
            matches = network.rerank_scores(vectors[0], network.rerank_maps(level0))[0]
            scores = similarities + matches.float().cpu().numpy()
            if primary is None:
                return scores, None
            heatmap = network.locate(vectors, self._tiles(primary))[0]
        return scores, heatmap.float().cpu().numpy()

    def _maps(self, tile: Picture) -> tuple[Tensor, ...]:
        _, maps = self._network.describe_overhead(normalised(tile[None], device_of(self._network)))
        return maps
