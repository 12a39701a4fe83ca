"""The double against ../shared/facts/autopilots.md: a fact a test, its section in the docstring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from tests.tools.sim.double_bench import GUIDED, HOME, LAND, READY_S, Bench, Feed, Moment

GPS2 = {"GPS2_TYPE": 14.0}
NO_VELOCITY = {**GPS2, "EK3_SRC1_VELXY": 0.0, "EK3_SRC1_VELZ": 0.0}
VISION = {
    "VISO_TYPE": 1.0, "EK3_SRC2_POSXY": 6.0, "EK3_SRC2_VELXY": 0.0, "EK3_SRC2_POSZ": 1.0,
    "EK3_SRC2_VELZ": 0.0, "EK3_SRC2_YAW": 1.0,
}  # fmt: skip
SOURCE_SET = mavlink.MAV_CMD_SET_EKF_SOURCE_SET
_open: list[Bench] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def bench(
    parameters: dict[str, float] | None = None, feed: Feed | None = None, **more: Any
) -> Bench:
    _open.append(Bench(dict(parameters or {}), feed=feed, **more))
    return _open[-1]


def cruising(parameters: dict[str, float] | None = None, feed: Feed | None = None) -> Bench:
    found = bench(parameters, feed)
    found.cruise()
    return found


def first(moments: list[Moment], holds: Any) -> float:
    """Seconds from the first moment until it holds."""
    start = moments[0].t_s - 0.05
    return next((m.t_s - start for m in moments if holds(m)), math.inf)


def rms_m(moments: list[Moment]) -> float:
    return float(np.sqrt(np.mean([m.error_m**2 for m in moments])))


def is_land(m: Moment) -> bool:
    return m.mode == LAND


def on_companion(m: Moment) -> bool:
    return m.primary == 1


def test_without_fallback_it_lands_after_8_s_and_gives_up_after_15() -> None:
    """1.4, last rows: flags drop at 7.2 s, LAND at 8.0-8.2 s, stopped aiding at 15.2 s."""
    b = cruising()
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(17.0)
    assert 6.8 < first(flown, lambda m: m.flags == 0x25) < 7.4
    assert 7.8 < first(flown, is_land) < 8.5
    assert 14.7 < first(flown, lambda m: m.flags == 0xA7) < 15.5
    assert "EKF Failsafe: changed to LAND Mode" in b.texts
    assert "EKF3 IMU0 stopped aiding" in b.texts


def test_companion_takes_over_when_the_receiver_reports_no_fix() -> None:
    """1.4: switch after 0.3-0.5 s, jump of some metres, no event."""
    b = cruising(GPS2, Feed(noise_m=2.0))
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(30.0)
    assert first(flown, on_companion) <= 0.5
    assert rms_m(flown[200:]) < 3.0
    assert not any(is_land(m) for m in flown)
    assert b.texts == []


def test_a_silent_receiver_is_given_up_after_4_s() -> None:
    """1.4: switch at 3.95-4.1 s, no failsafe in the gap; section 2: then fix 0, eph 65535."""
    b = cruising(GPS2, Feed(noise_m=1.0))
    b.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 24, 2e5)
    b.set(SIM_GPS1_TYPE=0)
    flown = b.run(8.0)
    assert 3.7 < first(flown, on_companion) < 4.3
    assert not any(is_land(m) for m in flown)
    last = b.of("GPS_RAW_INT")[-1]
    assert (last.fix_type, last.eph) == (0, 65535)


def test_takeover_jumps_onto_the_first_fix_however_wrong() -> None:
    """0.2, 1.4: 200 m exactly at takeover is flown to."""
    b = cruising(GPS2, Feed(off_m=lambda t: (0.0, 200.0)))
    assert b.run(1.0)[-1].error_m < 1.0  # GNSS is good: it does not matter
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(4.0)
    assert 190.0 < max(m.error_m for m in flown) < 210.0


def test_a_stale_fix_is_jumped_onto_too() -> None:
    """1.3: at 0.33 Hz the jump is age times speed."""
    b = cruising(GPS2, Feed())
    assert b.feed is not None
    b.feed.on = False
    b.run(2.0)
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(1.0)
    assert 15.0 < max(m.error_m for m in flown) < 26.0


def test_a_single_outlier_is_rejected() -> None:
    """1.4: single 200 m in cruise."""
    b = cruising(NO_VELOCITY, Feed())
    b.set(SIM_GPS1_ENABLE=0)
    b.run(10.0)
    at = b.t_s
    assert b.feed is not None
    b.feed.off_m = lambda t: (0.0, 200.0) if at < t < at + 0.15 else (0.0, 0.0)
    assert max(m.error_m for m in b.run(3.0)) < 5.0


@pytest.mark.parametrize(("parameters", "after_s"), [(NO_VELOCITY, 7.0), (GPS2, 10.0)])
def test_a_persistent_wrong_position_wins(parameters: dict[str, float], after_s: float) -> None:
    """1.4: 50 m is rejected, then jumped onto: after 10 s with velocities, 7 s without."""
    b = cruising(parameters, Feed())
    b.set(SIM_GPS1_ENABLE=0)
    b.run(10.0)
    assert b.feed is not None
    b.feed.off_m = lambda t: (0.0, 50.0)
    flown = b.run(14.0)
    assert after_s - 0.5 < first(flown, lambda m: m.error_m > 40.0) < after_s + 0.7
    assert "GPS Glitch or Compass error" in b.texts
    assert not any(is_land(m) for m in flown)


def test_a_step_of_20_m_is_pulled_in_without_a_message() -> None:
    """1.4."""
    b = cruising(NO_VELOCITY, Feed())
    b.set(SIM_GPS1_ENABLE=0)
    b.run(10.0)
    assert b.feed is not None
    b.feed.off_m = lambda t: (0.0, 20.0)
    flown = b.run(30.0)
    assert flown[-1].error_m > 15.0
    assert b.texts == []


@pytest.mark.parametrize("speed_accuracy", [0.5, 10.0, 50.0])
def test_an_ignored_velocity_counts_as_zero_and_it_lands(speed_accuracy: float) -> None:
    """0.3, 1.5: failsafe 1.2-1.4 s after the takeover, whatever the accuracy claims."""
    b = cruising(GPS2, Feed(velocity=False, speed_accuracy=speed_accuracy))
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(4.0)
    assert 0.9 < first(flown, is_land) - first(flown, on_companion) < 1.8


def test_without_velocity_as_a_source_it_flies_on() -> None:
    """1.5: EK3_SRC1_VELXY=0: rms about 2 m, no events."""
    b = cruising(NO_VELOCITY, Feed(velocity=False, noise_m=2.0))
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(40.0)
    assert not any(is_land(m) for m in flown) and b.texts == []
    assert rms_m(flown[400:]) < 3.5


@pytest.mark.parametrize(("hz", "arms"), [(4.0, False), (8.0, True), (10.0, True)])
def test_a_second_receiver_below_5_hz_prevents_arming(hz: float, arms: bool) -> None:
    """1.3: GPS 2: not healthy."""
    b = bench(GPS2, Feed(hz=hz))
    b.run(READY_S)
    assert (b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0) == arms
    assert any("GPS 2: not healthy" in text for text in b.texts) != arms


@pytest.mark.parametrize("hz", [4.0, 1.0, 0.5])
def test_lower_rates_in_flight_are_held(hz: float) -> None:
    """1.3: 0.5-4 Hz after arming, with a good velocity."""
    b = cruising(GPS2, Feed(noise_m=1.0))
    b.set(SIM_GPS1_ENABLE=0)
    b.run(3.0)
    assert b.feed is not None
    b.feed.hz = hz
    flown = b.run(25.0)
    assert not any(is_land(m) for m in flown)
    assert rms_m(flown) < 5.0


@pytest.mark.parametrize(
    "bad", [{"fix_type": 2}, {"satellites": 5}, {"hdop": 3.0}, {"accuracy_m": 6.0},
            {"speed_accuracy": 1.5}],
)  # fmt: skip
def test_alone_on_the_ground_each_field_must_be_good(bad: dict[str, float]) -> None:
    """1.2."""
    only = {**GPS2, "GPS1_TYPE": 0.0}
    good = bench(only, Feed())
    good.run(READY_S)
    assert good.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, good.texts
    b = bench(only, Feed(**bad))  # type: ignore[arg-type]
    b.run(READY_S)
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4
    wanted = "Bad fix" if "fix_type" in bad else "waiting for home"
    assert any(wanted in text for text in b.texts), b.texts


def test_latency_shows_as_a_lag() -> None:
    """1.4: bias (0.2 s - age) times speed."""
    lags = {}
    for latency_s in (0.0, 0.5, 1.0):
        b = cruising(NO_VELOCITY, Feed(latency_s=latency_s, velocity=False))
        b.set(SIM_GPS1_ENABLE=0)
        b.run(30.0)
        b.run(5.0)
        a = b.double.autopilot
        lags[latency_s] = a.ekf.position[0] - a.body.north_m
    assert lags[0.0] == pytest.approx(2.0, abs=1.5)
    assert lags[0.5] == pytest.approx(-3.0, abs=1.5)
    assert lags[1.0] == pytest.approx(-8.0, abs=2.0)


def test_wrong_receiver_number_is_dropped_in_silence() -> None:
    """1.1: gps_id 1 is the second receiver."""
    b = bench(GPS2, Feed(gps_id=0))
    b.run(10.0)
    assert b.double.autopilot.receivers[1].reading is None


def test_primary_forced_takes_effect_with_good_gnss() -> None:
    """1.1: GPS_AUTO_SWITCH 4, GPS_PRIMARY 1: within 0.1 s."""
    b = cruising({**GPS2, "GPS_AUTO_SWITCH": 4.0}, Feed(off_m=lambda t: (0.0, 30.0)))
    b.set(GPS_PRIMARY=1)
    assert b.run(0.2)[-1].error_m > 25.0
    b.set(GPS_PRIMARY=0)
    assert b.run(0.3)[-1].error_m < 2.0


def test_gnss_that_returns_is_taken_back_at_once() -> None:
    """1.4: 0.45 s, at most 1.8 m."""
    b = cruising(GPS2, Feed(noise_m=1.0))
    b.set(SIM_GPS1_ENABLE=0)
    b.run(10.0)
    b.set(SIM_GPS1_ENABLE=1)
    flown = b.run(5.0)
    assert first(flown, lambda m: not on_companion(m)) <= 0.5
    assert flown[-1].error_m < 1.0


def test_jamming_bounces_and_throws_it_off() -> None:
    """0.4, 1.6: the receiver comes back again and again, with fix 6, far off."""
    worst, backs = 0.0, 0
    for seed in (1, 2, 3):
        b = bench(GPS2, Feed(noise_m=1.0), seed=seed)
        b.cruise()
        b.set(SIM_GPS1_JAM=1)
        flown = b.run(45.0)
        worst = max(worst, max(m.error_m for m in flown))
        backs += sum(on_companion(a) and not on_companion(c) for a, c in pairwise(flown))
    assert worst > 500.0
    assert backs > 10


def test_a_jammed_receiver_deselected_at_once_does_no_harm() -> None:
    """1.6: GPS_AUTO_SWITCH 0 with GPS_PRIMARY 1 at 1.5 s: 3.5 m at most; and back, clean."""
    b = cruising(GPS2, Feed(noise_m=1.0))
    b.set(SIM_GPS1_JAM=1)
    flown = b.run(0.9)  # the first second of a jam is without signal
    b.set(GPS_AUTO_SWITCH=0, GPS_PRIMARY=1)
    flown += b.run(60.0)
    assert max(m.error_m for m in flown) < 6.0
    b.set(SIM_GPS1_JAM=0)
    b.run(1.0)
    b.set(GPS_AUTO_SWITCH=1, GPS_PRIMARY=0)
    flown = b.run(5.0)
    assert flown[-1].error_m < 1.0 and flown[-1].primary == 0
    assert not any(is_land(m) for m in flown)


def test_what_a_receiver_without_fix_reports() -> None:
    """Section 2: fix 1, 3 satellites; accuracy and eph stay at good old values."""
    b = bench()
    b.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 24, 2e5)
    b.run(8.0)
    good = b.of("GPS_RAW_INT")[-1]
    assert (good.fix_type, good.satellites_visible, good.eph, good.h_acc) == (6, 10, 121, 300)
    b.set(SIM_GPS1_ENABLE=0)
    b.run(0.4)
    bad = b.of("GPS_RAW_INT")[-1]
    assert (bad.fix_type, bad.satellites_visible, bad.eph, bad.h_acc) == (1, 3, 121, 300)


@pytest.mark.parametrize(("step_m", "variance"), [(20.0, 5.3), (50.0, 13.0), (500.0, 134.0)])
def test_a_glitch_of_the_receiver(step_m: float, variance: float) -> None:
    """Section 2: degrees; text and flag at 1.4 s, the variance, all followed after 10 s."""
    b = cruising()
    b.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 193, 1e5)
    b.set(SIM_GPS1_GLTCH_X=step_m / 111_170.0)
    flown = b.run(13.0)
    assert 0.8 < first(flown, lambda m: m.flags == 0x833F) < 1.7
    told = [m.pos_horiz_variance for m in b.of("EKF_STATUS_REPORT")]
    assert max(told) == pytest.approx(variance, rel=0.2)
    assert 9.0 < first(flown, lambda m: m.error_m > step_m * 0.8) < 11.0
    assert "GPS Glitch or Compass error" in b.texts
    assert not any(is_land(m) for m in flown)
    b.run(9.0)
    assert "Glitch cleared" in b.texts


def test_a_slow_drift_is_followed_without_a_word() -> None:
    """0.5, section 2: 2 m/s."""
    b = cruising()
    for k in range(50):
        b.set(SIM_GPS1_GLTCH_Y=2.0 * 0.5 * k / (111_320.0 * math.cos(math.radians(HOME.lat_deg))))
        flown = b.run(0.5)
    assert flown[-1].error_m > 40.0
    assert flown[-1].flags == 0x33F and b.texts == []


@pytest.mark.parametrize(("name", "value", "field"), [
    ("SIM_GPS1_NUMSATS", 4, "satellites_visible"), ("SIM_GPS1_ACC", 20, "h_acc"),
])  # fmt: skip
def test_fewer_satellites_or_worse_accuracy_move_nothing(
    name: str, value: float, field: str
) -> None:
    """Section 2."""
    b = cruising()
    b.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 24, 2e5)
    b.set(**{name: value})
    flown = b.run(10.0)
    assert max(m.error_m for m in flown) < 3.0 and b.texts == []
    assert getattr(b.of("GPS_RAW_INT")[-1], field) == value * (1000 if field == "h_acc" else 1)


def vision(b: Bench, sigma_m: float = 2.0, off_m: float = 0.0, counter: int = 0) -> Any:
    covariance = [math.nan] * 21
    for k in (0, 6, 11):
        covariance[k] = math.sqrt(sigma_m**3 / 3)

    def message(t: float) -> Any:
        _, n, e, u, *_ = b.truth_at(t - 0.01)
        return mavlink.MAVLink_vision_position_estimate_message(
            0, n, e + off_m, -u, 0.0, 0.0, 0.0, covariance, counter
        )

    return message


def with_vision() -> Bench:
    b = bench(VISION)
    b.vision = vision(b)
    b.cruise()
    return b


def test_source_set_2_takes_vision() -> None:
    """3.2: switched 1.5 s after the loss: no event, small error."""
    b = with_vision()
    b.set(SIM_GPS1_ENABLE=0)
    b.run(1.5)
    assert b.command(SOURCE_SET, 2) == 0
    flown = b.run(25.0)
    assert rms_m(flown) < 1.5 and not any(is_land(m) for m in flown) and b.texts == []


def test_nothing_switches_to_vision_by_itself() -> None:
    """3.2: no command: LAND at 8.2 s; silent vision: LAND 8 s after it stopped."""
    b = with_vision()
    b.set(SIM_GPS1_ENABLE=0)
    assert 7.8 < first(b.run(10.0), is_land) < 8.5
    b = with_vision()
    b.command(SOURCE_SET, 2)
    b.run(2.0)
    b.vision = None
    assert 7.5 < first(b.run(10.0), is_land) < 8.5


def test_a_bumped_reset_counter_is_believed_at_once() -> None:
    """3.2: a step of 50 m is rejected 7 s, accepted at once with the counter bumped."""
    b = with_vision()
    b.command(SOURCE_SET, 2)
    b.run(3.0)
    b.vision = vision(b, off_m=50.0)
    assert 6.5 < first(b.run(9.0), lambda m: m.error_m > 40.0) < 7.6
    b.vision = vision(b, counter=1)
    assert first(b.run(2.0), lambda m: m.error_m < 2.0) < 0.3


def test_switching_sources_resets_without_a_gate() -> None:
    """3.2: spoofed 60 m, then set 2: back to the truth; and with set 1 to the receiver."""
    b = with_vision()
    b.set(SIM_GPS1_GLTCH_X=60.0 / 111_170.0)
    b.run(14.0)
    b.command(SOURCE_SET, 2)
    assert first(b.run(2.0), lambda m: m.error_m < 2.0) < 0.4
    b.set(SIM_GPS1_GLTCH_X=0.0)
    b.run(0.5)
    b.command(SOURCE_SET, 1)
    assert b.run(1.0)[-1].error_m < 1.0


def test_covariance_is_read_as_the_cube_root_of_squares() -> None:
    """3.1: a plain variance of 25 is taken as 12.3 m."""
    b = bench(VISION)
    taken = []
    b.double.autopilot.aiding.hear_vision = lambda _, r: taken.append(r.sigma_m)  # type: ignore[method-assign]
    b.run(0.2)
    for value in (25.0, math.sqrt(5.0**3 / 3)):
        covariance = [value if k in (0, 6, 11) else math.nan for k in range(21)]
        b.links[1].mav.vision_position_estimate_send(0, 0, 0, 0, 0, 0, 0, covariance, 0)
        b.run(0.1)
    assert taken == pytest.approx([12.33, 5.0], abs=0.05)


def test_odometry_of_other_frames_is_dropped() -> None:
    """3.1: LOCAL_FRD and BODY_FRD only."""
    b = bench(VISION)
    q, covariance = [1.0, 0.0, 0.0, 0.0], [math.nan] * 21
    for frames, heard in (((20, 12), True), ((1, 12), False), ((20, 8), False)):
        b.run(1.0)
        b.links[1].mav.odometry_send(
            0, *frames, 0, 0, 0, q, 0, 0, 0, 0, 0, 0, covariance, covariance
        )
        b.run(0.1)
        assert b.double.autopilot.vision_healthy == heard


def test_vision_must_be_fresh_to_arm() -> None:
    """3.1: younger than 0.3 s."""
    b = bench(VISION)
    b.run(READY_S)
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4
    assert any("VisOdom: not healthy" in text for text in b.texts)
    b.vision = vision(b)
    b.run(1.0)
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, b.texts


def test_without_any_gnss_the_origin_must_be_told_after_the_start() -> None:
    """3.1: sent too early it is lost without notice."""
    b = bench({**VISION, "GPS1_TYPE": 0.0, "EK3_SRC1_POSXY": 6.0, "EK3_SRC1_VELXY": 0.0})
    b.vision = vision(b)
    origin = (1, round(HOME.lat_deg * 1e7), round(HOME.lon_deg * 1e7), 420_000)
    b.run(5.0)
    b.links[0].mav.set_gps_global_origin_send(*origin)
    b.run(READY_S)
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 4
    assert any("waiting for home" in text for text in b.texts)
    b.links[0].mav.set_gps_global_origin_send(*origin)
    b.run(1.0)
    assert b.command(mavlink.MAV_CMD_REQUEST_MESSAGE, 49) == 0
    assert b.of("GPS_GLOBAL_ORIGIN")[-1].latitude == origin[1]
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, b.texts


def external(b: Bench, north_m: float, z: float = math.nan, frame: int = 0) -> int:
    lat = HOME.lat_deg + math.degrees(north_m / 6.3674e6)
    b.heard.clear()
    b.links[1].mav.command_int_send(
        1, 1, frame, 43003, 0, 0, 1.0, 0.0, 3.0, 0.0, round(lat * 1e7), round(HOME.lon_deg * 1e7), z
    )
    b.run(0.05)
    return int(b.of("COMMAND_ACK")[-1].result)


def test_external_position_is_refused_while_gnss_is_fused() -> None:
    """Section 4: COMMAND_INT, frame GLOBAL, z NaN; a reset without a gate."""
    b = cruising()
    assert external(b, 0.0) == 4
    b.set(SIM_GPS1_ENABLE=0)
    b.run(2.0)
    assert external(b, 0.0, z=100.0) == 2
    assert external(b, 0.0, frame=3) == 2
    at = b.double.body.north_m
    assert external(b, at + 40.0) == 0
    assert b.run(0.05)[-1].error_m == pytest.approx(40.0, abs=5.0)


def test_a_plane_dead_reckons_and_takes_external_positions() -> None:
    """Section 4: flags 0x12f, no failsafe, 20 m of drift in 120 s; with fixes a few metres."""
    b = bench(plane=True)
    b.run(READY_S)
    b.command(mavlink.MAV_CMD_DO_SET_MODE, 1, 15)
    assert b.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, b.texts
    assert b.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 80) == 0
    b.run(40.0)
    assert b.double.body.up_m > 70.0
    b.set(SIM_GPS1_ENABLE=0)
    flown = b.run(120.0)
    assert flown[-1].flags == 0x12F
    assert 8.0 < flown[-1].error_m < 45.0
    assert external(b, b.double.body.north_m) == 0


def test_signing() -> None:
    """Section 6: unsigned GPS_INPUT is ignored on SERIAL1, still taken on SERIAL0; a right key
    is taken; everything it sends is signed; an all-zero key switches it off."""
    key = list(range(32))
    b = bench(GPS2, Feed())
    b.run(8.0)
    assert b.double.autopilot.receivers[1].fix_type == 3
    b.links[0].mav.setup_signing_send(1, 1, key, 10**12)
    b.run(6.0)
    assert b.double.autopilot.receivers[1].fix_type == 1
    beat = [m for m in b.of("HEARTBEAT") if m.get_srcComponent() == 1][-1]
    assert beat.get_header().incompat_flags & 1
    for wrong, heard in ((bytes(32), False), (bytes(key), True)):
        b.links[1].setup_signing(wrong, sign_outgoing=True, initial_timestamp=10**12 + 10)
        b.run(1.0)
        assert (b.double.autopilot.receivers[1].fix_type == 3) == heard
    b.links[1].disable_signing()
    b.links[0].mav.setup_signing_send(1, 1, [0] * 32, 0)
    b.run(1.0)
    assert b.double.autopilot.receivers[1].fix_type == 3


def test_guided_needs_a_position() -> None:
    b = cruising()
    b.set(SIM_GPS1_ENABLE=0)
    b.run(10.0)
    assert b.command(mavlink.MAV_CMD_DO_SET_MODE, 1, GUIDED) == 4
    assert any("requires position" in text for text in b.texts)
