"""The drawing board of a landscape: raster layers on one grid and the list of parcels on it.

Drawing coordinates are metres: x east, y SOUTH of the landscape's north-west corner.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.materials import Material
from maps.world.polygons import Points, densify

SUBPIXEL_BITS = 4
MOST_PARCELS = 2**16  # what the layer of parcel numbers holds
CURVE_STEP_M = 10.0  # longest straight piece of a bent line


class Canvas:
    """parcel: (H, W) uint16 number of the parcel seen at each pixel, below any trees.
    building_cm, tree_cm: uint16 heights above the terrain. crown: uint8, 0 where no tree,
    else 1 + kind of tree. paint: uint8 coverage by road markings. `water_m` (set by the
    water's author) is metres inside (+) or outside (-) of the water's edge, at 1 m/px."""

    def __init__(self, size_m: float, gsd_m: float, warp: object, rng: np.random.Generator) -> None:
        side = math.ceil(size_m / gsd_m)
        self.size_m, self.gsd_m, self.side_px, self.rng = size_m, gsd_m, side, rng
        self._warp = warp
        self.parcel = np.zeros((side, side), np.uint16)
        self.building_cm = np.zeros((side, side), np.uint16)
        self.tree_cm = np.zeros((side, side), np.uint16)
        self.crown = np.zeros((side, side), np.uint8)
        self.paint = np.zeros((side, side), np.uint8)
        self.water_m = np.full((2, 2), -1e3, np.float32)
        self.material: list[int] = []
        self.heading: list[float] = []
        self.like: list[int] = []
        self.fate: list[int] = []  # number of the building, 0 for what never goes away
        self.car_spots: list[tuple[float, float, float, float]] = []  # x, y, heading, share filled
        self.trees: list[tuple[float, float, float, float, int]] = []  # x, y, radius, height, crown
        self.buildings = 0

    def bent(self, polygon: Points, closed: bool = True) -> Points:
        """Through the landscape's warp: straight borders become gentle curves."""
        return self._warp(densify(polygon, CURVE_STEP_M, closed))  # type: ignore[operator, no-any-return]

    def bent_shape(self, polygon: Points) -> Points:
        """The same corner by corner, for small polygons that stay straight."""
        return self._warp(polygon)  # type: ignore[operator, no-any-return]

    def new_parcel(
        self,
        material: Material,
        heading: float | None = None,
        fate: int = 0,
        like: int | None = None,
    ) -> int:
        """heading: the direction of crop rows or of mowing (rad), None for any;
        like: the parcel that it shares its crop with."""
        if len(self.material) == MOST_PARCELS:
            raise ValueError(f"more than {MOST_PARCELS} parcels; make the landscape smaller")
        self.material.append(int(material))
        self.heading.append(self.rng.uniform(0, math.pi) if heading is None else heading)
        self.fate.append(fate)
        self.like.append(len(self.like) if like is None else like)
        return len(self.material) - 1

    def pixels(self, points: Points) -> NDArray[np.int32]:
        """Fixed-point pixel coordinates for OpenCV's drawing functions."""
        return np.round((points / self.gsd_m - 0.5) * (1 << SUBPIXEL_BITS)).astype(np.int32)

    def inside(self, points: Points, margin_m: float = 40.0) -> bool:
        """Whether anything of it may show."""
        low, high = points.min(axis=0), points.max(axis=0)
        return bool((high > -margin_m).all() and (low < self.size_m + margin_m).all())

    def fill(self, polygon: Points, parcel: int) -> None:
        if len(polygon) >= 3:
            cv2.fillPoly(self.parcel, [self.pixels(polygon)], parcel, shift=SUBPIXEL_BITS)

    def fill_height(self, polygon: Points, height_m: float) -> None:
        cv2.fillPoly(
            self.building_cm, [self.pixels(polygon)], round(height_m * 100), shift=SUBPIXEL_BITS
        )

    def line(self, points: Points, width_m: float, parcel: int) -> None:
        """A road or path; nothing stands on it."""
        thickness = max(1, round(width_m / self.gsd_m))
        line = [self.pixels(points)]
        for layer, value in ((self.parcel, parcel), (self.building_cm, 0)):
            cv2.polylines(layer, line, False, value, thickness=thickness, shift=SUBPIXEL_BITS)

    def mark(self, points: Points, width_m: float, coverage: float = 1.0) -> None:
        """Paint on a road; lines thinner than a pixel cover part of it."""
        thickness = max(1, round(width_m / self.gsd_m))
        share = min(1.0, width_m / (thickness * self.gsd_m)) * coverage
        cv2.polylines(
            self.paint,
            [self.pixels(points)],
            False,
            round(255 * share),
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=SUBPIXEL_BITS,
        )

    def wet(self, point: Points, margin_m: float) -> bool:
        """Whether water comes within margin_m of a point."""
        last = self.water_m.shape[0] - 1
        x, y = (min(max(int(v), 0), last) for v in point)
        return bool(self.water_m[y, x] > -margin_m)
