"""Builds a map pack: imagery -> mosaic -> descriptors -> index -> manifest.

Finished stages and chunks are files in the partial pack, so the same command goes on where
a killed one stopped. The same input gives the same bytes on one machine.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from maps.area import parse_area
from maps.describe_tiles import (
    BATCH_TILES,
    Cell,
    bare_rate,
    cells_of,
    core_count,
    describe_cell,
    write_tiles,
)
from maps.mosaic import Mosaic
from maps.open_imagery import open_imagery
from maps.partial_pack import input_marks, partial_pack, sync
from maps.plan import Plan, choose_levels, make_plan
from maps.provenance import Provenance, imagery_sources
from maps.source import Source
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.imagery import Imagery
from onboard.inference import Backend
from onboard.mbtiles import MBTiles, MBTilesWriter
from onboard.messages import TILE_PX, TileId
from onboard.model_bundle import ModelBundle
from onboard.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    Bounds,
    ImagerySource,
    Manifest,
    PackModel,
    Shard,
    describe_file,
    manifest_text,
)
from onboard.tile_index import IndexParameters, build_graph, read_tiles
from onboard.whole_file import write_whole

MOSAIC_NAME = "mosaic.mbtiles"
CHUNKS_NAME = "described"
PROGRESS_S = 0.5
SAMPLE_TILES = 64  # at most, and a tenth of all: on them the bare network's rate is measured


@dataclass(frozen=True)
class BuildRequest:
    """inputs: imagery, later ones on top. area: as `parse_area` takes it. levels: None
    chooses by agl_m (lowest, highest), or else by the imagery. crs: for pictures without."""

    inputs: tuple[Path, ...]
    out: Path
    area: str | None = None
    levels: tuple[int, ...] | None = None
    agl_m: tuple[float, float] | None = None
    crs: str | None = None
    provenance: Provenance = field(default_factory=Provenance)
    replace: bool = False
    backend: Backend = Backend.AUTO


@dataclass(frozen=True)
class BuildSummary:
    """seconds: imagery, descriptors and index together. bare_tiles_per_s: the network alone
    on some of the same tiles; runs_on: its backend. resumed: part of the work was done before."""

    pack: Path
    levels: tuple[int, ...]
    tiles: int
    seconds: float
    bare_tiles_per_s: float
    runs_on: str
    resumed: bool


def build_pack(request: BuildRequest, bundle: ModelBundle) -> BuildSummary:
    """Makes the pack, described with the bundle's network.

    Raises InputError for everything that is wrong with the inputs or the disk."""
    groups = open_imagery(request.inputs, request.crs)
    sources = [source for group in groups for source in group]
    levels = choose_levels(sources, request.levels, request.agl_m)
    area = None if request.area is None else parse_area(request.area)
    plan = make_plan(sources, levels, area)
    origin = imagery_sources(request.inputs, groups, request.provenance)
    mark = _mark(bundle, sources, levels, area, origin)
    begin = time.monotonic()
    with partial_pack(request.out, mark, request.replace) as (folder, note):
        if note:
            print(note, file=sys.stderr)
        _lay_imagery(folder, sources, plan, origin)
        shards = _describe(folder, levels, Describer(bundle, threads=1, backend=request.backend))
        manifest = _finish(folder, shards, bundle, origin)
    seconds = time.monotonic() - begin
    imagery = Imagery(request.out / IMAGERY_NAME)
    describer = Describer(bundle, backend=request.backend)
    bare = bare_rate(_sample(request.out, manifest), imagery, describer)
    return BuildSummary(
        request.out,
        manifest.levels,
        sum(shard.count for shard in shards),
        seconds,
        bare,
        describer.network.runs_on,
        note.startswith("going on"),
    )


def _mark(
    bundle: ModelBundle,
    sources: Sequence[Source],
    levels: tuple[int, ...],
    area: BaseGeometry | None,
    origin: tuple[ImagerySource, ...],
) -> dict[str, object]:
    return {
        "format_version": FORMAT_VERSION,
        "model": bundle.sha256,
        "levels": levels,
        "area": None if area is None else area.wkt,
        "imagery": [str(o) for o in origin],
        "inputs": input_marks([f for s in sources for f in s.files]),
        "placed": [(s.name, s.bounds_m) for s in sources],
    }


def _lay_imagery(
    folder: Path, sources: Sequence[Source], plan: Plan, origin: tuple[ImagerySource, ...]
) -> None:
    """mosaic.mbtiles, then imagery.mbtiles: the same tiles in a fixed order."""
    if (folder / IMAGERY_NAME).exists():
        return
    with ThreadPoolExecutor(core_count()) as pool:
        mosaic = Mosaic(folder / MOSAIC_NAME, sources, plan, pool)
        with tqdm(
            total=mosaic.tile_count, desc="imagery", unit="tile", mininterval=PROGRESS_S
        ) as bar:
            mosaic.build(bar.update)
        mosaic.close()
    partial = folder / f"{IMAGERY_NAME}.tmp"
    for stale in (partial, partial.with_name(f"{partial.name}-journal")):
        stale.unlink(missing_ok=True)
    grown = MBTilesWriter(folder / MOSAIC_NAME)
    ordered = MBTilesWriter(partial)
    for level, x, y, data in grown:
        ordered.put(level, x, y, data)
    grown.close()
    ordered.commit()
    ordered.close()
    bounds = imagery_bounds(MBTiles(partial))
    ordered = MBTilesWriter(partial)
    ordered.set_metadata(_mbtiles_metadata(plan.levels, bounds, origin))
    ordered.commit()
    ordered.close()
    partial.replace(folder / IMAGERY_NAME)
    (folder / MOSAIC_NAME).unlink()


def _mbtiles_metadata(
    levels: tuple[int, ...], bounds: Bounds, origin: tuple[ImagerySource, ...]
) -> dict[str, str]:
    """The rows that MBTiles 1.3 asks for. Tiles with holes are PNG; readers look at each."""
    credit = dict.fromkeys(f"{o.attribution} ({o.licence})" for o in origin)
    return {
        "name": ", ".join(o.name for o in origin),
        "format": "jpg",
        "type": "baselayer",
        "version": "1",
        "description": "Pilotage map pack imagery",
        "attribution": "; ".join(credit),
        "bounds": f"{bounds.west:.7f},{bounds.south:.7f},{bounds.east:.7f},{bounds.north:.7f}",
        "center": f"{(bounds.west + bounds.east) / 2:.7f},"
        f"{(bounds.south + bounds.north) / 2:.7f},{levels[0]}",
        "minzoom": str(levels[0]),
        "maxzoom": str(levels[-1]),
    }


def imagery_bounds(tiles: MBTiles) -> Bounds:
    """Around all tiles of the finest level."""
    level = tiles.levels[-1]
    positions = tiles.positions(level)
    xs, ys = [x for x, _ in positions], [y for _, y in positions]
    north, west = pixel_to_latlon(min(xs) * TILE_PX, min(ys) * TILE_PX, level)
    south, east = pixel_to_latlon((max(xs) + 1) * TILE_PX, (max(ys) + 1) * TILE_PX, level)
    return Bounds(float(south), float(west), float(north), float(east))


def _describe(folder: Path, levels: tuple[int, ...], describer: Describer) -> tuple[Shard, ...]:
    imagery = Imagery(folder / IMAGERY_NAME)
    (folder / "index").mkdir(exist_ok=True)
    cells = [c for level in levels for c in cells_of(level, imagery.tiles.positions(level))]
    shards = []
    with tqdm(
        total=sum(len(c.tiles) for c in cells), desc="tiles", unit="tile", mininterval=PROGRESS_S
    ) as bar:
        for cell in cells:
            shard = _describe_shard(folder, cell, imagery, describer, bar)
            shards += [shard] if shard.count else []
    shutil.rmtree(folder / CHUNKS_NAME, ignore_errors=True)
    if not shards:
        raise InputError("the imagery has no tile with texture and few holes; give more imagery")
    for level in sorted(set(levels) - {s.level for s in shards}):
        print(f"level {level} left out: no tile of it is half covered", file=sys.stderr)
    return tuple(shards)


def _describe_shard(
    folder: Path, cell: Cell, imagery: Imagery, describer: Describer, bar: tqdm
) -> Shard:
    tiles, graph = f"index/{cell.name}.npz", f"index/{cell.name}.hnsw"
    if not (folder / tiles).exists():
        chunks = folder / CHUNKS_NAME
        columns = describe_cell(cell, imagery, describer, chunks, bar.update)
        write_tiles(folder / tiles, *columns)
        for chunk in chunks.glob(f"{cell.name}-*.npz"):
            chunk.unlink()
    else:
        bar.update(len(cell.tiles))
    table = read_tiles(folder / tiles, cell.level, describer.bundle.descriptor_dim)
    if len(table) and not (folder / graph).exists():
        partial = folder / f"{graph}.tmp"
        build_graph(table.descriptors, IndexParameters(), partial)
        partial.replace(folder / graph)
    if not len(table):
        (folder / tiles).unlink()
    return Shard(cell.level, len(table), tiles, graph)


def _finish(
    folder: Path,
    shards: tuple[Shard, ...],
    bundle: ModelBundle,
    origin: tuple[ImagerySource, ...],
) -> Manifest:
    names = [IMAGERY_NAME, *itertools.chain(*((s.tiles, s.graph) for s in shards))]
    for name in names:
        sync(folder / name)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        model=PackModel(bundle.id, bundle.sha256, bundle.descriptor_dim),
        bounds=imagery_bounds(MBTiles(folder / IMAGERY_NAME)),
        levels=tuple(sorted({s.level for s in shards})),
        imagery=origin,
        index=IndexParameters(),
        shards=shards,
        files=tuple(describe_file(folder, name) for name in names),
    )
    write_whole(folder / MANIFEST_NAME, manifest_text(manifest))
    return manifest


def _sample(folder: Path, manifest: Manifest) -> list[TileId]:
    """Some tiles, spread evenly over the whole pack."""
    total = sum(shard.count for shard in manifest.shards)
    wanted = min(SAMPLE_TILES, max(BATCH_TILES, total // 10))
    every = (
        table.tile_id(i)
        for shard in manifest.shards
        for table in [
            read_tiles(
                folder / shard.tiles, shard.level, manifest.model.descriptor_dim, shard.count
            )
        ]
        for i in range(len(table))
    )
    return list(itertools.islice(every, 0, None, max(1, total // wanted)))[:wanted]
