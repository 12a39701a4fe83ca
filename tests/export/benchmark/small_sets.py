"""Sets of a few pictures, and a model that describes a picture by its colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.benchmark.model import Floats32
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, Size, TileTruth, View
from export.metrics.localization import HeatmapGrid
from onboard.messages import Picture
from onboard.pack.tile_index import unit_length


class ColourModel:
    """Descriptor: the colours of a 2x2 reduction, less their mean. Counts its calls."""

    name = "colours"
    sha256 = "c0" * 32
    batch = 3

    def __init__(self) -> None:
        self.described = 0

    def size(self, view: View, field: Size) -> Size:
        return field

    def describe(self, pictures: NDArray[np.uint8], view: View) -> Floats32:
        self.described += len(pictures)
        small = [cv2.resize(p, (2, 2), interpolation=cv2.INTER_AREA).ravel() for p in pictures]
        colours = np.stack(small).astype(np.float32)
        return unit_length(colours - 127.5)


class BrightestModel(ColourModel):
    """Re-ranks by the difference of pixels; the camera stands where the tile is brightest."""

    candidates = 2
    grid = HeatmapGrid.CENTRES

    def examine(
        self,
        query: Picture,
        tiles: Sequence[Picture],
        similarities: Floats32,
        primary: Picture | None,
    ) -> tuple[Floats32, Floats32 | None]:
        scores = -np.abs(np.stack(tiles).astype(np.float32) - query).mean((1, 2, 3))
        return scores, None if primary is None else primary.mean(2, dtype=np.float32)


def write_pictures(folder: Path, count: int, seed: int = 0) -> tuple[Item, ...]:
    """Pictures of 8x8 random colours, labelled by number, 0.001 deg apart."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    items = []
    for i in range(count):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (8, 8, 3)).astype(np.uint8))
        items.append(Item(path, str(i), (30.0 + 0.001 * i, 120.0), width_m=100.0))
    return tuple(items)


def tile_set(
    queries: tuple[Item, ...], gallery: tuple[Item, ...], truths: tuple[TileTruth, ...]
) -> RetrievalSet:
    return RetrievalSet(
        name="tiles",
        protocol=Protocol.TILES,
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=(8, 8),
        gallery_size=(8, 8),
        queries=queries,
        gallery=gallery,
        positives=tuple((i,) for i in range(len(queries))),
        semi_positives=tuple(((i + 1) % len(gallery),) for i in range(len(queries))),
        truths=truths,
    )
