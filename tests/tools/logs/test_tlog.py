import itertools
import os
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

os.environ["MAVLINK20"] = "1"
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.errors import InputError
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.logs.tlog import read_tlog

START_US = 1_700_000_000_000_000


def tlog(seconds: float = 4.0, reboot_s: float | None = None) -> bytes:
    """An autopilot's messages as a ground station writes them: microseconds, then the bytes."""
    speaker = mavlink.MAVLink(None, srcSystem=7, srcComponent=1)
    station = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
    data = bytearray()

    def add(at_s: float, message: mavlink.MAVLink_message, by: mavlink.MAVLink) -> None:
        data.extend(struct.pack(">Q", START_US + round(at_s * 1e6)) + message.pack(by))

    for i in range(round(seconds * 10)):
        at_s = i / 10
        boot_s = at_s + 100.0 if reboot_s is None or at_s < reboot_s else at_s - reboot_s
        ms = round(boot_s * 1000)
        if i % 10 == 0:
            kind, autopilot = mavlink.MAV_TYPE_QUADROTOR, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA
            add(at_s, mavlink.MAVLink_heartbeat_message(kind, autopilot, 0, 0, 4, 3), speaker)
            add(at_s, mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 4, 3), station)
            unix_us = START_US + 7_000_000 + round(at_s * 1e6)  # the recorder's is 7 s late
            add(at_s, mavlink.MAVLink_system_time_message(unix_us, ms), speaker)
        add(at_s, mavlink.MAVLink_attitude_message(ms, 0.1, -0.2, 1.0, 0, 0, 0), speaker)
        lat, lon = 472_000_000 + i, 85_000_000
        position = (ms, lat, lon, 520_000, 100_000, 0, 0, 0, 0)
        add(at_s, mavlink.MAVLink_global_position_int_message(*position), speaker)
        gps = (ms * 1000, 3, lat, lon, 520_000, 80, 90, 1000, 9000, 12, 0, 0, 900, 1500, 300)
        add(at_s, mavlink.MAVLink_gps_raw_int_message(*gps), speaker)
    feedback = (START_US + 9_000_000, 0, 0, 1, 472_000_000, 85_000_000, 520, 100, 0, 0, 0, 0, 0, 1)
    for _ in range(2):  # over two links
        add(seconds, mavlink.MAVLink_camera_feedback_message(*feedback), speaker)
    add(2.0, mavlink.MAVLink_camera_trigger_message(102_000_000, 1), speaker)
    return bytes(data)


def read(tmp_path, data):
    path = tmp_path / "flight.tlog"
    path.write_bytes(data)
    return read_tlog(path)


def test_a_log_in_the_navigators_units(tmp_path):
    log = read(tmp_path, tlog())
    attitudes = [e for e in log.events if isinstance(e, Attitude)]
    assert 35 <= len(attitudes) <= 40
    assert (attitudes[0].roll, attitudes[0].yaw) == pytest.approx((0.1, 1.0))
    steps = [b.time_ns - a.time_ns for a, b in itertools.pairwise(attitudes)]
    assert steps == pytest.approx([100_000_000] * len(steps), abs=2_000_000)
    heights = [e for e in log.events if isinstance(e, Height)]
    assert heights[-1].agl_m == pytest.approx(100.0)
    fixes = [e for e in log.events if isinstance(e, Gnss)]
    assert fixes[-1].has_fix and fixes[-1].satellites == 12
    assert abs(fixes[-1].time_ns - (START_US + 3_900_000) * 1000) < 200_000_000
    assert [t.time_ns for t in log.triggers] == pytest.approx([(START_US + 2e6) * 1000], abs=10e6)
    assert log.utc_minus_clock_ns == 0


def test_a_reboot_inside_the_log(tmp_path):
    log = read(tmp_path, tlog(12.0, reboot_s=5.0))
    times = [e.time_ns for e in log.events if isinstance(e, Attitude)]
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(11.9e9, abs=0.3e9)


@pytest.mark.parametrize("data", [b"", b"no log" * 50, bytes(4000)])
def test_what_is_no_log_is_said_to_be_none(tmp_path, data):
    with pytest.raises(InputError, match=r"flight\.tlog"):
        read(tmp_path, data)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0.0, 1.0), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255))))
def test_damage_makes_a_shorter_log_or_a_sentence(tmp_path, cut, flips):
    data = bytearray(tlog(2.0))
    del data[int(cut * len(data)) :]
    for where, bits in flips:
        if data:
            data[min(int(where * len(data)), len(data) - 1)] ^= bits
    try:
        log = read(tmp_path, bytes(data))
    except InputError:
        return
    assert log.events
