"""When and with what a picture is taken: season, sun, changes on the ground, sensor, air."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from maps.world.materials import Season

SEASON_SHARE = {
    Season.SPRING: 0.2,
    Season.SUMMER: 0.3,
    Season.AUTUMN: 0.2,
    Season.WINTER: 0.15,
    Season.DRY: 0.15,
}
MIN_SUN_ELEVATION_DEG = 5.0  # below, everything lies in shadow


@dataclass(frozen=True)
class Epoch:
    """seed: what changes on the ground (crops, cars, buildings, resurfaced roads).

    sun_azimuth_deg is clockwise from north. shade is the light left in full shadow (share).
    haze 0..1 is the share of light that comes from the air. gain_bgr, gamma, contrast,
    saturation: the sensor's response. blur_px: its blur (sigma, output pixels). noise: its
    noise (grey levels). removed_share: buildings that do not stand. water_level_m: how far
    the water's edge has moved outwards.
    """

    seed: int
    season: Season = Season.SUMMER
    sun_azimuth_deg: float = 160.0
    sun_elevation_deg: float = 50.0
    shade: float = 0.45
    haze: float = 0.0
    gain_bgr: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    blur_px: float = 0.4
    noise: float = 1.5
    removed_share: float = 0.04
    water_level_m: float = 0.0

    def __post_init__(self) -> None:
        if not MIN_SUN_ELEVATION_DEG <= self.sun_elevation_deg <= 90.0:
            raise ValueError(
                f"sun_elevation_deg is {self.sun_elevation_deg}; "
                f"give {MIN_SUN_ELEVATION_DEG:.0f} to 90"
            )


def random_epoch(rng: np.random.Generator) -> Epoch:
    """Any season, hour, weather and sensor."""
    seasons = list(SEASON_SHARE)
    season = seasons[int(rng.choice(len(seasons), p=list(SEASON_SHARE.values())))]
    highest = 38.0 if season is Season.WINTER else 68.0
    cast = rng.normal(0, 0.05, 3)
    return Epoch(
        seed=int(rng.integers(2**31)),
        season=season,
        sun_azimuth_deg=float(rng.uniform(80, 280)),
        sun_elevation_deg=float(rng.uniform(22, highest)),
        shade=float(rng.uniform(0.3, 0.85))
        if rng.random() < 0.85
        else float(rng.uniform(0.85, 1.0)),
        haze=float(max(0.0, rng.normal(0.06, 0.08))),
        gain_bgr=(
            float(math.exp(cast[0] * 1.3)),
            float(math.exp(cast[1] * 0.6)),
            float(math.exp(cast[2])),
        ),
        gamma=float(math.exp(rng.normal(0, 0.22))),
        contrast=float(math.exp(rng.normal(0.05, 0.15))),
        saturation=float(np.clip(rng.normal(0.9, 0.25), 0.0, 1.4)),
        blur_px=float(rng.uniform(0.2, 1.0)),
        noise=float(rng.uniform(0.5, 5.0)),
        removed_share=float(rng.uniform(0.0, 0.08)),
        water_level_m=float(rng.normal(0, 1.2)),
    )
