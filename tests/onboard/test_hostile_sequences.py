"""Sequences of events that would make a confident wrong position, each found by trying to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.flight import Equipment, make_flight
from onboard.flight_calibration import FlightCalibration, Sight
from onboard.flight_settings import (
    FlightSettings,
    Output,
    PublishSettings,
    TakeoverMethod,
    TakeoverSettings,
)
from onboard.fuse import Estimator
from onboard.messages import GnssAssessment
from onboard.model_bundle import load_bundle
from onboard.outputs.moment import accuracy_m, is_trusted
from onboard.pack.map_pack import MapPack
from onboard.publish import PERIOD_NS, Publisher
from onboard.reasons import GnssState
from onboard.takeover.takeover_file import Before, TakeoverFile
from onboard.telemetry_messages import (
    Attitude,
    Gnss,
    Height,
    LocalOrigin,
    ParameterValue,
    VehicleState,
)
from tests.onboard.flights import GOOD, LAT_DEG, LON_DEG, SECOND, fix, motion
from tests.onboard.hand_made_pack import square_table, write_pack

ORIGIN = LocalOrigin(0, GOOD.lat_deg, GOOD.lon_deg, 500.0)


def coasting(until_s: int = 20) -> Estimator:
    """A fix a second with motion, then nothing."""
    estimator = Estimator((LAT_DEG, LON_DEG))
    for second in range(until_s + 1):
        estimator.add_exposure(second * SECOND, motion(second - 1, second))
        estimator.add_fix(fix(second))
    return estimator


@pytest.mark.parametrize("after_s", [4.2, 4.6, 5.0, 5.4, 8.0])
@pytest.mark.parametrize("off_m", [0.0, 20.0, 45.0])
def test_one_fix_does_not_end_a_silence(after_s: float, off_m: float) -> None:
    """Coasting is silent beyond 20 m, and the autopilot jumps onto what it is told first."""
    estimator = coasting()
    before = estimator.estimate_at(round((20 + after_s) * SECOND))
    assert before is not None and not is_trusted(before)
    estimator.add_exposure(before.time_ns, None)
    estimator.add_fix(fix(20 + after_s, off_m))
    assert not is_trusted(estimator.estimate_at(round((20 + after_s) * SECOND)))
    for i in range(1, 8):
        at_s = 20 + after_s + 0.5 * i
        estimator.add_exposure(round(at_s * SECOND), motion(at_s - 0.5, at_s))
        estimator.add_fix(fix(at_s))
    after = estimator.estimate_at(round((23.5 + after_s) * SECOND))
    assert after is not None and is_trusted(after) and accuracy_m(after) < 10.0


class Written:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def of(self, kind: str) -> list[Any]:
        return [m for m in self.sent if m.get_type() == kind]


@pytest.mark.parametrize("silent_s", [0.0, 6.0])
def test_after_a_reboot_nothing_local_is_told_by_the_old_origin(silent_s: float) -> None:
    """The new origin comes seconds after the reboot and 3 km from the old one."""
    link = Written()
    publisher = Publisher(link, PublishSettings(outputs=(Output.ODOMETRY,)))
    publisher.hear(ORIGIN)

    def fly(from_s: float, seconds: float, armed: bool) -> None:
        for i in range(round(seconds * 10)):
            now = round(from_s * SECOND) + i * PERIOD_NS
            if i % 10 == 0:
                publisher.hear(VehicleState(now, "ardupilot", "copter", armed, "AUTO"))
            publisher.hear(Attitude(now, 0.0, 0.0, 0.0))
            estimate = replace(GOOD, time_ns=now)
            publisher.act(now, estimate, GnssAssessment(now, GnssState.LOST, now))

    fly(10.0, 2.0, armed=True)
    told = link.of("ODOMETRY")
    assert told
    back_s = 12.0 + silent_s
    fly(back_s, 2.0, armed=silent_s > 0.0)  # a watchdog's reboot in the air stays armed
    assert link.of("ODOMETRY") == told
    publisher.hear(replace(ORIGIN, lat_deg=ORIGIN.lat_deg - 0.027))
    fly(back_s + 2.0, 1.0, armed=silent_s > 0.0)
    last = link.of("ODOMETRY")[-1]
    assert last.x == pytest.approx(3000.0, abs=10.0)
    assert last.reset_counter != told[-1].reset_counter


def learned(source: str, told_m: float, true_m: float, sigma_m: float = 5.0) -> FlightCalibration:
    """A minute of matches while a source tells told_m of true_m."""
    calibration = FlightCalibration(0.02)
    for second in range(60):
        told = Height(second * SECOND, told_m, None, sigma_m, source)
        used = calibration.corrections.for_height(told)
        height = used.height(told)
        assert height is not None
        sight = Sight(0.0, height.agl_m, 0.0, true_m / height.agl_m, used)
        calibration.add_match(second * SECOND, sight, sigma_m)
    return calibration


def corrected(calibration: FlightCalibration, told: Height) -> Height:
    height = calibration.corrections.for_height(told).height(told)
    assert height is not None
    return height


def test_a_height_correction_is_its_sources_alone() -> None:
    """Home lies 20 m above the ground here; a rangefinder that takes over knows it itself."""
    calibration = learned("home", 80.0, 100.0)
    at = 60 * SECOND
    assert corrected(calibration, Height(at, 80.0, None, 5.0, "home")).agl_m == pytest.approx(
        100.0, abs=1.0
    )
    assert corrected(calibration, Height(at, 90.0, None, 1.0, "rangefinder")).agl_m == 90.0
    told = Height(at, 90.0, None, 1.0, "rangefinder")
    used = calibration.corrections.for_height(told)
    calibration.add_match(at, Sight(0.0, 90.0, 0.0, 1.0, used), 1.0)
    assert corrected(calibration, told).agl_m == pytest.approx(90.0, abs=0.5)


def test_a_height_correction_that_no_match_confirms_is_forgotten() -> None:
    """Else a flight over other ground is off in scale for good, and no match can mend it."""
    calibration = learned("home", 80.0, 100.0)
    off_m = [
        corrected(calibration, Height((60 + s) * SECOND, 100.0, None, 5.0, "home")).agl_m - 100.0
        for s in (0, 60, 300)
    ]
    assert off_m[0] > 18.0 and off_m[1] < 12.0 and off_m[2] < 1.5
    sigmas_m = [
        corrected(calibration, Height((60 + s) * SECOND, 100.0, None, 5.0, "home")).sigma_m
        for s in (0, 60, 300)
    ]
    assert np.all(np.diff(sigmas_m) > 0.0) and sigmas_m[2] <= 5.0


def test_a_correction_does_not_make_a_doubted_height_certain() -> None:
    """`Telemetry` doubts a height that jumped by 40 m; what was learned before says nothing."""
    calibration = learned("home", 98.0, 100.0)
    doubted = Height(60 * SECOND, 138.0, None, float(np.hypot(5.0, 40.0)), "home")
    assert corrected(calibration, doubted).sigma_m > 39.0


@pytest.mark.parametrize(("deselected", "told"), [(True, 1), (False, 3)])
def test_a_flight_started_anew_tells_no_position_of_a_deselected_receiver(
    tmp_path: Path, deselected: bool, told: int
) -> None:
    """As it is wired: GNSS looks good, the camera sees nothing yet."""
    file = tmp_path / "takeover.json"
    method, before = TakeoverMethod.GPS_PRIMARY, {"GPS_PRIMARY": 0.0, "GPS_AUTO_SWITCH": 1.0}
    TakeoverFile(file, method).write(Before(method, before))
    equipment = Equipment(
        FlightSettings(takeover=TakeoverSettings(method)),
        Camera(480, 360, fx=500.0),
        MapPack.open(write_pack(tmp_path / "pack", [square_table(8)])),
        Describer(load_bundle(), threads=1),
        None,
        file,
    )
    link = Written()
    companion = make_flight(equipment, lambda _: None, link).companion
    held = {"GPS_PRIMARY": 1.0, "GPS_AUTO_SWITCH": 0.0} if deselected else before
    south, west, north, east = equipment.pack.bounds
    for tick in range(30):
        now = SECOND + tick * PERIOD_NS
        if tick % 10 == 0:
            companion.handle(VehicleState(now, "ardupilot", "copter", True, "AUTO"))
        for name, value in {**held, "GPS2_TYPE": 14.0}.items():
            companion.handle(ParameterValue(now, name, value, 2))
        companion.handle(Gnss(now, (south + north) / 2, (west + east) / 2, 2.0))
        companion.tick(now)
    assert link.of("GPS_INPUT")[-1].fix_type == told
