"""Calibration in flight on real photographs: the camera is taken to look straight down, which
it does not (some 9 deg forward), and the map lies some 4 m south."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from onboard.camera import Camera, Mounting
from onboard.describe import Describer
from onboard.flight_calibration import FlightCalibration, Sight
from onboard.geodesy import enu_offset_m
from onboard.localize import Localizer
from onboard.messages import Fix, Frame, Prior
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.cli import main
from tools.photo_folder import photo_events, read_flight

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
FLIGHT = DATA / "fengyuan"
SIGMA_DEG = 6.0

pytestmark = pytest.mark.skipif(
    not FLIGHT.exists(),
    reason=f"no real flight at {FLIGHT}; set PILOTAGE_DATA to the folder of recorded flights",
)


@pytest.fixture(scope="module")
def fixes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Fix, Sight, Gnss]]:
    """Every photograph alone, searched within 30 m of its recorded position."""
    out = tmp_path_factory.mktemp("real") / "area.pack"
    assert main(["map", "build", str(FLIGHT / "map.csv"), "--levels", "18", "--out", str(out)]) == 0
    down = Mounting(stabilised=True, sigma_deg=SIGMA_DEG)
    camera = Camera(2000, 1125, fx=1475.0, mounting=down)
    localizer = Localizer(MapPack.open(out), Describer(load_bundle()), camera)
    latest: dict[type, object] = {}
    found = []
    for event in photo_events(read_flight(FLIGHT, None, None).photos, False, None):
        latest[type(event)] = event
        if not isinstance(event, Frame):
            continue
        attitude, height, gnss = latest[Attitude], latest[Height], latest[Gnss]
        assert isinstance(attitude, Attitude) and isinstance(height, Height)
        assert isinstance(gnss, Gnss)
        prior = Prior(gnss.lat_deg, gnss.lon_deg, 30.0)
        result = localizer.localize(event, attitude, height, prior, gnss.lat_deg)
        if result.fix and result.match and result.view:
            match = result.match
            sight = Sight(attitude.yaw, result.view.agl_m, match.rotation, match.scale)
            found.append((result.fix, sight, gnss))
    return found


def error(fix: Fix, gnss: Gnss) -> np.ndarray:
    return np.array(enu_offset_m(gnss.lat_deg, gnss.lon_deg, fix.lat_deg, fix.lon_deg))


def test_the_first_half_with_gnss_corrects_the_second_half_without(
    fixes: list[tuple[Fix, Sight, Gnss]],
) -> None:
    calibration = FlightCalibration(math.radians(SIGMA_DEG))
    half = len(fixes) // 2
    for fix, sight, gnss in fixes[:half]:
        assert calibration.add_difference(fix, sight, error(fix, gnss), gnss.sigma_m)
    assert math.degrees(calibration.mean[2]) == pytest.approx(9.0, abs=1.5)  # forward
    assert math.degrees(calibration.mean[3]) == pytest.approx(0.0, abs=1.5)  # right
    assert calibration.mean[1] == pytest.approx(-4.0, abs=2.0)  # the map's shift north
    before, after, inside = [], [], 0
    for fix, sight, gnss in fixes[half:]:
        corrected = calibration.apply(fix, sight)
        left = error(corrected, gnss)
        before.append(np.hypot(*error(fix, gnss)))
        after.append(np.hypot(*left))
        inside += float(left @ np.linalg.solve(corrected.covariance, left)) <= 5.99
    print(f"median {np.median(before):.1f} -> {np.median(after):.1f} m, worst {max(after):.1f} m")
    assert np.median(before) > 15.0
    assert np.median(after) < 4.0
    assert max(after) < 8.0
    assert inside >= 0.9 * len(after)
