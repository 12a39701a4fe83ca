"""A map pack as the aircraft sees it: checked, then read tile by tile."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.imagery import Imagery
from onboard.messages import TILE_PX, Picture, TileId
from onboard.model_bundle import ModelBundle
from onboard.pack_manifest import IMAGERY_NAME, Manifest, check_files, read_manifest
from onboard.tile_index import Graph, TileTable, read_tiles, table_of


class MapPack:
    """An opened pack. Tables and graphs are loaded when first asked for and kept."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """For `open`; the files must have been checked."""
        self.path = path
        self.manifest = manifest
        self._imagery = Imagery(path / IMAGERY_NAME)
        self._tables: dict[int, TileTable] = {}
        self._graphs: dict[int, list[Graph]] = {}

    @classmethod
    def open(
        cls, path: Path, bundle: ModelBundle | None = None, check_hashes: bool = True
    ) -> MapPack:
        """Checks every file's hash, then opens. With a bundle, the pack must be of that model.

        Raises InputError: not a pack, a wrong manifest, a file missing, cut short or
        changed, a pack of another model.
        """
        manifest = read_manifest(path)
        if bundle is not None and manifest.model.sha256 != bundle.sha256:
            raise InputError(
                f"{path}: was described with model {manifest.model.id} "
                f"({manifest.model.sha256[:12]}), but the model in use is {bundle.id} "
                f"({bundle.sha256[:12]}); give that model, or build the pack again with this one"
            )
        if check_hashes:
            check_files(path, manifest)
        return cls(path, manifest)

    @property
    def levels(self) -> tuple[int, ...]:
        return self.manifest.levels

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(south, west, north, east) in degrees."""
        b = self.manifest.bounds
        return b.south, b.west, b.north, b.east

    @property
    def centre(self) -> tuple[float, float]:
        """(lat_deg, lon_deg) of the bounds' middle."""
        south, west, north, east = self.bounds
        return (south + north) / 2, (west + east) / 2

    @cached_property
    def _imagery_tiles(self) -> frozenset[tuple[int, int]]:
        return frozenset(self._imagery.tiles.positions(max(self.levels)))

    def contains(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether there is imagery around a position (to a tile of the finest level)."""
        x, y = latlon_to_pixel(lat_deg, lon_deg, max(self.levels))
        return (int(x // TILE_PX), int(y // TILE_PX)) in self._imagery_tiles

    def imagery_area_m2(self) -> float:
        """Ground that the finest level's imagery tiles cover."""
        level = max(self.levels)
        rows = Counter(y for _, y in self._imagery_tiles)
        area_m2 = 0.0
        for y, count in rows.items():
            lat_deg, _ = pixel_to_latlon(0.0, (y + 0.5) * TILE_PX, level)
            east_m, north_m = pixel_size_m(float(lat_deg), level)
            area_m2 += count * TILE_PX**2 * east_m * north_m
        return area_m2

    def tiles(self, level: int) -> TileTable:
        """All indexed tiles of a level. Raises InputError: no such level, a damaged shard."""
        if level not in self._tables:
            parts = [g.tiles for g in self._load(level)] if level in self._graphs else None
            parts = parts or self._shard_tiles(level)
            self._tables[level] = table_of(
                level,
                np.concatenate([t.cols for t in parts]),
                np.concatenate([t.rows for t in parts]),
                np.concatenate([t.descriptors for t in parts]),
            )
        return self._tables[level]

    def picture(
        self, level: int, x: int, y: int, width: int = TILE_PX, height: int = TILE_PX
    ) -> Picture:
        """(height, width, 3) BGR cut of the map at a level, its upper left corner at map
        pixel (x, y); exactly (0, 0, 0) where there is no imagery and nowhere else."""
        return self._imagery.picture(level, x, y, width, height)

    def tile_picture(self, tile: TileId) -> Picture:
        return self._imagery.picture(tile.level, *tile.origin_px)

    def nearest(
        self, level: int, descriptor: NDArray[np.float32], k: int
    ) -> list[tuple[TileId, float]]:
        """The k tiles of the whole level nearest to a unit descriptor (D,), with their
        cosine distances, best first, by the hnswlib shards (approximate)."""
        found: list[tuple[float, TileId]] = []
        for graph in self._load(level):
            positions, distances = graph.nearest(descriptor, k)
            found += [
                (float(d), graph.tiles.tile_id(int(i)))
                for i, d in zip(positions, distances, strict=True)
            ]
        found.sort(key=lambda f: (f[0], f[1].row, f[1].col))
        return [(tile, distance) for distance, tile in found[:k]]

    def _shard_tiles(self, level: int) -> list[TileTable]:
        shards = [s for s in self.manifest.shards if s.level == level]
        if not shards:
            known = ", ".join(map(str, self.levels))
            raise InputError(f"{self.path}: has no level {level}; it has {known}")
        dim = self.manifest.model.descriptor_dim
        return [read_tiles(self.path / s.tiles, level, dim, s.count) for s in shards]

    def _load(self, level: int) -> list[Graph]:
        if level not in self._graphs:
            shards = [s for s in self.manifest.shards if s.level == level]
            self._graphs[level] = [
                Graph(self.path / shard.graph, tiles, self.manifest.index)
                for shard, tiles in zip(shards, self._shard_tiles(level), strict=True)
            ]
        return self._graphs[level]
