"""What a model must be able to do to be measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from export.datasets.retrieval_set import Size, View
from export.metrics.localization import HeatmapGrid
from onboard.messages import Picture

Floats32 = NDArray[np.float32]


class Model(Protocol):
    """Describes pictures. name: for people. sha256: of the weights; descriptors kept on disk
    belong to it. batch: pictures that go in at once."""

    name: str
    sha256: str
    batch: int

    def size(self, view: View, field: Size) -> Size:
        """(height, width) that pictures of a view go in with; field: what others take there."""
        ...

    def describe(self, pictures: NDArray[np.uint8], view: View) -> Floats32:
        """(N, H, W, 3) uint8 BGR -> (N, D) of unit length."""
        ...


@runtime_checkable
class LocatingModel(Model, Protocol):
    """Also puts the first tiles in a new order and says where in a tile a query's camera
    stands. candidates: how many tiles that order is for. grid: where heatmap cells lie."""

    candidates: int
    grid: HeatmapGrid

    def examine(
        self,
        query: Picture,
        tiles: Sequence[Picture],
        similarities: Floats32,
        primary: Picture | None,
    ) -> tuple[Floats32, Floats32 | None]:
        """tiles: the first k, best first; similarities: (k,) of their descriptors. Returns (k,)
        scores that order them anew, and the heatmap (H, W) of the tile that is the right
        answer, if one is given."""
        ...
