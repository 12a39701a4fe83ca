"""The pack's terrain as a flight asks for it: around a place known only so well.

A tile that can't be read is unknown ground, and named by `take_problem`: the map was whole when
it was opened, and a flight goes on without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import Floats, Prior
from onboard.pack.terrain import Terrain

# A circular normal as 25 points: weights of a normal at these shares of sigma, both ways.
STEPS = np.array([-1.8, -0.9, 0.0, 0.9, 1.8])
# And as five, whose mean and covariance are exact, for many points at once.
FIVE_EAST = np.array([0.0, 1.0, -1.0, 0.0, 0.0]) * math.sqrt(3.0)
FIVE_NORTH = np.array([0.0, 0.0, 0.0, 1.0, -1.0]) * math.sqrt(3.0)
FIVE_WEIGHTS = np.array([2.0, 1.0, 1.0, 1.0, 1.0]) / 6.0
MIN_KNOWN = 0.5  # share of the weights whose ground must be known
MAP_SIDE = 17  # points to a side, over the whole map: 300 tiles are read in half a second


@dataclass(frozen=True)
class Spread:
    """Ground heights above mean sea level where the vehicle may be: mean and one sigma, metres."""

    mean_m: float
    sigma_m: float


class GroundBelow:
    """Not for several threads at once: the frame thread's."""

    def __init__(self, terrain: Terrain, bounds: tuple[float, float, float, float]) -> None:
        """bounds: the map's, (south, west, north, east) in degrees. over_map: anywhere there, None
        where nothing is known; read at once, before a flight is in a hurry."""
        self.sigma_m = terrain.sigma_m
        self._problem = ""
        self._terrain = terrain.with_gaps(self._note)
        self.over_map = self._over(bounds)

    def heights_m(self, lat_deg: Floats, lon_deg: Floats) -> Floats:
        """Above mean sea level, NaN where unknown."""
        return self._terrain.heights_m(lat_deg, lon_deg)

    def take_problem(self) -> str:
        """What could not be read since this was asked last, a sentence; '' when all could."""
        problem, self._problem = self._problem, ""
        return problem

    def around_m(self, prior: Prior, east_m: Floats, north_m: Floats) -> Floats:
        """Heights at offsets (any shape) from where the vehicle may be: (5, ...), one for each
        of the FIVE points that stand for the prior."""
        shape = (5, *(1,) * np.ndim(east_m))
        east = east_m + prior.sigma_m * FIVE_EAST.reshape(shape)
        north = north_m + prior.sigma_m * FIVE_NORTH.reshape(shape)
        return self._at(prior, east, north)

    def under(self, prior: Prior) -> Spread | None:
        """Below the vehicle; None where less than MIN_KNOWN of it is known."""
        east, north = np.meshgrid(STEPS, STEPS)
        weights = np.exp(-(east**2 + north**2) / 2)
        heights = self._at(prior, prior.sigma_m * east, prior.sigma_m * north)
        return _spread(heights, weights)

    def _over(self, bounds: tuple[float, float, float, float]) -> Spread | None:
        south, west, north, east = bounds
        sides = np.linspace(south, north, MAP_SIDE), np.linspace(west, east, MAP_SIDE)
        heights = self.heights_m(*np.meshgrid(*sides))
        return _spread(heights, np.isfinite(heights) * 1.0)

    def _at(self, prior: Prior, east_m: Floats, north_m: Floats) -> Floats:
        level = self._terrain.level
        x, y = latlon_to_pixel(prior.lat_deg, prior.lon_deg, level)
        pixel_east_m, pixel_north_m = pixel_size_m(prior.lat_deg, level)
        # Straight on the map's grid: 1 km away that is 0.2 m off, and costs no sine a point.
        return self._terrain.heights_at_m(x + east_m / pixel_east_m, y - north_m / pixel_north_m)

    def _note(self, problem: str) -> None:
        self._problem = problem


def _spread(heights_m: Floats, weights: Floats) -> Spread | None:
    known = np.isfinite(heights_m)
    weight = float(weights[known].sum())
    if weight <= 0.0 or weight < MIN_KNOWN * float(weights.sum()):
        return None
    mean_m = float((weights * np.where(known, heights_m, 0.0))[known].sum()) / weight
    variance_m2 = float((weights[known] * (heights_m[known] - mean_m) ** 2).sum()) / weight
    return Spread(mean_m, math.sqrt(variance_m2))
