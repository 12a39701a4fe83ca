"""A model bundle, through the code that flies it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.benchmark.kept_tiles import KeptTiles
from export.benchmark.model import Floats32, Model
from export.datasets.retrieval_set import Size, View
from export.metrics.localization import HeatmapGrid
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.inference import Backend
from onboard.localize import CANDIDATES
from onboard.messages import Description, Picture
from onboard.model_bundle import Kind, ModelBundle, load_bundle
from onboard.pack.tile_index import unit_length

BATCH = 4  # as fast as 16 on the CPU, and less to hold
CACHED_TILES = 256  # 780 kB each


def load_bundle_model(path: Path, backend: Backend = Backend.AUTO) -> Model:
    """Raises InputError: no bundle, one of a kind that has no single tower, a graph or backend
    that can't be loaded."""
    bundle = load_bundle(path, for_flight=False)
    if bundle.kind is Kind.CROSS_VIEW:
        raise InputError(
            f"{path}: a cross-view bundle is measured by its checkpoint; "
            "give --network and --checkpoint"
        )
    kind = FlightBundle if bundle.kind is Kind.FLIGHT else RetrievalBundle
    return kind(bundle, backend)


class RetrievalBundle:
    """One tower for both views, seen from above; descriptors only.

    Raises InputError: a graph or the backend can't be loaded.
    """

    batch = BATCH

    def __init__(self, bundle: ModelBundle, backend: Backend = Backend.AUTO) -> None:
        self.name = bundle.id
        self.sha256 = bundle.sha256
        self._input_px = bundle.input_px
        self._describer = Describer(bundle, backend=backend)

    def size(self, view: View, field: Size) -> Size:
        """Raises InputError: a view from the ground."""
        if view in (View.GROUND, View.STREET):
            raise InputError(
                f"{self.name}: describes what is seen from above, not pictures from the ground; "
                "give a set of drone and satellite pictures, or a --network with a ground tower"
            )
        return self._input_px, self._input_px

    def describe(self, pictures: NDArray[np.uint8], view: View) -> Floats32:
        return unit_length(self._describer.descriptors(pictures))


class FlightBundle(RetrievalBundle):
    """Re-ranks as in flight: by the largest value of the heatmap's coarse level."""

    candidates = CANDIDATES
    grid = HeatmapGrid.CORNERS

    def __init__(self, bundle: ModelBundle, backend: Backend = Backend.AUTO) -> None:
        super().__init__(bundle, backend)
        self._tiles = KeptTiles(self._describe, CACHED_TILES)

    def examine(
        self,
        query: Picture,
        tiles: Sequence[Picture],
        similarities: Floats32,
        primary: Picture | None,
    ) -> tuple[Floats32, Floats32 | None]:
        view = self._describe(query)
        network = self._describer.network
        coarse = network.coarse_heatmaps(view, [self._tiles(tile) for tile in tiles])
        scores = coarse.reshape(len(tiles), -1).max(1)
        if primary is None:
            return scores, None
        return scores, network.heatmaps(view, [self._tiles(primary)])[0]

    def _describe(self, picture: Picture) -> Description:
        return self._describer.describe(picture[None])[0]
