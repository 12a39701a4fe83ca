"""What a real ArduPilot makes of the outputs and of the takeover. Skipped unless PILOTAGE_SITL
names an arducopter; some 80 s each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.flight_settings import Output, PublishSettings, PublishWhen, TakeoverMethod
from onboard.reasons import GnssState
from tests.onboard.sitl_flight import Log, SitlFlight

GPS = PublishSettings(when=PublishWhen.ON_LOSS)
JAM, OFF = ("SIM_GPS1_JAM", 1.0, 0.0), ("SIM_GPS1_ENABLE", 0.0, 1.0)
MAX_ERROR_M = 10.0  # five sigma of what is sent
CASES = {
    "no_fix": (GPS, TakeoverMethod.OFF, OFF),
    "no_fix_gps_primary": (GPS, TakeoverMethod.GPS_PRIMARY, OFF),
    "jam_gps_primary": (GPS, TakeoverMethod.GPS_PRIMARY, JAM),
    "jam_odometry": (
        PublishSettings(outputs=(Output.ODOMETRY,)),
        TakeoverMethod.SOURCE_SET,
        JAM,
    ),
    "no_fix_vision_position": (
        PublishSettings(outputs=(Output.VISION_POSITION,)),
        TakeoverMethod.SOURCE_SET,
        OFF,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_gnss_goes_and_comes_back(tmp_path: Path, case: str) -> None:
    publish, method, (name, bad, healthy) = CASES[case]
    with SitlFlight(tmp_path, publish, method) as flight:
        flight.set_up()
        flight.take_off()
        flight.fly(3.0)
        assert max(flight.log.error_m) < 2.0  # by its own receiver
        flight.log = Log()
        begin_s = flight.now_s
        flight.station.set_parameter(name, bad, wait=False)
        flight.fly(40.0)
        lost = flight.log
        if method is not TakeoverMethod.OFF:
            assert lost.at_s[lost.held.index(True)] - begin_s < 1.0
            assert all(lost.held[20:])
        assert max(lost.error_m) < MAX_ERROR_M
        assert np.median(lost.error_m[50:]) > 0.5  # by ours, with its noise
        flight.log = Log()
        flight.station.set_parameter(name, healthy, wait=False)
        wait(flight, lambda: not flight.takeover.is_held() and not flight.publisher_offers, 90.0)
        flight.fly(5.0)
        assert max(flight.log.error_m) < MAX_ERROR_M
        assert max(flight.log.error_m[-20:]) < 2.0  # by its own receiver again
        assert set(lost.modes + flight.log.modes) == {"GUIDED"}
        for parameter, value in (("GPS_PRIMARY", 0.0), ("GPS_AUTO_SWITCH", 1.0)):
            if publish is GPS:
                assert flight.station.parameter(parameter) == value
        assert not any("failsafe" in text.lower() for _, text in flight.station.texts)


def test_a_companion_killed_while_holding_goes_on_holding_and_gives_back(tmp_path: Path) -> None:
    with SitlFlight(tmp_path, GPS, TakeoverMethod.GPS_PRIMARY) as flight:
        flight.set_up()
        flight.take_off()
        flight.station.set_parameter("SIM_GPS1_JAM", 1.0, wait=False)
        flight.fly(10.0)
        flight.connect()  # nothing is remembered but the file
        flight.fly(2.0)
        flight.log = Log()
        flight.fly(20.0)
        assert all(flight.log.held)
        assert max(flight.log.error_m) < MAX_ERROR_M
        flight.station.set_parameter("SIM_GPS1_JAM", 0.0, wait=False)
        wait(flight, lambda: not flight.takeover.is_held(), 90.0)
        assert flight.station.parameter("GPS_AUTO_SWITCH") == 1.0
        assert not any("failsafe" in text.lower() for _, text in flight.station.texts)


def test_without_a_trusted_position_on_the_ground_it_does_not_arm(tmp_path: Path) -> None:
    """Why the policy counts from arming on."""
    with SitlFlight(tmp_path, GPS, TakeoverMethod.OFF) as flight:
        flight.set_up()
        flight.estimate_changes = lambda _: None
        flight.settle()
        with pytest.raises(InputError, match="GPS 2: Bad fix"):
            flight.station.arm(8.0)
        flight.estimate_changes = lambda estimate: estimate
        flight.fly(3.0)
        assert flight.watch.assess(flight.station.clock_ns).state is GnssState.GOOD
        flight.station.arm(60.0)


def wait(flight: SitlFlight, done: Callable[[], bool], patience_s: float) -> None:
    end_s = flight.now_s + patience_s
    while not done():
        assert flight.now_s < end_s, flight.watch.assess(flight.station.clock_ns)
        flight.fly(0.5)
