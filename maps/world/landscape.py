"""One place of the procedural world: what stays the same from one epoch to the next.

Coordinates of the public functions: metres east and north of the landscape's south-west
corner; `anchor_lat_deg`, `anchor_lon_deg` say where that corner lies on the Earth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np

from maps.world import countryside, town
from maps.world.canvas import Canvas
from maps.world.materials import Material
from maps.world.noise import FloatLayer, SmoothWarp, Texture, fractal_noise
from maps.world.polygons import Points, voronoi
from maps.world.relief import grid_window, terrain_grid
from maps.world.roads import HIGHWAY, LANE, MAIN, RURAL, TRACK, RoadClass, draw_road
from maps.world.vegetation import plant
from maps.world.water import draw_water, water_edge
from onboard.geodesy import enu_offset_m, offset_latlon

DEFAULT_GSD_M = 0.25
MIN_SIZE_M, MAX_GSD_M = 50.0, 2.0
TEXTURE_PX = 1024
OUTSIDE_M = 150.0  # the pattern of districts goes on beyond the edge


class LandUse(str, Enum):
    FIELDS = "fields"
    STRIPS = "strips"
    TERRACES = "terraces"
    MEADOW = "meadow"
    WOOD = "wood"
    ORCHARD = "orchard"
    SCRUB = "scrub"
    VILLAGE = "village"
    SUBURB = "suburb"
    CITY = "city"
    ESTATE = "estate"
    INDUSTRY = "industry"
    PARK = "park"


BUILT_UP = frozenset(
    {LandUse.VILLAGE, LandUse.SUBURB, LandUse.CITY, LandUse.ESTATE, LandUse.INDUSTRY, LandUse.PARK}
)


@dataclass(frozen=True)
class Style:
    """A region's character: what its open land is, what its towns are and how far they reach
    (share of the landscape's side), how hilly it is, how often a river runs through."""

    rural: dict[LandUse, float]
    urban: dict[LandUse, float]
    town_reach: float
    relief_m: float
    river: float


U = LandUse  # short, for the table below
STYLES = (
    Style({U.FIELDS: 5, U.MEADOW: 1, U.WOOD: 1, U.STRIPS: 1}, {U.VILLAGE: 1}, 0.2, 8, 0.4),
    Style(
        {U.FIELDS: 2, U.MEADOW: 2, U.WOOD: 2, U.ORCHARD: 1},
        {U.VILLAGE: 2, U.SUBURB: 1},
        0.35,
        25,
        0.5,
    ),
    Style(
        {U.WOOD: 1, U.FIELDS: 2, U.PARK: 1}, {U.SUBURB: 4, U.ESTATE: 1, U.PARK: 0.5}, 0.7, 12, 0.3
    ),
    Style(
        {U.FIELDS: 1, U.WOOD: 1}, {U.CITY: 3, U.SUBURB: 1, U.ESTATE: 2, U.PARK: 0.6}, 1.0, 6, 0.4
    ),
    Style({U.FIELDS: 2, U.SCRUB: 1}, {U.INDUSTRY: 4, U.ESTATE: 1, U.SUBURB: 1}, 0.6, 5, 0.3),
    Style({U.TERRACES: 4, U.WOOD: 1, U.STRIPS: 2}, {U.VILLAGE: 2, U.CITY: 1}, 0.35, 60, 0.4),
    Style({U.SCRUB: 4, U.FIELDS: 1, U.ORCHARD: 1}, {U.VILLAGE: 1, U.SUBURB: 1}, 0.3, 40, 0.2),
    Style({U.WOOD: 5, U.MEADOW: 2, U.FIELDS: 1}, {U.VILLAGE: 1}, 0.15, 45, 0.4),
    Style({U.ORCHARD: 3, U.STRIPS: 3, U.FIELDS: 1}, {U.VILLAGE: 1, U.SUBURB: 1}, 0.4, 15, 0.3),
)


class Landscape:
    """`Landscape(seed, size_m)`: a square of size_m on a grid of gsd_m. The same arguments
    give the same landscape. `style` is an index into STYLES, None to draw one.

    Layers (rows from north to south): see `Canvas`; `terrain_m` is the ground's height on a
    grid of about 4 m whose first and last nodes lie on the landscape's edges.
    """

    def __init__(
        self,
        seed: int,
        size_m: float,
        gsd_m: float = DEFAULT_GSD_M,
        anchor_lat_deg: float = 47.0,
        anchor_lon_deg: float = 8.0,
        style: int | None = None,
    ) -> None:
        if not size_m >= MIN_SIZE_M or not 0.0 < gsd_m <= MAX_GSD_M:
            raise ValueError(
                f"size_m is {size_m}, gsd_m {gsd_m}; give at least {MIN_SIZE_M:.0f} m "
                f"and a pixel of up to {MAX_GSD_M:.0f} m"
            )
        rng = np.random.default_rng([seed, 0x9117])
        self.seed, self.size_m, self.gsd_m = seed, size_m, gsd_m
        self.anchor_lat_deg, self.anchor_lon_deg = anchor_lat_deg, anchor_lon_deg
        self.style = STYLES[int(rng.integers(len(STYLES))) if style is None else style]
        self.terrain_m = terrain_grid(rng, size_m, self.style.relief_m)
        self.fertility = Texture(fractal_noise(rng, TEXTURE_PX, 60 / gsd_m, 5, 0.6))
        self.coarse = Texture(fractal_noise(rng, TEXTURE_PX, 40 / gsd_m, 4, 0.7))
        self.fine = Texture(fractal_noise(rng, TEXTURE_PX, 5 / gsd_m, 4, 0.75))
        warp = SmoothWarp(rng, slope=float(rng.uniform(0.1, 0.6)))
        self.canvas = Canvas(size_m, gsd_m, warp, rng)
        self.canvas.new_parcel(Material.GRASS)
        self.canvas.water_m = water_edge(rng, size_m, self.style.river)
        _draw_districts(self.canvas, self.style, self.terrain_m)
        plant(self.canvas)

    @property
    def side_px(self) -> int:
        return self.canvas.side_px

    def latlon(self, east_m: float, north_m: float) -> tuple[float, float]:
        """(lat_deg, lon_deg) of a point of the landscape."""
        return offset_latlon(self.anchor_lat_deg, self.anchor_lon_deg, east_m, north_m)

    def east_north(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """(east_m, north_m) of a position."""
        east, north = enu_offset_m(self.anchor_lat_deg, self.anchor_lon_deg, lat_deg, lon_deg)
        return float(east), float(north)

    def terrain_window(self, rows: slice, cols: slice) -> FloatLayer:
        """Ground height (m) over rows and columns of the fine grid."""
        return grid_window(self.terrain_m, self.size_m, self.gsd_m, rows, cols)

    def ground_m(self, east_m: float, north_m: float) -> float:
        """Ground height at one point, without buildings and trees."""
        nodes = self.terrain_m.shape[0] - 1
        x = np.clip(east_m / self.size_m * nodes, 0, nodes)
        y = np.clip((1 - north_m / self.size_m) * nodes, 0, nodes)
        patch = cv2.getRectSubPix(self.terrain_m, (1, 1), (float(x), float(y)))
        return float(patch[0, 0])


def _draw_districts(canvas: Canvas, style: Style, terrain_m: FloatLayer) -> None:
    rng = canvas.rng
    spacing = rng.uniform(180, 320)
    low, high = -OUTSIDE_M, canvas.size_m + OUTSIDE_M
    count = max(2, round((high - low) / spacing))
    step = (high - low) / count
    sites = np.array(
        [
            (
                low + (i + 0.5 + rng.uniform(-0.4, 0.4)) * step,
                low + (j + 0.5 + rng.uniform(-0.4, 0.4)) * step,
            )
            for i in range(count)
            for j in range(count)
        ]
    )
    town_at = rng.uniform(0.15, 0.85, 2) * canvas.size_m
    roads: list[tuple[Points, RoadClass]] = []
    for site, cell in zip(sites, voronoi(sites, low, high), strict=True):
        if not len(cell):
            continue
        near = math.hypot(*(site - town_at)) < style.town_reach * canvas.size_m * rng.uniform(
            0.6, 1.1
        )
        use = _draw_use(rng, style.urban if near else style.rural)
        _draw_district(canvas, use, cell, terrain_m)
        for a, b in zip(cell, np.roll(cell, -1, axis=0), strict=True):
            if (a[0], a[1]) < (b[0], b[1]):  # each border once
                line = canvas.bent(np.array([a, b]), closed=False)
                road = _border_road(rng, use)
                if road is not None and len(line) > 1:
                    roads.append((line, road))
    if rng.random() < 0.15:
        start, end = rng.uniform(0, canvas.size_m, 2)
        across = np.array([[start, low], [end, high]])
        across = across[:, ::-1] if rng.random() < 0.5 else across
        roads.append((canvas.bent(across, closed=False), HIGHWAY))
    draw_water(canvas)
    for line, road in sorted(roads, key=lambda r: r[1].width_m):
        draw_road(canvas, line, road)


def _draw_use(rng: np.random.Generator, shares: dict[LandUse, float]) -> LandUse:
    uses, weights = list(shares), np.array(list(shares.values()), float)
    return uses[int(rng.choice(len(uses), p=weights / weights.sum()))]


def _border_road(rng: np.random.Generator, use: LandUse) -> RoadClass | None:
    if use in BUILT_UP:
        return MAIN if rng.random() < 0.5 else RURAL
    kinds = (RURAL, LANE, TRACK, None)
    return kinds[int(rng.choice(4, p=(0.2, 0.25, 0.3, 0.25)))]


def _draw_district(canvas: Canvas, use: LandUse, cell: Points, terrain_m: FloatLayer) -> None:
    rng = canvas.rng
    if not canvas.inside(canvas.bent(cell)):
        return
    if use is LandUse.FIELDS:
        countryside.draw_fields(canvas, cell, float(np.exp(rng.uniform(8.8, 10.8))), 0.06)
    elif use is LandUse.STRIPS:
        countryside.draw_fields(canvas, cell, float(np.exp(rng.uniform(6.3, 8.0))), 0.12)
    elif use is LandUse.TERRACES:
        countryside.draw_terraces(canvas, cell, terrain_m)
    elif use is LandUse.MEADOW:
        countryside.draw_meadow(canvas, cell)
    elif use is LandUse.WOOD:
        countryside.draw_wood(canvas, cell)
    elif use is LandUse.ORCHARD:
        countryside.draw_orchard(canvas, cell)
    elif use is LandUse.SCRUB:
        countryside.draw_scrub(canvas, cell)
    elif use is LandUse.VILLAGE:
        town.draw_houses(canvas, cell, rng.uniform(700, 1500), 0.7)
    elif use is LandUse.SUBURB:
        town.draw_houses(canvas, cell, rng.uniform(300, 700), 0.93)
    elif use is LandUse.CITY:
        town.draw_city(canvas, cell)
    elif use is LandUse.ESTATE:
        town.draw_estate(canvas, cell)
    elif use is LandUse.INDUSTRY:
        town.draw_industry(canvas, cell)
    else:
        town.draw_park(canvas, cell)
