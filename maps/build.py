"""Builds a map: imagery -> cells -> pack.

Finished cells lie in a store, in the growing pack or in a lasting one, so the same command
goes on where a killed one stopped, and an update makes only what changed. The same input
gives the same bytes on one machine.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from shapely.geometry.base import BaseGeometry

from maps.area import parse_area
from maps.cells.assemble import assemble
from maps.cells.lay import LayTask, lay_task
from maps.cells.recipe import Opened, Recipe
from maps.cells.run_here import Tally, bare_rate, run_here
from maps.cells.store import CellStore
from maps.cells.tile_backend import settled_backend
from maps.cells.update import begin_update, end_update
from maps.coverage import coverage_notes, height_notes, say_what_is_missing
from maps.mission import MissionNeeds
from maps.pack_name import pack_name
from maps.partial_pack import partial_pack, refuse_existing, system_sentences
from maps.plan import choose_levels, middle_lat_deg, refuse_outside
from maps.provenance import Provenance, imagery_sources
from maps.sources.open_imagery import open_imagery
from maps.terrain import DemSaid
from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.inference import Backend
from onboard.model_bundle import ModelBundle
from onboard.pack.pack_manifest import (
    FORMAT_VERSION,
    IMAGERY_NAME,
    MANIFEST_NAME,
    PackModel,
    manifest_text,
    read_manifest,
)
from onboard.whole_file import write_whole

CELLS_NAME = "cells"  # the store within a growing pack


@dataclass(frozen=True)
class BuildRequest:
    """inputs: imagery, later ones on top. out: the pack, None makes only the store. area: as
    `parse_area` takes it. levels: None chooses by agl_m (lowest, highest), or else by the
    imagery. crs: for pictures without. name: the pack's, else that of its folder. store: the
    address of a lasting cell store; drop: imagery it holds and inputs lack may go. cluster: the
    address of a Dask scheduler whose workers share the store and the inputs. mission: gives the
    area and the heights where area and agl_m do not; camera: for the levels; corridor_m: how far
    the area reaches beyond what is drawn."""

    inputs: tuple[Path, ...]
    out: Path | None
    area: str | None = None
    levels: tuple[int, ...] | None = None
    agl_m: tuple[float, float] | None = None
    crs: str | None = None
    provenance: Provenance = field(default_factory=Provenance)
    replace: bool = False
    backend: Backend = Backend.AUTO
    name: str | None = None
    store: str | None = None
    drop: bool = False
    cluster: str | None = None
    dems: tuple[Path, ...] = ()
    dem_said: DemSaid = field(default_factory=DemSaid)
    mission: MissionNeeds | None = None
    camera: Camera | None = None
    corridor_m: float | None = None

    def __post_init__(self) -> None:
        if self.out is None and self.store is None:
            raise ValueError("a build makes a pack, a store, or both")
        if self.cluster is not None and self.store is None:
            raise InputError("--cluster: needs a --store that all workers reach; name one")
        out, store = self.out, self.store
        if out is not None and store is not None and out.resolve() == Path(store).resolve():
            raise InputError(f"--out {out}: is the --store, too; give another --out")


@dataclass(frozen=True)
class BuildSummary:
    """tiles: of all levels; described: of them, now. cells_done, cells_there: made now, made
    before; cells_gone: taken out of the store. seconds: all together. bare_tiles_per_s: the
    network alone on some of the tiles; runs_on: its backend; both None when nothing was
    described. resumed: part of the work was done before."""

    pack: Path | None
    levels: tuple[int, ...]
    tiles: int
    described: int
    cells_done: int
    cells_there: int
    cells_gone: int
    seconds: float
    bare_tiles_per_s: float | None
    runs_on: str | None
    resumed: bool


def build_pack(request: BuildRequest, bundle: ModelBundle) -> BuildSummary:
    """Makes the pack or the store, described with the bundle's network.

    Raises InputError for everything that is wrong with the inputs or the disk."""
    begin = time.monotonic()
    if request.out is not None:
        refuse_existing(request.out, request.replace)
        _name(request)  # a bad one shall show before hours of work
    opened = _opened(request, bundle)
    tasks = [lay_task(opened, cell) for cell in opened.cells()]
    made = (_pack_alone if request.store is None else _store_and_pack)(request, opened, tasks)
    seconds = time.monotonic() - begin
    bare, runs_on = None, None
    if made.tally.sample:
        describer = Describer(bundle, backend=opened.recipe.backend.backend)
        bare, runs_on = bare_rate(made.tally.sample, describer), describer.network.runs_on
    manifest = None if request.out is None else read_manifest(request.out)
    return BuildSummary(
        request.out,
        opened.recipe.levels if manifest is None else manifest.levels,
        made.tally.tiles if manifest is None else sum(s.count for s in manifest.shards),
        made.tally.described,
        made.tally.done,
        made.tally.there,
        made.gone,
        seconds,
        bare,
        runs_on,
        made.resumed,
    )


@dataclass(frozen=True)
class _Made:
    tally: Tally
    gone: int = 0
    resumed: bool = False


def _opened(request: BuildRequest, bundle: ModelBundle) -> Opened:
    area, agl_m = _area(request), request.agl_m
    if agl_m is None and request.mission is not None:
        agl_m = request.mission.agl_m
    groups = open_imagery(request.inputs, request.crs, area)
    sources = [source for group in groups for source in group]
    if area is not None:
        refuse_outside(area, sources)
    levels = choose_levels(sources, request.levels, agl_m, request.camera, area)
    for source in sources:
        source.prepare(levels[-1])
    recipe = Recipe(
        inputs=request.inputs,
        crs=request.crs,
        levels=levels,
        area_wkt=None if area is None else area.wkt,
        imagery=imagery_sources(request.inputs, groups, request.provenance),
        model=PackModel(bundle.id, bundle.sha256, bundle.descriptor_dim),
        model_folder=bundle.path,
        backend=settled_backend(bundle, request.backend),
        dems=request.dems,
        dem_said=request.dem_said,
    )
    opened = Opened(recipe, sources)
    notes = [] if area is None else coverage_notes(area, sources, opened.dem)
    lat_deg = middle_lat_deg(sources) if area is None else area.centroid.y
    for note in (*notes, *height_notes(levels[-1], agl_m, request.camera, lat_deg)):
        print(note, file=sys.stderr)
    return opened


def _area(request: BuildRequest) -> BaseGeometry | None:
    if request.area is not None:
        return parse_area(request.area, request.corridor_m)
    return None if request.mission is None else request.mission.area


def _pack_alone(request: BuildRequest, opened: Opened, tasks: list[LayTask]) -> _Made:
    """The cells grow in the pack's own folder, and go when it is whole."""
    assert request.out is not None
    mark = {
        "format_version": FORMAT_VERSION,
        "recipe": repr(opened.recipe),
        "cells": {task.cell.name: task.key for task in tasks},
    }
    with partial_pack(request.out, mark, request.replace) as (folder, note):
        if note:
            print(note, file=sys.stderr)
        made = _Made(Tally())
        # One that was killed at its very end may have lost its cells already.
        if not (folder / MANIFEST_NAME).exists():
            store = CellStore(str(folder / CELLS_NAME))
            with store.locked():
                made = _make_cells(store, opened, tasks, drop=True)
                _assemble(store, folder, request, opened)
        _give_name(folder, _name(request))
        shutil.rmtree(folder / CELLS_NAME, ignore_errors=True)
    return dataclasses.replace(made, resumed=note.startswith("going on"))


def _store_and_pack(request: BuildRequest, opened: Opened, tasks: list[LayTask]) -> _Made:
    """The cells stay in a store of their own."""
    assert request.store is not None
    store = CellStore(request.store)
    with system_sentences(store.folder or Path()), store.locked():
        made = _make_cells(store, opened, tasks, request.drop, request.cluster)
        if request.out is not None:
            mark = {"format_version": FORMAT_VERSION, "store": request.store}
            with partial_pack(request.out, mark, request.replace) as (folder, note):
                if note:
                    print(note, file=sys.stderr)
                _assemble(store, folder, request, opened)
    return made


def _assemble(store: CellStore, folder: Path, request: BuildRequest, opened: Opened) -> None:
    manifest = assemble(store, folder, _name(request))
    if opened.area is not None:
        say_what_is_missing(folder / IMAGERY_NAME, opened.area, max(manifest.levels))


def _make_cells(
    store: CellStore, opened: Opened, tasks: list[LayTask], drop: bool, cluster: str | None = None
) -> _Made:
    with _makers(store, opened, tasks, cluster) as make:
        begin_update(store, opened, drop)
        tally = make()
    if [lay_task(opened, task.cell) for task in tasks] != tasks:
        raise InputError(
            "an input was changed while the build was at work; see that nothing writes to the "
            "inputs and give the command again"
        )
    gone = end_update(store, opened, tally.laid)
    return _Made(tally, gone, resumed=tally.there > 0)


def _makers(
    store: CellStore, opened: Opened, tasks: list[LayTask], cluster: str | None
) -> AbstractContextManager[Callable[[], Tally]]:
    """This machine, or a cluster that has been met."""
    if cluster is None:
        return nullcontext(functools.partial(run_here, opened, store, tasks))
    from maps.cluster.run_there import cluster_at  # Dask is loaded only where it is asked for

    return cluster_at(cluster, opened, store, tasks)


def _name(request: BuildRequest) -> str:
    assert request.out is not None
    return pack_name(request.name, request.out)


def _give_name(folder: Path, name: str) -> None:
    """A pack that was killed at its very end may have been asked for under another name."""
    manifest = read_manifest(folder)
    if manifest.name != name:
        text = manifest_text(dataclasses.replace(manifest, name=name))
        write_whole(folder / MANIFEST_NAME, text)
