import math
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.telemetry_messages import AirData, Attitude, Gnss, Height
from tests.tools.logs.ulog_writer import HEADER, UlogWriter, small_ulog
from tools.logs.px4_ulog import read_ulog


def read(folder, data):
    path = folder / "flight.ulg"
    path.write_bytes(data)
    return read_ulog(path)


@pytest.mark.parametrize("old", [False, True])
def test_a_log_in_the_navigators_units(tmp_path, old):
    log = read(tmp_path, small_ulog(old))
    attitudes = [e for e in log.events if isinstance(e, Attitude)]
    assert len(attitudes) == 40 and attitudes[0].time_ns == 7_000_000_000
    assert (attitudes[0].roll, attitudes[0].pitch) == pytest.approx((0, 0), abs=1e-6)
    assert attitudes[0].yaw == pytest.approx(math.pi / 2)
    first, *later = (e for e in log.events if isinstance(e, Gnss))
    assert not first.has_fix and first.fix_type == 1
    last = later[-1]
    assert (last.lat_deg, last.lon_deg) == pytest.approx((47.2, 8.500507), abs=1e-7)
    assert last.amsl_m == pytest.approx(520.0) and last.sigma_m == pytest.approx(0.9)
    assert (last.velocity_north_m_s, last.velocity_east_m_s) == (0.0, 10.0)
    assert (last.velocity_sigma_m_s, last.satellites) == (pytest.approx(0.3), 14)
    by_source = {e.source: e for e in log.events if isinstance(e, Height)}
    assert by_source["home"].agl_m == 100.0 and by_source["home"].amsl_m == pytest.approx(520.0)
    assert by_source["rangefinder"].agl_m == 98.0
    air = next(e for e in log.events if isinstance(e, AirData))
    assert (air.airspeed_m_s, air.wind_north_m_s, air.wind_east_m_s) == (13.0, 3.0, -2.0)
    assert [t.time_ns for t in log.triggers] == [8 * 10**9, 9 * 10**9, 10 * 10**9]
    assert log.utc_minus_clock_ns == 1_700_000_000 * 10**9


def test_what_a_receiver_tells_wrongly_is_left_out(tmp_path):
    log = UlogWriter(("sensor_gps",))
    good = {"fix_type": 3, "latitude_deg": 47.2, "longitude_deg": 8.5, "eph": 1.0}
    for i, wrong in enumerate(
        (
            {},
            {"latitude_deg": math.nan},
            {"latitude_deg": 0.0, "longitude_deg": 0.0},
            {"longitude_deg": 300.0},
            {"eph": math.nan, "vel_n_m_s": math.inf, "vel_ned_valid": True},
        )
    ):
        log.add("sensor_gps", timestamp=1_000_000 * (i + 1), **{**good, **wrong})
    read_log = read(tmp_path, bytes(log.data))
    assert [(e.time_ns // 10**9, e.has_fix) for e in read_log.events] == [
        (1, True),
        (3, False),
        (5, True),
    ]
    assert read_log.events[2].sigma_m == 3.0 and read_log.events[2].velocity_north_m_s is None
    assert "2 messages with impossible numbers left out" in " ".join(read_log.notes)


def test_a_header_at_which_pyulog_goes_back_for_ever(tmp_path):
    """Of kind 0, and one byte longer than the rest; found by fuzzing."""
    endless = HEADER + bytes(8) + struct.pack("<HB", 21, 0) + bytes(20)
    with pytest.raises(InputError, match=r"flight\.ulg"):
        read(tmp_path, endless)
    half = small_ulog()[:9000]
    assert len(read(tmp_path, half + struct.pack("<HB", 21, 0) + bytes(20)).events) > 50


@pytest.mark.parametrize("data", [b"", b"ULog", b"no log" * 50, bytes(4000)])
def test_what_is_no_log_is_said_to_be_none(tmp_path, data):
    with pytest.raises(InputError, match=r"flight\.ulg"):
        read(tmp_path, data)


def test_topics_of_another_firmware_without_a_field(tmp_path):
    log = read(tmp_path, small_ulog().replace(b"float eph", b"float xph"))
    assert "its receiver is told in a way that is not known ('eph')" in " ".join(log.notes)
    assert not any(isinstance(e, Gnss) for e in log.events) and log.has_attitude
    writer = UlogWriter(("vehicle_attitude",))
    writer.add("vehicle_attitude", timestamp=1_000_000, q=(1.0, 0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="its attitude is told in a way"):
        read(tmp_path, bytes(writer.data).replace(b"[4] q;", b"[4] Q;"))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.floats(0.0, 1.0), flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255))))
def test_damage_makes_a_shorter_log_or_a_sentence(tmp_path, cut, flips):
    data = bytearray(small_ulog())
    del data[int(cut * len(data)) :]
    for where, bits in flips:
        if data:
            data[min(int(where * len(data)), len(data) - 1)] ^= bits
    try:
        log = read(tmp_path, bytes(data))
    except InputError:
        return
    assert log.events
