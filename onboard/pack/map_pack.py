"""A map pack as the aircraft sees it: checked, then read tile by tile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, Picture, TileId
from onboard.model_bundle import ModelBundle
from onboard.pack.imagery import Imagery
from onboard.pack.index_search import nearest
from onboard.pack.index_shard import read_table
from onboard.pack.pack_hashes import check_files
from onboard.pack.pack_manifest import (
    IMAGERY_NAME,
    TERRAIN_NAME,
    Manifest,
    read_manifest,
)
from onboard.pack.pack_stamps import HashedFiles
from onboard.pack.shard_keeper import MEMORY_BYTES, ShardKeeper
from onboard.pack.terrain import Terrain
from onboard.pack.tile_index import RECALL_GOAL, TileTable, table_of


class MapPack:
    """An opened pack, for any number of threads. index: what is searched in flight."""

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        index_memory_bytes: int = MEMORY_BYTES,
        hashed: HashedFiles | None = None,
    ) -> None:
        """For `open`; the files must have been checked. hashed: nothing is read of a file
        that was written since."""
        self.path = path
        self.manifest = manifest
        self._hashed = hashed
        self._imagery = Imagery(path / IMAGERY_NAME, check=self._check_of(IMAGERY_NAME))
        self.index = ShardKeeper(path, manifest, index_memory_bytes, hashed)
        self._tables: dict[int, TileTable] = {}

    @classmethod
    def open(
        cls, path: Path, bundle: ModelBundle | None = None, check_hashes: bool = True
    ) -> MapPack:
        """Checks every file's hash, then opens. With a bundle, the pack must be of that model.

        Raises InputError: not a pack, a wrong manifest, a file missing, cut short or
        changed, a pack of another model.
        """
        return cls.of_manifest(path, read_manifest(path), bundle, check_hashes)

    @classmethod
    def of_manifest(
        cls,
        path: Path,
        manifest: Manifest,
        bundle: ModelBundle | None = None,
        check_hashes: bool = True,
        hashed: HashedFiles | None = None,
    ) -> MapPack:
        """The same for a manifest that was read before (`find_pack`)."""
        if bundle is not None and manifest.model.sha256 != bundle.sha256:
            raise InputError(
                f"{path}: was described with model {manifest.model.id} "
                f"({manifest.model.sha256[:12]}), but the model in use is {bundle.id} "
                f"({bundle.sha256[:12]}); give that model, or build the pack again with this one"
            )
        if check_hashes:
            check_files(path, manifest)
        return cls(path, manifest, hashed=hashed)

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
    def terrain(self) -> Terrain | None:
        """The ground's heights; None where the pack has none."""
        said = self.manifest.terrain
        if said is None:
            return None
        check = self._check_of(TERRAIN_NAME)
        return Terrain(self.path / TERRAIN_NAME, said.level, said.sigma_m, check)

    def _check_of(self, name: str) -> Callable[[], None]:
        return (lambda: None) if self._hashed is None else partial(self._hashed.check, name)

    @cached_property
    def _imagery_tiles(self) -> frozenset[tuple[int, int]]:
        return frozenset(self._imagery.tiles.positions(max(self.levels)))

    def contains(self, lat_deg: float, lon_deg: float) -> bool:
        """Whether there is imagery around a position (to a tile of the finest level). Raises
        InputError when the file is damaged."""
        level = max(self.levels)
        x, y = latlon_to_pixel(lat_deg, lon_deg, level)
        # Asked in flight: a list of all tiles would take seconds and hundreds of megabytes.
        return self._imagery.tiles.tile(level, int(x // TILE_PX), int(y // TILE_PX)) is not None

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

    def index_notes(self) -> list[str]:
        """A sentence for each level that isn't searched as it was meant to be."""
        notes = []
        for level in self.levels:
            shards = self.index.of_level(level)
            exact = [s.recall for s in shards if s.exact]
            if exact:
                notes.append(
                    f"level {level}: {len(exact)} of {len(shards)} shards are searched by the full "
                    f"descriptors, more slowly: their codes found {min(exact):.3f} of the nearest "
                    f"tiles, under {RECALL_GOAL}"
                )
            missed = [s.graph_recall for s in shards if s.graph_recall is not None and not s.graph]
            if missed:
                notes.append(
                    f"level {level}: {len(missed)} of {len(shards)} shards have no graph: it found "
                    f"{min(missed):.3f} of the nearest tiles, under {RECALL_GOAL}; their codes are "
                    "searched"
                )
        return notes

    def tiles(self, level: int) -> TileTable:
        """All indexed tiles of a level with their full descriptors: for work on the ground, a
        flight has no such memory. Raises InputError: no such level, a damaged shard."""
        if level not in self._tables:
            dim = self.manifest.model.descriptor_dim
            parts = [read_table(self.path, s, dim) for s in self.index.of_level(level)]
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
        """The k tiles of the whole level nearest to a unit descriptor (D,), with their cosine
        distances, best first."""
        found = nearest(self.index, level, descriptor, k)
        tiles = zip(found.col.tolist(), found.row.tolist(), strict=True)
        return [
            (TileId(level, col, row), distance)
            for (col, row), distance in zip(tiles, found.distance.tolist(), strict=True)
        ]
