import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.outputs.gps_input import LEAP_SECONDS
from onboard.telemetry_messages import Attitude, Gnss, Height
from tests.tools.logs.dataflash_writer import DataflashWriter
from tools.logs.dataflash import read_dataflash

GPS_1980 = 315_964_800


def small_log() -> DataflashWriter:
    log = DataflashWriter()
    for i in range(20):
        us = 5_000_000 + i * 100_000
        log.add("ATT", TimeUS=us, Roll=-1.5, Pitch=2.0, Yaw=350.0)
        log.add("GPA", TimeUS=us, HAcc=0.8, SAcc=0.25)
        log.add(
            "GPS", TimeUS=us, Status=3 if i else 1, GMS=100_000 + 100 * i, GWk=2300, NSats=11,
            Lat=47.25, Lng=8.5 + i * 1e-5, Alt=520.0, Spd=10.0, GCrs=90.0,
        )  # fmt: skip
        log.add("POS", TimeUS=us, Lat=47.25, Lng=8.5, Alt=520.0, RelHomeAlt=100.0)
    log.add("RFND", TimeUS=7_100_000, Dist=98.0, Stat=4, Orient=25)
    log.add("RFND", TimeUS=7_200_000, Dist=3.0, Stat=4, Orient=0)  # looks forward
    log.add("RFND", TimeUS=7_300_000, Dist=0.0, Stat=2, Orient=25)  # out of range
    log.add("TRIG", TimeUS=6_000_000, Lat=47.25, Lng=8.5001)
    log.add("CAM", TimeUS=6_500_000, Lat=47.25, Lng=8.5002)
    return log


def test_a_log_in_the_navigators_units(tmp_path):
    log = read_dataflash(small_log().write(tmp_path / "flight.bin"))
    attitudes = [e for e in log.events if isinstance(e, Attitude)]
    assert len(attitudes) == 20
    assert attitudes[0].time_ns == 5_000_000_000
    assert math.degrees(attitudes[0].roll) == pytest.approx(-1.5)
    assert math.degrees(attitudes[0].yaw) == pytest.approx(350.0)
    first, *later = (e for e in log.events if isinstance(e, Gnss))
    assert not first.has_fix and first.fix_type == 1 and first.velocity_north_m_s is None
    assert all(e.has_fix and e.satellites == 11 for e in later)
    assert later[0].sigma_m == pytest.approx(0.8)
    assert later[0].velocity_sigma_m_s == pytest.approx(0.25)
    assert (later[0].velocity_north_m_s, later[0].velocity_east_m_s) == pytest.approx(
        (0, 10), abs=1e-6
    )
    assert (later[-1].lat_deg, later[-1].lon_deg) == pytest.approx((47.25, 8.50019), abs=1e-7)
    heights = [e for e in log.events if isinstance(e, Height)]
    assert [h.source for h in heights].count("rangefinder") == 1
    assert heights[0].agl_m == pytest.approx(100.0) and heights[0].amsl_m == pytest.approx(520.0)
    assert [t.time_ns for t in log.triggers] == [6_500_000_000]  # CAM counts, not TRIG
    unix_s = GPS_1980 + 2300 * 7 * 86_400 + 100.0 + 1.9 - LEAP_SECONDS
    assert log.utc_minus_clock_ns == pytest.approx((unix_s - 6.9) * 1e9, abs=2e6)
    assert [e.time_ns for e in log.events] == sorted(e.time_ns for e in log.events)
    assert log.track.at(6_000_000_000) == pytest.approx((47.25, 8.5001), abs=1e-6)


def test_of_several_starts_the_longest_flight_is_used(tmp_path):
    """Two logs in one file, as concatenated by hand; the second's clock begins anew."""
    log = DataflashWriter()
    for i in range(40):
        log.add("ATT", TimeUS=900_000_000 + i * 100_000, Yaw=10.0)
    for i in range(100):
        log.add("ATT", TimeUS=1_000_000 + i * 100_000, Yaw=20.0)
    got = read_dataflash(log.write(tmp_path / "flight.bin"))
    assert {round(math.degrees(e.yaw)) for e in got.events[20:]} == {20}
    assert got.end_ns == 10_900_000_000 and len(got.events) <= 100
    assert "started 2 times" in " ".join(got.notes)


def test_a_message_with_a_damaged_time_ends_nothing(tmp_path):
    log = DataflashWriter()
    for i in range(100):
        us = {50: 2**63, 60: 0, 70: 3_000_000_000}.get(i, 10_000_000 + i * 100_000)
        log.add("ATT", TimeUS=us, Yaw=10.0)
    got = read_dataflash(log.write(tmp_path / "flight.bin"))
    assert "times" not in " ".join(got.notes)
    assert len(got.events) >= 98
    assert sum(10e9 <= e.time_ns <= 20e9 for e in got.events) == 97


@pytest.mark.parametrize("content", [b"", b"\xa3", b"not a log at all" * 100, bytes(1000)])
def test_what_is_no_log_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "flight.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"flight\.bin"):
        read_dataflash(path)


def test_a_damaged_formats_own_bytes_stay_out_of_the_sentence(tmp_path):
    data = bytes(small_log().data).replace(b"QBBIHBcLLeffffB", b"Q\nBIHBcLLe\x1bfffB")
    path = tmp_path / "flight.bin"
    path.write_bytes(data)
    with pytest.raises(InputError) as refused:
        read_dataflash(path)
    assert str(refused.value).isprintable()


def test_a_missing_log(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        read_dataflash(tmp_path / "nowhere.bin")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.floats(0.0, 1.0),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=20),
)
def test_damage_makes_a_shorter_log_or_a_sentence(tmp_path, cut, flips):
    data = bytearray(small_log().data)
    del data[int(cut * len(data)) :]
    for where, bits in flips:
        if data:
            data[min(int(where * len(data)), len(data) - 1)] ^= bits
    path = tmp_path / "flight.bin"
    path.write_bytes(bytes(data))
    try:
        log = read_dataflash(path)
    except InputError:
        return
    assert log.events
