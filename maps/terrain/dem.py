"""All elevation models of a build as one: heights above mean sea level at any place.

Files of one grid (the tiles of a product) are interpolated across their seams; of different
models the later ones lie on top, as with imagery.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maps.provenance import UNKNOWN
from maps.sources.odm import dem_of
from maps.terrain.dem_file import DemFile, open_dem_file
from maps.terrain.dem_grid import LATTICE_PX, DemGrid, of_one_grid
from maps.terrain.dem_said import DemSaid, one_for_each
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.pack.pack_manifest import TerrainSource
from onboard.pack.plain_text import made_plain

SUFFIXES = (".tif", ".tiff", ".hgt", ".vrt", ".dt1", ".dt2", ".asc", ".img")  # of a folder's files

Floats = NDArray[np.float64]


class Dem:
    """files: of all models, in the order given. native_level: the (fractional) level whose
    pixels are as large as those of the finest. Not for several threads at once."""

    def __init__(self, models: Sequence[Sequence[DemFile]], said: DemSaid) -> None:
        self._models, self._said = models, said
        self._all = [file for model in models for file in model]
        self.files: tuple[Path, ...] = tuple(file.path for file in self._all)
        self.native_level = max(file.native_level for file in self._all)
        self._grids = [DemGrid(files) for model in models for files in of_one_grid(model)]

    def heights_m(self, level: int, x: int, y: int) -> Floats:
        """(256, 256) metres above mean sea level (EGM96) at the pixel centres of XYZ tile
        (x, y), NaN where unknown. The level is no coarser than half a level below
        `native_level`: posts are interpolated, not averaged. Raises InputError: a damaged file."""
        steps = np.arange(0, TILE_PX + 1, LATTICE_PX, dtype=np.float64)
        columns, rows = np.meshgrid(x * TILE_PX + steps, y * TILE_PX + steps)
        lat, lon = pixel_to_latlon(columns, rows, level)
        return self._heights(np.asarray(lat), np.asarray(lon), between=True)

    def heights_at_m(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        """The same at N positions; near ones one after the other are read together."""
        lat, lon = np.asarray(lat_deg, np.float64), np.asarray(lon_deg, np.float64)
        return self._heights(np.atleast_1d(lat), np.atleast_1d(lon), between=False)

    def files_in(self, level: int, x: int, y: int) -> tuple[Path, ...]:
        """The files whose heights may lie in the tile: what its terrain is made from, the parts
        of virtual rasters too."""
        found = (file for dem in self._files_in(level, x, y) for file in dem.files)
        return tuple(dict.fromkeys(found))

    def readings_in(self, level: int, x: int, y: int) -> list[tuple[str, float, float]]:
        """How each of them is read: its datum, metres a unit, and metres that are added to its
        heights, by a person's word or a geoid's grid, in the tile's middle."""
        lat, lon = map(
            np.atleast_1d, pixel_to_latlon((x + 0.5) * TILE_PX, (y + 0.5) * TILE_PX, level)
        )
        return [
            (f.datum.name, f.m_per_unit, round(float(f.to_amsl.added_m(lat, lon)[0]), 3))
            for f in self._files_in(level, x, y)
        ]

    def _files_in(self, level: int, x: int, y: int) -> list[DemFile]:
        steps = np.linspace(0, TILE_PX, 5)
        columns, rows = np.meshgrid(x * TILE_PX + steps, y * TILE_PX + steps)
        lat, lon = pixel_to_latlon(columns, rows, level)
        found = {path for grid in self._grids for path in grid.touched(lat, lon)}
        return [file for file in self._all if file.path in found]

    def source(self, level: int) -> TerrainSource:
        """What the manifest says of terrain whose tiles are of this level."""
        count = len(self._models)
        firsts = [model[0] for model in self._models]

        def listed(said: tuple[str, ...], option: str, known: list[str]) -> str:
            values = one_for_each(said, count, option)
            return made_plain(
                "; ".join(dict.fromkeys(v or k for v, k in zip(values, known, strict=True)))
            )

        products = [file.product for file in firsts]
        said = self._said
        return TerrainSource(
            name=made_plain("; ".join(_name(model) for model in self._models)),
            date=listed(said.dates, "--dem-date", [UNKNOWN] * count),
            licence=listed(
                said.licences, "--dem-licence", [p.licence if p else UNKNOWN for p in products]
            ),
            attribution=listed(
                said.attributions,
                "--dem-attribution",
                [p.attribution if p else UNKNOWN for p in products],
            ),
            datum="; ".join(dict.fromkeys(file.datum.name for file in self._all)),
            level=level,
            sigma_m=round(max(file.sigma_m for file in self._all), 3),
        )

    def _heights(self, lat: Floats, lon: Floats, between: bool) -> Floats:
        laid: Floats | None = None
        for grid in self._grids:
            heights = grid.heights_m(lat, lon, between)
            laid = heights if laid is None else np.where(np.isfinite(heights), heights, laid)
        assert laid is not None
        return laid


def open_dems(paths: Sequence[Path], said: DemSaid = DemSaid()) -> Dem:  # noqa: B008 (frozen)
    """Each path a file, or a folder of a product's tiles. Raises InputError: none readable, an
    unknown datum or error, contradictions."""
    if not paths:
        raise InputError("--dem: no elevation model; give a file")
    count = len(paths)
    datums = one_for_each(said.datums, count, "--dem-datum")
    offsets_m = one_for_each(said.offsets_m, count, "--dem-offset-m")
    sigmas_m = one_for_each(said.sigmas_m, count, "--dem-sigma-m")
    units = one_for_each(said.units, count, "--dem-unit")
    models = [
        [open_dem_file(f, datum, offset_m, sigma_m, unit) for f in _files(path)]
        for path, datum, offset_m, sigma_m, unit in zip(
            paths, datums, offsets_m, sigmas_m, units, strict=True
        )
    ]
    dem = Dem(models, said)
    dem.source(0)  # tells of --dem-date and the like given too often
    return dem


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if (beside_orthophoto := dem_of(path)) is not None:
        return [beside_orthophoto]
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{path}: holds no {', '.join(SUFFIXES)} file; give an elevation model")
    return found


def _name(model: Sequence[DemFile]) -> str:
    first, files = model[0], f", {len(model)} files" if len(model) > 1 else ""
    if first.product is None:
        return f"{first.path.name}{files}"
    kind = "surface" if first.product.surface else "terrain"
    return f"{first.product.title} ({kind} model), {first.path.name}{files}"
