import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.world.shadows import shadow_share


@settings(max_examples=30)
@given(st.floats(0, 360), st.floats(20, 70), st.floats(5, 25))
def test_a_pole_casts_a_shadow_of_its_height(
    azimuth_deg: float, elevation_deg: float, height_m: float
) -> None:
    surface = np.zeros((301, 301), np.float32)
    surface[148:153, 148:153] = height_m
    shade = shadow_share(surface, surface, 0.5, azimuth_deg, elevation_deg)
    length_m = height_m / math.tan(math.radians(elevation_deg))
    away = math.radians(azimuth_deg + 180.0)

    def at(distance_m: float) -> float:
        col = 150 + distance_m / 0.5 * math.sin(away)
        row = 150 - distance_m / 0.5 * math.cos(away)
        near = shade[round(row) - 1 : round(row) + 2, round(col) - 1 : round(col) + 2]
        return float(near.max())

    if length_m > 8.0:
        assert at(length_m * 0.6) > 0.9
    assert at(length_m + 6.0) == 0.0
    assert at(-4.0) == 0.0  # towards the sun


def test_flat_ground_has_no_shadow() -> None:
    flat = np.full((50, 50), 7.0, np.float32)
    assert shadow_share(flat, flat, 1.0, 123.0, 30.0).max() == 0.0


def test_a_slope_steeper_than_the_sun_lies_in_shadow() -> None:
    down_to_the_north = np.repeat(np.arange(100, dtype=np.float32)[:, None], 100, axis=1)
    low = shadow_share(down_to_the_north, down_to_the_north, 1.0, 180.0, 30.0)
    high = shadow_share(down_to_the_north, down_to_the_north, 1.0, 180.0, 60.0)
    assert low[:60].mean() == pytest.approx(1.0, abs=0.02)
    assert high.max() == 0.0
