"""What a map is made from and how: small enough to send to a worker, which opens the sources
and the model itself, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import shapely
from shapely.geometry import box
from shapely.prepared import prep

from maps.cells.cell import Cell, Position, in_order, root_level
from maps.cells.tile_backend import TileBackend
from maps.plan import cover_text, tile_box, tile_range
from maps.sources.open_imagery import open_imagery
from maps.sources.source import Source
from maps.terrain import Dem, DemSaid, open_dems
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX
from onboard.model_bundle import ModelBundle, load_bundle
from onboard.pack.pack_manifest import ImagerySource, PackModel, TerrainSource

# Without an area, all between an input's tiles is looked through. Two towns 100 km apart fill 1 %
# of it, tiles on both sides of the antimeridian next to nothing.
MIN_FILL, MANY_TILES = 0.001, 100_000


@dataclass(frozen=True)
class Recipe:
    """inputs: imagery, later ones on top; crs: for pictures without. levels: coarsest first.
    area_wkt: WGS84 longitude, latitude; None takes all. imagery: what the inputs are. backend:
    describes the tiles. dems: elevation models, later ones on top; dem_said: what the person
    says of them."""

    inputs: tuple[Path, ...]
    crs: str | None
    levels: tuple[int, ...]
    area_wkt: str | None
    imagery: tuple[ImagerySource, ...]
    model: PackModel
    model_folder: Path
    backend: TileBackend = field(default_factory=TileBackend)
    dems: tuple[Path, ...] = ()
    dem_said: DemSaid = field(default_factory=DemSaid)

    @property
    def root(self) -> int:
        return root_level(self.levels)


class Opened:
    """A recipe with its sources open. Imagery is read in one thread only."""

    def __init__(self, recipe: Recipe, sources: Sequence[Source]) -> None:
        """sources: those of the recipe's inputs, in order. area: the recipe's, as a shape."""
        self.recipe = recipe
        self.sources = tuple(sources)
        self.area = None if recipe.area_wkt is None else shapely.from_wkt(recipe.area_wkt)
        self._touches = None if self.area is None else prep(self.area)

    @cached_property
    def bundle(self) -> ModelBundle:
        """Raises InputError when the model there is not the recipe's."""
        bundle = load_bundle(self.recipe.model_folder)
        if bundle.sha256 != self.recipe.model.sha256:
            raise InputError(
                f"{bundle.path}: holds model {bundle.id} ({bundle.sha256[:12]}), the map is made "
                f"with {self.recipe.model.id} ({self.recipe.model.sha256[:12]}); put that one there"
            )
        return bundle

    @cached_property
    def describer(self) -> Describer:
        """One thread a call: several may call it at once. Raises InputError when the recipe's
        backend is not to be had here."""
        asked = self.recipe.backend
        describer = Describer(self.bundle, threads=1, backend=asked.backend)
        here = TileBackend(describer.network.backend, describer.network.precision)
        if here != asked:
            describer.network.close()
            raise InputError(
                f"{self.bundle.path}: describes on {here.name} here, the map is described on "
                f"{asked.name}; build engines of one precision on all machines with 'pilotage "
                "export engine', or name another --backend for the whole build"
            )
        return describer

    @cached_property
    def dem(self) -> Dem | None:
        """Raises InputError as `open_dems` does."""
        return open_dems(self.recipe.dems, self.recipe.dem_said) if self.recipe.dems else None

    @cached_property
    def terrain(self) -> TerrainSource | None:
        """What the map's terrain is; its level is the elevation model's own, or the cells'."""
        if self.dem is None:
            return None
        return self.dem.source(max(self.recipe.root, round(self.dem.native_level)))

    @cached_property
    def _sources_at(self) -> dict[Cell, list[Source]]:
        root = self.recipe.root
        left, top, right, bottom = self._around_area(root)
        found: dict[Cell, list[Source]] = {}
        for source in self.sources:
            x0, y0, x1, y1 = tile_range(source.bounds_m, root)
            for y in range(max(y0, top), min(y1, bottom)):
                for x in range(max(x0, left), min(x1, right)):
                    found.setdefault(Cell(root, x, y), []).append(source)
        return found

    def sources_at(self, cell: Cell) -> list[Source]:
        """Those that may have imagery in the cell, in order."""
        return self._sources_at.get(cell, [])

    def cells(self) -> list[Cell]:
        """All that may have imagery within the area, by row, then column. Raises InputError
        when there are none, or no area is given and the tiles lie scattered."""
        if self.area is None:
            self._refuse_scattered()
        touched = in_order([c for c in self._sources_at if self._meets(c.level, c.x, c.y)])
        cells = [cell for cell in touched if self.finest_tiles(cell)]
        if not cells:
            raise InputError(
                "--area: lies outside the imagery, which covers "
                f"{cover_text(self.sources)} (W,S,E,N); give an area within it"
            )
        return cells

    def finest_tiles(self, cell: Cell) -> list[Position]:
        """XYZ tiles (x, y) of the finest level in the cell that may have imagery, by y, x."""
        finest = self.recipe.levels[-1]
        left, top, right, bottom = cell.tiles(finest)
        found: set[Position] = set()
        for source in self.sources_at(cell):
            x0, y0, x1, y1 = tile_range(source.bounds_m, finest)
            columns = range(max(x0, left), min(x1, right))
            found.update((x, y) for y in range(max(y0, top), min(y1, bottom)) for x in columns)
        if self._touches is not None and not self._touches.contains(self._box(cell)):
            found = {(x, y) for x, y in found if self._meets(finest, x, y)}
        return sorted(found, key=lambda t: (t[1], t[0]))

    def _around_area(self, level: int) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1): tiles x0 <= x < x1, y0 <= y < y1 hold all that the area touches."""
        if self.area is None:
            return 0, 0, 1 << level, 1 << level
        west, south, east, north = self.area.bounds
        xs, ys = latlon_to_pixel([north, south], [west, east], level)
        x0, x1, y0, y1 = (int(v // TILE_PX) for v in (*xs, *ys))
        # A tile more on each side: one whose border the area touches is the area's too.
        return x0 - 1, y0 - 1, x1 + 2, y1 + 2

    def _refuse_scattered(self) -> None:
        finest = self.recipe.levels[-1]
        for source in self.sources:
            x0, y0, x1, y1 = tile_range(source.bounds_m, finest)
            if source.fill < MIN_FILL and (x1 - x0) * (y1 - y0) > MANY_TILES:
                raise InputError(
                    f"{source.name}: its tiles fill {source.fill:.3%} of the ground between them, "
                    f"{cover_text([source])} (W,S,E,N); give the ground to map with --area, each "
                    "side of the antimeridian by itself"
                )

    def _meets(self, level: int, x: int, y: int) -> bool:
        if self._touches is None:
            return True
        return bool(self._touches.intersects(box(*tile_box(x, y, level))))

    def _box(self, cell: Cell) -> object:
        return box(*tile_box(cell.x, cell.y, cell.level))


def open_recipe(recipe: Recipe) -> Opened:
    """Raises InputError as `open_imagery` does."""
    area = None if recipe.area_wkt is None else shapely.from_wkt(recipe.area_wkt)
    groups = open_imagery(recipe.inputs, recipe.crs, area)
    return Opened(recipe, [source for group in groups for source in group])
