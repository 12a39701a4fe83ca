"""Each output field by field: golden bytes, what it leaves out, and any estimate at all."""

import functools
import math
import operator
from dataclasses import replace
from typing import Any

import numpy as np
import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.errors import InputError
from onboard.messages import Estimate
from onboard.outputs import global_position as global_position_file
from onboard.outputs.external_position import external_position
from onboard.outputs.global_position import global_position
from onboard.outputs.gps_input import (
    IGNORE_ALT,
    IGNORE_SPEED_ACCURACY,
    IGNORE_VEL_HORIZ,
    IGNORE_VEL_VERT,
    IGNORE_VERTICAL_ACCURACY,
    gps_input,
)
from onboard.outputs.heartbeat import heartbeat
from onboard.outputs.local_frame import missing
from onboard.outputs.moment import Moment, is_sound, is_trusted
from onboard.outputs.nmea import nmea
from onboard.outputs.odometry import odometry
from onboard.outputs.status_text import status_text
from onboard.outputs.vision_position import vision_position
from onboard.reasons import Mode
from onboard.telemetry_messages import Attitude, LocalOrigin, VehicleState
from tests.onboard.flights import GOOD

SECOND = 1_000_000_000
VELOCITY_FLAGS = IGNORE_VEL_HORIZ | IGNORE_SPEED_ACCURACY
ARDUPILOT = VehicleState(5 * SECOND, "ardupilot", "copter", True, "AUTO")
PX4 = replace(ARDUPILOT, autopilot="px4")
UNIX_NS = 1_730_282_716 * SECOND  # 2024-10-30T10:05:16Z, a Wednesday
MOMENT = Moment(
    5 * SECOND,
    GOOD,
    offered=True,
    attitude=Attitude(5 * SECOND - 20_000_000, 0.1, -0.05, 1.2),
    origin=LocalOrigin(0, 47.12, -8.77, 500.0),
    vehicle=ARDUPILOT,
    reset_counter=7,
    utc_minus_clock_ns=UNIX_NS - 5 * SECOND,
)
UNOFFERED = replace(MOMENT, offered=False)
WITHOUT_VELOCITY = replace(MOMENT, estimate=replace(GOOD, velocity_sigma_m_s=None))


def packed(message: Any) -> str:
    """The payload as it travels: without frame, trailing zeros cut."""
    frame = message.pack(mavlink.MAVLink(None, 1, 197))
    return frame[10:-2].hex()


def decoded(message: Any) -> Any:
    """As an autopilot reads it."""
    parser = mavlink.MAVLink(None, 1, 197)
    (back,) = parser.parse_buffer(message.pack(mavlink.MAVLink(None, 1, 197)))
    return back


GOLDEN = {
    "gps_input": (
        gps_input,
        MOMENT,
        "404b4c0000000000b07d9d110778161c4f80c6fa000000440000803f0000803f00004040000080c0"
        "000000009a99193f0000a0400000804010002209010306",
    ),
    "gps_input_none": (
        gps_input,
        Moment(5 * SECOND),
        "404b4c000000000000000000000000000000000000000000e1fac742e1fac7420000000000000000"
        "0000000000000000003c1c4600000000b90000000101",
    ),
    "odometry_ardupilot": (
        odometry,
        MOMENT,
        "404b4c00000000006f25c0432c50ad43000040c17cc6523f8aa5623d793cf93b3196103f6dd128c0"
        "d3c186c0c1200e3f0000c07f0000c07f0000c07f3acd934000000000000000000000000000000000"
        "000000003acd9340000000000000000000000000000000003acd9340000000000000000000000000"
        "86c04d40000000000000000086c04d400000000086c04d40aef9bc3e1c99943cc720393e00000000"
        "00000000000000002ed9ca3e64aab83e0000000000000000000000001f1a7d400000000000000000"
        "00000000000000000000000000000000000000000000000000000000140c07024b",
    ),
    "odometry_px4": (
        odometry,
        replace(MOMENT, vehicle=PX4),
        "404b4c00000000006f25c0432c50ad43000040c17cc6523f8aa5623d793cf93b3196103f6dd128c0"
        "d3c186c0c1200e3f0000c07f0000c07f0000c07f0000804100000000000000000000000000000000"
        "00000000000010410000000000000000000000000000000000008041000000000000000000000000"
        "e6e91d410000000000000000e6e91d4100000000e6e91d41aef9bc3e1c99943cc720393e00000000"
        "00000000000000002ed9ca3e64aab83e0000000000000000000000001f1a7d400000000000000000"
        "00000000000000000000000000000000000000000000000000000000140c07024b",
    ),
    "vision_position": (
        vision_position,
        MOMENT,
        "404b4c00000000006f25c0432c50ad43000040c1cdcccc3dcdcc4cbd9a99993f3acd934000000000"
        "000000000000000000000000000000003acd9340000000000000000000000000000000003acd9340"
        "00000000000000000000000086c04d40000000000000000086c04d400000000086c04d4007",
    ),
    "global_position": (
        global_position,
        MOMENT,
        "404b4c0000000000000000000778161c4f80c6fa0000c07f000000440000a0400000804000000102",
    ),
    "external_position": (
        external_position,
        MOMENT,
        "0000a04000000000000080400000c07f0778161c4f80c6fa0000c07ffba70001",
    ),
    "heartbeat": (lambda _: heartbeat(True), MOMENT, "000000001208000403"),
    "status_text": (
        lambda _: status_text(4, "Pilotage: no fix"),
        MOMENT,
        "0450696c6f746167653a206e6f20666978",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_bytes(name: str) -> None:
    make, moment, golden = GOLDEN[name]
    assert packed(make(moment)) == golden


def test_golden_sentences() -> None:
    assert nmea(MOMENT) == (
        b"$GNGGA,100516.00,4707.40740,N,00845.92593,W,1,00,1.0,512.0,M,,,,*39\r\n"
        b"$GNRMC,100516.00,A,4707.40740,N,00845.92593,W,9.72,306.9,301024,,,A*6B\r\n"
        b"$GNGST,100516.00,5.0,4.0,3.0,0.0,4.0,3.0,4.0*4B\r\n"
    )


# --- GPS_INPUT


def test_gps_input_in_the_messages_units() -> None:
    m = gps_input(MOMENT)
    assert (m.lat, m.lon) == (471234567, -87654321)
    assert (m.fix_type, m.gps_id, m.time_usec) == (3, 1, 5_000_000)
    assert m.horiz_accuracy == 5.0  # sqrt(9 + 16)
    assert (m.alt, m.vert_accuracy) == (512.0, 4.0)
    assert (m.vn, m.ve, m.vd, m.speed_accuracy) == (3.0, -4.0, 0.0, 0.6)
    assert m.ignore_flags == IGNORE_VEL_VERT
    assert m.satellites_visible >= 6 and m.hdop <= 2.5  # or ArduPilot would not arm
    assert m.yaw == 0
    assert m.time_week == 2338
    assert m.time_week_ms == (3 * 86400 + 10 * 3600 + 5 * 60 + 34) * 1000


def test_gps_input_without_an_estimate_is_no_fix() -> None:
    m = gps_input(Moment(SECOND))
    assert (m.fix_type, m.satellites_visible, m.lat, m.lon) == (1, 0, 0, 0)
    assert m.horiz_accuracy > 1000.0
    assert m.ignore_flags & VELOCITY_FLAGS == VELOCITY_FLAGS
    assert m.ignore_flags & IGNORE_ALT
    assert (m.time_week, m.time_week_ms) == (0, 0)


def test_gps_input_that_is_not_offered_is_no_fix() -> None:
    m = gps_input(UNOFFERED)
    assert (m.fix_type, m.satellites_visible) == (1, 0)
    assert m.ignore_flags & VELOCITY_FLAGS == VELOCITY_FLAGS
    assert (m.vn, m.ve) == (0.0, 0.0)


@pytest.mark.parametrize("sigma", [None, 0.05, 1.5, math.nan, -1.0])
def test_gps_input_velocity_only_when_measured_well(sigma: float | None) -> None:
    m = gps_input(replace(MOMENT, estimate=replace(GOOD, velocity_sigma_m_s=sigma)))
    given_it = sigma == 0.05
    assert (m.ignore_flags & VELOCITY_FLAGS == 0) is given_it
    assert (m.speed_accuracy >= 0.3) is given_it
    assert (m.vn != 0.0) is given_it


@pytest.mark.parametrize("amsl_m", [None, 1e39, math.nan, -math.inf])
def test_gps_input_unknown_altitude_is_ignored_not_zero(amsl_m: float | None) -> None:
    m = gps_input(replace(MOMENT, estimate=replace(GOOD, amsl_m=amsl_m)))
    assert (m.fix_type, m.alt) == (3, 0.0)
    assert m.ignore_flags & IGNORE_ALT and m.ignore_flags & IGNORE_VERTICAL_ACCURACY


# --- the local frame


def test_local_positions_are_north_east_down_of_the_origin() -> None:
    for message in (odometry(MOMENT), vision_position(MOMENT)):
        assert message.x == pytest.approx(0.0034567 * 111_184.0, rel=1e-3)  # m a degree there
        assert message.y == pytest.approx(0.0045679 * 75_900.0, rel=1e-3)
        assert message.z == -12.0
        assert message.reset_counter == 7


@pytest.mark.parametrize("make", [odometry, vision_position])
def test_ardupilot_reads_the_sigma_of_the_worst_axis(make: Any) -> None:
    """Facts 3.1: the cube root of the sum of the squares of entries 0, 6, 11."""
    c = (
        decoded(make(MOMENT)).pose_covariance
        if make is odometry
        else decoded(make(MOMENT)).covariance
    )
    read = (c[0] ** 2 + c[6] ** 2 + c[11] ** 2) ** (1 / 3)
    assert read == pytest.approx(4.0)  # sqrt of the larger of 9 and 16
    angle = (c[15] ** 2 + c[18] ** 2 + c[20] ** 2) ** (1 / 3)
    assert angle > 1.5  # the most that ArduPilot takes


@pytest.mark.parametrize("make", [odometry, vision_position])
def test_px4_reads_variances(make: Any) -> None:
    moment = replace(MOMENT, vehicle=PX4)
    message = make(moment)
    c = message.pose_covariance if make is odometry else message.covariance
    assert (c[0], c[6], c[11]) == (16.0, 9.0, 16.0)  # north, east, down
    assert len(c) == 21


def test_odometry_velocity_in_body_axes() -> None:
    m = odometry(MOMENT)
    assert math.hypot(m.vx, m.vy, m.vz) == pytest.approx(5.0)
    level = replace(MOMENT, attitude=Attitude(5 * SECOND, 0.0, 0.0, math.pi / 2))
    m = odometry(level)  # nose east: north is left
    assert (m.vx, m.vy, m.vz) == pytest.approx((-4.0, -3.0, 0.0))
    assert m.q == pytest.approx([math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)])
    c = odometry(replace(level, vehicle=PX4)).velocity_covariance
    assert (c[0], c[6]) == pytest.approx((0.36, 0.36))


def test_odometry_without_a_measured_velocity() -> None:
    """PX4 leaves NaN out; ArduPilot would compute with it."""
    m = odometry(replace(WITHOUT_VELOCITY, vehicle=PX4))
    assert all(math.isnan(v) for v in (m.vx, m.vy, m.vz, m.velocity_covariance[0]))
    m = odometry(WITHOUT_VELOCITY)
    assert all(math.isfinite(v) for v in (m.vx, m.vy, m.vz))


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"vehicle": None}, "heartbeat"),
        ({"origin": None}, "origin"),
        ({"attitude": None}, "attitude"),
        ({"attitude": Attitude(4 * SECOND, 0.0, 0.0, 0.0)}, "attitude"),
        ({"estimate": replace(GOOD, amsl_m=None)}, "height"),
        ({"estimate": None}, "height"),
    ],
)
@pytest.mark.parametrize("make", [odometry, vision_position])
def test_nothing_local_without(make: Any, changes: dict, lacking: str) -> None:
    moment = replace(MOMENT, **changes)
    assert make(moment) is None
    assert lacking in (missing(moment) or "")
    assert missing(MOMENT) is None


def test_too_far_for_a_flat_frame() -> None:
    far = replace(MOMENT, origin=LocalOrigin(0, 40.0, -8.77, 500.0))
    assert odometry(far) is None


def test_quality_falls_with_the_accuracy() -> None:
    qualities = [
        odometry(replace(MOMENT, estimate=replace(GOOD, covariance=np.eye(2) * s**2))).quality
        for s in (0.1, 3.0, 8.0, 14.0)
    ]
    assert qualities == sorted(qualities, reverse=True)
    assert all(1 <= q <= 100 for q in qualities)


# --- the others


def test_global_position() -> None:
    m = global_position(MOMENT)
    assert (m.lat, m.lon, m.time_usec, m.source, m.processing_time) == (
        471234567,
        -87654321,
        5_000_000,
        mavlink.GLOBAL_POSITION_SRC_VISION,
        0,
    )
    assert (m.eph, m.epv, m.alt) == (5.0, 4.0, 512.0)
    assert math.isnan(m.alt_ellipsoid)
    m = global_position(replace(MOMENT, estimate=replace(GOOD, amsl_m=None)))
    assert math.isnan(m.alt) and math.isnan(m.epv)


def test_a_pymavlink_without_global_position_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mavlink, "MAVLink_global_position_sensor_message")
    with pytest.raises(InputError, match="upgrade it with: pip install"):
        global_position_file.require_dialect()


def test_external_position_follows_ardupilots_rules() -> None:
    m = external_position(replace(MOMENT, now_ns=1003 * SECOND + SECOND // 4))
    assert (m.command, m.frame) == (43003, mavlink.MAV_FRAME_GLOBAL)
    assert math.isnan(m.z)
    assert (m.param1, m.param2, m.param3) == (3.25, 0.0, 4.0)  # 1003.25 s wraps at 250
    assert (m.x, m.y) == (471234567, -87654321)


@pytest.mark.parametrize("make", [odometry, vision_position, global_position, external_position])
def test_what_is_not_offered_is_not_sent(make: Any) -> None:
    assert make(MOMENT) is not None
    assert make(UNOFFERED) is None


def sentences(moment: Moment) -> dict[str, Any]:
    lines = nmea(moment).decode("ascii").split("\r\n")
    assert lines.pop() == ""
    for line in lines:
        body, _, said = line[1:].partition("*")
        assert f"{functools.reduce(operator.xor, body.encode()):02X}" == said
        assert len(line) <= 82 - 2 + 12  # 82 with CR LF, but for GST's many decimals
    return {m.sentence_type: m for m in map(pynmea2.parse, lines)}


def test_nmea_says_the_place_the_time_and_the_ellipse() -> None:
    said = sentences(MOMENT)
    gga, rmc, gst = said["GGA"], said["RMC"], said["GST"]
    for s in (gga, rmc):
        assert s.latitude == pytest.approx(GOOD.lat_deg, abs=1e-7)
        assert s.longitude == pytest.approx(GOOD.lon_deg, abs=1e-7)
    assert (gga.gps_qual, gga.altitude) == (1, 512.0)
    assert rmc.datetime.isoformat() == "2024-10-30T10:05:16+00:00"
    assert (rmc.status, rmc.mode_indicator) == ("A", "A")
    assert rmc.spd_over_grnd == pytest.approx(5.0 * 3600 / 1852, abs=0.01)
    assert rmc.true_course == pytest.approx(math.degrees(math.atan2(-4, 3)) % 360, abs=0.1)
    assert (gst.std_dev_latitude, gst.std_dev_longitude, gst.rms) == (4.0, 3.0, 5.0)
    assert (gst.std_dev_major, gst.std_dev_minor, gst.orientation) == (4.0, 3.0, 0.0)


def test_nmea_without_a_position_a_time_or_fresh_fixes() -> None:
    said = sentences(replace(UNOFFERED, utc_minus_clock_ns=None))
    assert (said["GGA"].gps_qual, said["GGA"].lat, said["RMC"].status) == (0, "", "V")
    assert said["GGA"].timestamp in ("", None)
    coasting = sentences(replace(MOMENT, estimate=replace(GOOD, mode=Mode.COASTING)))
    assert (coasting["GGA"].gps_qual, coasting["RMC"].mode_indicator) == (6, "E")


@pytest.mark.parametrize(
    ("deg", "field"),
    [(59.9999999999 / 60, "0100.00000"), (0.0, "0000.00000"), (89.99999999999, "9000.00000")],
)
def test_nmea_minutes_never_read_60(deg: float, field: str) -> None:
    said = nmea(replace(MOMENT, estimate=replace(GOOD, lat_deg=deg)))
    assert field.encode() in said


# --- anything at all

anything = st.floats(width=64)  # NaN and infinities among them
maybe = st.none() | anything


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    """Sound ones, and ones with any float anywhere."""
    wild = draw(st.booleans())
    lat = anything if wild else st.floats(-90, 90)
    lon = anything if wild else st.floats(-180, 180)
    speed = anything if wild else st.floats(-100, 100)
    if wild:
        covariance = np.array(draw(st.lists(anything, min_size=4, max_size=4))).reshape(2, 2)
    else:
        root = np.array(draw(st.lists(st.floats(-9, 9), min_size=4, max_size=4))).reshape(2, 2)
        covariance = root @ root.T
    return Estimate(
        0, draw(lat), draw(lon), draw(speed), draw(speed), covariance, draw(maybe),
        0.5, draw(st.sampled_from(Mode)), draw(maybe), draw(maybe), draw(maybe),
    )  # fmt: skip


angles = st.floats(-math.pi, math.pi)


@given(
    estimate=st.none() | estimates(),
    now_ns=st.integers(-(10**20), 10**21),
    angle=st.tuples(angles, angles, angles),
    origin=st.tuples(st.floats(-90, 90), st.floats(-180, 180), st.floats(-1e5, 1e5)),
    autopilot=st.sampled_from(["ardupilot", "px4", "other"]),
    utc=st.none() | st.integers(-(10**20), 10**20),
)
def test_whatever_the_estimate_messages_are_whole_and_none_lies(
    estimate: Estimate | None,
    now_ns: int,
    angle: tuple[float, float, float],
    origin: tuple[float, float, float],
    autopilot: str,
    utc: int | None,
) -> None:
    sound = estimate if estimate is not None and is_sound(estimate) else None
    moment = Moment(
        now_ns,
        sound,
        is_trusted(sound),
        Attitude(now_ns, *angle),
        LocalOrigin(0, *origin),
        replace(ARDUPILOT, autopilot=autopilot),
        200,
        utc,
    )
    gps = decoded(gps_input(moment))
    assert (gps.fix_type == 3) is is_trusted(estimate)
    assert abs(gps.lat) <= 900_000_000 and abs(gps.lon) <= 1_800_000_000
    assert all(
        math.isfinite(getattr(gps, f)) and getattr(gps, f) >= 0.0
        for f in ("hdop", "vdop", "speed_accuracy", "horiz_accuracy", "vert_accuracy")
    )
    assert all(math.isfinite(v) for v in (gps.alt, gps.vn, gps.ve, gps.vd))
    if gps.fix_type == 3:
        assert gps.horiz_accuracy <= 20.0
        if not gps.ignore_flags & IGNORE_SPEED_ACCURACY:
            assert 0.3 <= gps.speed_accuracy <= 1.0 + 1e-6
    for make in (odometry, vision_position, global_position, external_position):
        message = make(moment)
        assert message is None or moment.offered
        if message is not None:
            decoded(message)
    pose = odometry(moment)
    if pose is not None:
        assert all(math.isfinite(v) for v in (pose.x, pose.y, pose.z, *pose.q))
        assert sum(v * v for v in pose.q) == pytest.approx(1.0)
        assert 1 <= pose.quality <= 100
    sentences(moment)
