"""What mapping an area of any size takes, on paper: straight lines from measured figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import MAX_LAT_DEG, pixel_size_m
from onboard.inference import Backend
from onboard.messages import TILE_PX, TILE_STRIDE_PX
from onboard.model_bundle import ModelBundle
from onboard.pack.mbtiles import MBTiles
from onboard.pack.pack_manifest import IMAGERY_NAME, read_manifest

EARTH_LAND_KM2 = 149_000_000.0
STEPS_PER_TILE = (TILE_PX // TILE_STRIDE_PX) ** 2  # described tiles to one tile of imagery
MEASURE_S = 2.0  # at least, of the network on one core
BATCH_TILES = 4  # as a build describes


@dataclass(frozen=True)
class Figure:
    """A measured value and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True)
class Rates:
    """What a core does in a second and what a tile weighs. laid: imagery tiles of all levels;
    described, indexed: half-step tiles. imagery_bytes: one imagery tile; index_bytes: one
    described tile in a pack; described_bytes: one in a store. gpu_described: None where none
    was measured."""

    laid_per_s: Figure
    described_per_s: Figure
    indexed_per_s: Figure
    imagery_bytes: Figure
    index_bytes: Figure
    described_bytes: Figure
    gpu_described_per_s: Figure | None = None


@dataclass(frozen=True)
class LevelTiles:
    """side_m: of a tile on the ground, east; imagery, described: how many."""

    level: int
    side_m: float
    imagery: float
    described: float


@dataclass(frozen=True)
class Estimate:
    """Of the whole area. gpu_hours: of describing alone; None where no GPU was measured."""

    levels: tuple[LevelTiles, ...]
    lay_core_hours: float
    describe_core_hours: float
    index_core_hours: float
    gpu_hours: float | None
    imagery_bytes: float
    store_bytes: float
    index_bytes: float

    @property
    def imagery_tiles(self) -> float:
        return sum(level.imagery for level in self.levels)

    @property
    def described_tiles(self) -> float:
        return sum(level.described for level in self.levels)


def estimate(area_km2: float, lat_deg: float, levels: tuple[int, ...], rates: Rates) -> Estimate:
    """lat_deg: of the area's middle. Border tiles are not counted: below 1 % from 1,000 km2 on
    at level 17. Raises InputError: no such area or latitude."""
    if not 0 < area_km2 <= EARTH_LAND_KM2:
        raise InputError(
            f"--area-km2 {area_km2:g}: must lie above 0 and below the Earth's land "
            f"({EARTH_LAND_KM2:,.0f})"
        )
    if not abs(lat_deg) < MAX_LAT_DEG:
        raise InputError(f"--lat-deg {lat_deg:g}: must lie between -85 and 85")
    per_level = tuple(_level(area_km2, lat_deg, level) for level in levels)
    imagery = sum(level.imagery for level in per_level)
    described = sum(level.described for level in per_level)
    gpu = rates.gpu_described_per_s
    return Estimate(
        per_level,
        imagery / rates.laid_per_s.value / 3600,
        described / rates.described_per_s.value / 3600,
        described / rates.indexed_per_s.value / 3600,
        None if gpu is None else described / gpu.value / 3600,
        imagery * rates.imagery_bytes.value,
        imagery * rates.imagery_bytes.value + described * rates.described_bytes.value,
        described * rates.index_bytes.value,
    )


def _level(area_km2: float, lat_deg: float, level: int) -> LevelTiles:
    east_m, north_m = (TILE_PX * side for side in pixel_size_m(lat_deg, level))
    tiles = area_km2 * 1e6 / (east_m * north_m)
    return LevelTiles(level, east_m, tiles, tiles * STEPS_PER_TILE)


def weights_of_pack(pack: Path) -> tuple[Figure, Figure]:
    """(bytes of an imagery tile, bytes of a described tile's index) of a pack that is there.

    Raises InputError: no pack, damaged, without tiles.
    """
    manifest = read_manifest(pack)
    tiles = MBTiles(pack / IMAGERY_NAME)
    imagery = sum(len(tiles.positions(level)) for level in tiles.levels)
    tiles.close()
    described = sum(shard.count for shard in manifest.shards)
    if not imagery or not described:
        raise InputError(f"{pack}: holds no tiles; give a pack that does")
    index_files = {name for s in manifest.shards for name in s.paths}
    sizes = {f.path: f.size for f in manifest.files}
    index_bytes = sum(sizes[name] for name in index_files)
    return (
        Figure(sizes[IMAGERY_NAME] / imagery, f"{pack.name}: {imagery} imagery tiles"),
        Figure(index_bytes / described, f"{pack.name}: {described} described tiles"),
    )


def measure_described_per_s(bundle: ModelBundle) -> Figure:
    """Of the bare network on one core of this machine, now, in processor time."""
    describer = Describer(bundle, threads=1, backend=Backend.ONNXRUNTIME_CPU)
    random = np.random.default_rng(1)
    pictures = random.integers(1, 256, (BATCH_TILES, TILE_PX, TILE_PX, 3), np.uint8)
    describer.descriptors(pictures)
    begin, done = time.process_time(), 0
    while (seconds := time.process_time() - begin) < MEASURE_S:
        describer.descriptors(pictures)
        done += BATCH_TILES
    return Figure(done / seconds, f"measured now: {bundle.id} alone on one core here")
