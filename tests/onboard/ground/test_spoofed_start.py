"""Flights over slopes whose GNSS was spoofed before the take-off: the height is anchored elsewhere.

`Flight.fly` asserts that nothing is off by more than its protection level.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from onboard.autopilot.heights import RANGEFINDER
from onboard.geodesy import offset_latlon
from onboard.messages import FrameResult
from onboard.telemetry_messages import Height
from tests.onboard.hillside_flight import (
    FLIGHT_M,
    SECONDS,
    Flight,
    by_barometer,
    ground_m,
    hillside,
    latlon,
    make_hillside_flight,
)

SLOPE = 0.3  # of the hillside, to the north


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    return make_hillside_flight(tmp_path_factory.mktemp("hillside"))


def height_error_m(results: list[FrameResult], k: int) -> float:
    height = results[k].height
    assert height is not None
    return height.agl_m - (300.0 + FLIGHT_M - ground_m(k))


@pytest.mark.parametrize("has_rangefinder", [False, True])
@pytest.mark.parametrize(("north_m", "amsl_m"), [(80.0, 0.0), (-80.0, 0.0), (80.0, 150.0)])
def test_the_first_fix_mends_a_height_anchored_at_a_spoofers_place(
    flight: Flight, tmp_path: Path, north_m: float, amsl_m: float, has_rangefinder: bool
) -> None:
    """24 m too high or too low above 100 m, whatever GNSS made of the height above sea level. A
    rangefinder agrees with that until the place is found."""

    def told(seconds: float) -> tuple[float, float]:
        return offset_latlon(*latlon(seconds), 0.0, north_m)

    def heights(seconds: float) -> Height:
        height = by_barometer(seconds)
        assert height.amsl_m is not None
        height = replace(height, amsl_m=height.amsl_m + amsl_m)
        if not has_rangefinder:
            return height
        agl_m = 300.0 + FLIGHT_M - ground_m(seconds)
        return replace(height, agl_m=agl_m, sigma_m=2.0, source=RANGEFINDER)

    pack = flight.pack(tmp_path / "area.pack", hillside)
    navigator, results = flight.fly(pack, heights, told, amsl_m)
    first = next(k for k, r in enumerate(results) if r.fix)
    assert first < SECONDS - 1
    for k in range(first + 1, SECONDS):
        height = results[k].height
        assert results[k].fix is not None and height is not None
        assert abs(height_error_m(results, k)) < 8.0 < SLOPE * abs(north_m)
        assert abs(height_error_m(results, k)) < 3.0 * height.sigma_m
        assert height.bias_m == pytest.approx(amsl_m, abs=8.0)
    assert navigator.height_said is not None
    way = "+" if north_m < 0.0 else "-"
    assert f"height corrected by {way}" in navigator.height_said[1]
