"""Messages into events: what each becomes, what none may become."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.decode import Decoder
from onboard.autopilot.framing import FrameSplitter
from onboard.autopilot.parameters import packed_value
from onboard.autopilot.signing import SigningMavlink
from onboard.autopilot.timesync import TimeSync
from onboard.messages import Event
from onboard.telemetry_messages import (
    AirData,
    Attitude,
    AutopilotPosition,
    CommandAck,
    EkfStatus,
    Gnss,
    GnssIntegrity,
    Height,
    LocalOrigin,
    ParameterValue,
    SensorHealth,
    VehicleState,
)

NAN, INF = float("nan"), float("inf")
BOOTED_NS = 1_000_000_000_000  # host time
NOW_MS = 50_000
NOW_NS = BOOTED_NS + NOW_MS * 1_000_000
ARRIVAL_NS = NOW_NS + 8_000_000


class Known:
    """A clock that is known exactly."""

    def host_ns_of_ms(self, boot_ms: int, arrival_ns: int) -> int | None:
        return self.host_ns(boot_ms * 1_000_000, arrival_ns)

    def host_ns(self, boot_ns: int, arrival_ns: int) -> int | None:
        return min(arrival_ns, BOOTED_NS + boot_ns)

    host_ns_of_past = host_ns


def message(kind: str, **values: Any) -> Any:
    """All fields 0 but those given."""
    cls = getattr(mavlink, f"MAVLink_{kind.lower()}_message")
    zeros = {
        name: b"" if field == "char" else 0 if length <= 1 else [0] * length
        for name, field, length in zip(
            cls.fieldnames, cls.fieldtypes, cls.array_lengths, strict=True
        )
    }
    return cls(**(zeros | values))


def decode(*messages: Any, own_receiver: int | None = None) -> list[Event]:
    """The events of the last one."""
    decoder = Decoder(Known(), own_receiver)
    events: list[Event] = []
    for each in messages:
        events = decoder.decode(each, ARRIVAL_NS)
    return events


def heartbeat(autopilot: int = 3, kind: int = 2, base_mode: int = 1, custom_mode: int = 0) -> Any:
    return message(
        "HEARTBEAT", type=kind, autopilot=autopilot, base_mode=base_mode, custom_mode=custom_mode
    )


def position(**values: Any) -> Any:
    told = {"lat": 472_000_000, "lon": 85_000_000, "alt": 520_000, "relative_alt": 100_000}
    return message("GLOBAL_POSITION_INT", time_boot_ms=NOW_MS, **(told | values))


def gps(kind: str = "GPS_RAW_INT", **values: Any) -> Any:
    told = {"fix_type": 3, "lat": 472_000_000, "lon": 85_000_000, "alt": 520_000, "h_acc": 1500}
    return message(kind, **(told | values))


def distance(**values: Any) -> Any:
    told = {"min_distance": 20, "max_distance": 12_000, "current_distance": 9_000}
    return message("DISTANCE_SENSOR", time_boot_ms=NOW_MS, **({"orientation": 25} | told | values))


def attitude(roll: float = 0.1, pitch: float = -0.2, yaw: float = 3.0) -> Any:
    return message("ATTITUDE", time_boot_ms=NOW_MS, roll=roll, pitch=pitch, yaw=yaw)


def test_attitude() -> None:
    assert decode(attitude()) == [Attitude(NOW_NS, 0.1, -0.2, 3.0)]
    for wrong in (NAN, INF, -INF, 7.0):
        assert decode(attitude(roll=wrong)) == []
        assert decode(attitude(yaw=wrong)) == []


def test_position_and_height() -> None:
    height, place = decode(position(vx=300, vy=-400, vz=50))
    assert height == Height(NOW_NS, 100.0, 520.0, 5.0, "home")
    assert isinstance(place, AutopilotPosition)
    assert (place.lat_deg, place.lon_deg) == pytest.approx((47.2, 8.5))
    assert (place.amsl_m, place.above_home_m) == (520.0, 100.0)
    velocity = (place.velocity_north_m_s, place.velocity_east_m_s, place.velocity_down_m_s)
    assert velocity == pytest.approx((3.0, -4.0, 0.5))


def test_a_position_not_known_is_none_but_the_height_is() -> None:
    assert decode(position(lat=0, lon=0)) == [Height(NOW_NS, 100.0, None, 5.0, "home")]
    assert [type(e) for e in decode(position(lat=910_000_000))] == [Height]
    assert decode(position(alt=2**31 - 1)) == []


def test_a_rangefinder_has_the_word_while_it_is_in_range_and_level() -> None:
    level = attitude(0.0, 0.0)
    (height,) = decode(level, position(), distance())
    assert height == Height(NOW_NS, 90.0, 520.0, 0.3 + 0.02 * 90.0, "rangefinder")
    assert [type(e) for e in decode(level, distance(), position())] == [AutopilotPosition]
    (tilted,) = decode(attitude(math.radians(20.0), 0.0), distance())
    assert isinstance(tilted, Height)
    assert tilted.agl_m == pytest.approx(90.0 * math.cos(math.radians(20.0)))
    assert decode(attitude(0.3, 0.4), distance()) == []
    for wrong in (
        {"current_distance": 12_000},
        {"current_distance": 20},
        {"current_distance": 0},
        {"orientation": 0},
        {"signal_quality": 1},
    ):
        assert decode(level, distance(**wrong)) == []
        assert len(decode(level, distance(**wrong), position())) == 2


def test_terrain_beats_home() -> None:
    terrain = {"spacing": 100, "terrain_height": 480.0, "current_height": 40.0}
    height, _ = decode(message("TERRAIN_REPORT", **terrain), position())
    assert height == Height(NOW_NS, 40.0, 520.0, 6.0, "terrain")
    for wrong in ({"pending": 3}, {"spacing": 0}, {"terrain_height": NAN}):
        height, _ = decode(message("TERRAIN_REPORT", **(terrain | wrong)), position())
        assert isinstance(height, Height) and height.source == "home"


def test_px4s_clearance() -> None:
    now_us = NOW_MS * 1000
    (height,) = decode(message("ALTITUDE", time_usec=now_us, bottom_clearance=33.0))
    assert height == Height(NOW_NS, 33.0, None, 1.0, "clearance")
    for none in (NAN, INF, -1.0, 0.0):
        assert decode(message("ALTITUDE", time_usec=now_us, bottom_clearance=none)) == []


def test_gnss() -> None:
    (gnss,) = decode(
        gps(time_usec=(NOW_MS - 100) * 1000, vel=1000, cog=9000, satellites_visible=11, vel_acc=300)
    )
    assert isinstance(gnss, Gnss)
    assert gnss.time_ns == NOW_NS - 100_000_000
    assert (gnss.lat_deg, gnss.lon_deg) == pytest.approx((47.2, 8.5))
    assert (gnss.has_fix, gnss.fix_type, gnss.receiver, gnss.satellites) == (True, 3, 0, 11)
    assert (gnss.sigma_m, gnss.amsl_m, gnss.velocity_sigma_m_s) == (1.5, 520.0, 0.3)
    assert gnss.velocity_north_m_s == pytest.approx(0.0, abs=1e-9)
    assert gnss.velocity_east_m_s == pytest.approx(10.0)


def test_gnss_without_a_fix_is_told_as_it_arrives() -> None:
    """ArduPilot's time_usec is that of the last fix."""
    (gnss,) = decode(gps(fix_type=1, time_usec=1000, satellites_visible=255))
    assert isinstance(gnss, Gnss)
    assert (gnss.time_ns, gnss.has_fix, gnss.satellites) == (ARRIVAL_NS, False, None)
    assert (gnss.lat_deg, gnss.lon_deg, gnss.velocity_east_m_s) == (0.0, 0.0, None)
    (nowhere,) = decode(gps(lat=0, lon=0))
    assert isinstance(nowhere, Gnss) and not nowhere.has_fix


@pytest.mark.parametrize("time_us", [0, 1, 1_800_000_000_000_000, 2**64 - 1])
def test_a_fix_with_a_time_that_says_nothing_belongs_to_its_arrival(time_us: int) -> None:
    (gnss,) = decode(gps(time_usec=time_us))
    assert gnss.time_ns == ARRIVAL_NS


def test_what_a_receiver_does_not_tell_is_none() -> None:
    (gnss,) = decode(gps(h_acc=0, vel=65535, cog=65535))
    assert isinstance(gnss, Gnss)
    assert (gnss.sigma_m, gnss.velocity_sigma_m_s) == (5.0, None)
    assert (gnss.velocity_north_m_s, gnss.velocity_east_m_s) == (None, None)
    (gnss,) = decode(gps(h_acc=2**32 - 1))
    assert isinstance(gnss, Gnss) and gnss.sigma_m == 5.0


def test_our_own_echo_is_left_out() -> None:
    assert decode(gps("GPS2_RAW"), own_receiver=1) == []
    assert len(decode(gps(), own_receiver=1)) == 1
    (second,) = decode(gps("GPS2_RAW"))
    assert isinstance(second, Gnss) and second.receiver == 1
    assert decode(gps(), own_receiver=0) == []


def test_estimator_states() -> None:
    ardupilot = message(
        "EKF_STATUS_REPORT",
        flags=0x833F,
        velocity_variance=0.1,
        pos_horiz_variance=1.35,
        pos_vert_variance=0.2,
    )
    px4 = message(
        "ESTIMATOR_STATUS", flags=0x33F, vel_ratio=0.5, pos_horiz_ratio=0.25, pos_vert_ratio=0.75
    )
    assert decode(ardupilot) == [EkfStatus(ARRIVAL_NS, 0x833F, 0.1, 1.35, 0.2)]
    assert decode(px4) == [EkfStatus(ARRIVAL_NS, 0x33F, 0.5, 0.25, 0.75)]
    assert decode(message("EKF_STATUS_REPORT", pos_horiz_variance=NAN)) == []


def test_sensor_health_and_integrity() -> None:
    status = message(
        "SYS_STATUS",
        onboard_control_sensors_present=0x20,
        onboard_control_sensors_enabled=0xFFFFFFFF,
        onboard_control_sensors_health=0xFFFFFFDF,
    )
    assert decode(status) == [SensorHealth(ARRIVAL_NS, True, True, False)]
    integrity = message("GNSS_INTEGRITY", id=1, jamming_state=3, spoofing_state=2)
    assert decode(integrity) == [GnssIntegrity(ARRIVAL_NS, 1, 3, 2)]


def test_air() -> None:
    hud, plane = message("VFR_HUD", airspeed=21.5), heartbeat(kind=1)
    assert decode(plane, hud) == [AirData(ARRIVAL_NS, airspeed_m_s=21.5)]
    assert decode(heartbeat(), hud) == decode(hud) == []  # a copter's is ground speed
    assert decode(plane, message("VFR_HUD", airspeed=NAN)) == []
    (wind,) = decode(message("WIND", direction=270.0, speed=8.0))  # from the west
    assert isinstance(wind, AirData)
    assert (wind.wind_north_m_s, wind.wind_east_m_s) == pytest.approx((0.0, 8.0), abs=1e-9)
    assert decode(message("WIND_COV", wind_x=1.0, wind_y=-2.0)) == [
        AirData(ARRIVAL_NS, wind_north_m_s=1.0, wind_east_m_s=-2.0)
    ]
    for wrong in (NAN, INF, 1e9):
        assert decode(message("WIND", speed=wrong)) == []
        assert decode(message("WIND", direction=wrong)) == []
        assert decode(message("WIND_COV", wind_x=wrong)) == []


@pytest.mark.parametrize(
    ("autopilot", "kind", "base", "custom", "said"),
    [
        (3, 2, 0x81, 5, ("ardupilot", "copter", True, "LOITER")),
        (3, 2, 0x01, 20, ("ardupilot", "copter", False, "GUIDED NOGPS")),
        (3, 1, 0x01, 5, ("ardupilot", "plane", False, "FBWA")),
        (3, 20, 0x01, 19, ("ardupilot", "plane", False, "QLOITER")),
        (3, 2, 0x01, 29, ("ardupilot", "copter", False, "mode 29")),
        (3, 10, 0x01, 4, ("ardupilot", "other", False, "mode 4")),
        (12, 2, 0x81, 4 << 16 | 4 << 24, ("px4", "copter", True, "MISSION")),
        (12, 2, 0x01, 3 << 16, ("px4", "copter", False, "POSCTL")),
        (12, 2, 0x01, 2**32 - 1, ("px4", "copter", False, "mode 255.255")),
        (0, 13, 0, 7, ("other", "copter", False, "mode 7")),
    ],
)
def test_vehicle_state(autopilot: int, kind: int, base: int, custom: int, said: Any) -> None:
    assert decode(heartbeat(autopilot, kind, base, custom)) == [VehicleState(ARRIVAL_NS, *said)]


def test_origin_parameter_and_acknowledgement() -> None:
    (origin,) = decode(
        message("GPS_GLOBAL_ORIGIN", latitude=472_000_000, longitude=85_000_000, altitude=420_100)
    )
    assert isinstance(origin, LocalOrigin)
    assert (origin.lat_deg, origin.lon_deg, origin.amsl_m) == pytest.approx((47.2, 8.5, 420.1))
    assert origin.set_within_s is None
    assert decode(message("GPS_GLOBAL_ORIGIN")) == []


def test_an_origin_is_no_older_than_the_autopilot() -> None:
    decoder = Decoder(Known())
    decoder.decode(message("ATTITUDE", time_boot_ms=7_200_500), 0)
    (origin,) = decoder.decode(
        message("GPS_GLOBAL_ORIGIN", latitude=472_000_000, longitude=85_000_000), 0
    )
    assert isinstance(origin, LocalOrigin) and origin.set_within_s == 7200.5
    value = message("PARAM_VALUE", param_id=b"GPS_PRIMARY", param_value=1.0, param_type=2)
    assert decode(value) == [ParameterValue(ARRIVAL_NS, "GPS_PRIMARY", 1.0, 2)]
    assert decode(message("PARAM_VALUE", param_id=b"A", param_value=NAN, param_type=9)) == []
    ack = message("COMMAND_ACK", command=511, result=2)
    assert decode(ack) == [CommandAck(ARRIVAL_NS, 511, 2)]


@pytest.mark.parametrize("number", [0, 7, -1, 2**24 + 1])
def test_px4s_integers_are_unpacked(number: int) -> None:
    packed = packed_value(number, 6)
    value = message("PARAM_VALUE", param_id=b"EKF2_GPS_CTRL", param_value=packed, param_type=6)
    (event,) = decode(heartbeat(autopilot=12), value)
    assert isinstance(event, ParameterValue) and event.value == number


def numbers(event: Event) -> list[float]:
    return [v for v in vars(event).values() if isinstance(v, float | int)]


KINDS = sorted(Decoder(Known())._decoders)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=60)), max_size=12),
    st.integers(0, 2**62),
)
def test_any_payload_gives_numbers_or_nothing(frames: list[tuple[str, bytes]], at_ns: int) -> None:
    decoder, parser = Decoder(TimeSync()), SigningMavlink(1, 1)
    for kind, payload in frames:
        cls = getattr(mavlink, f"MAVLink_{kind.lower()}_message")
        frame = cls._pack  # the encoder frames any payload
        blank = message(kind)
        data = frame(blank, parser, cls.crc_extra, payload.ljust(1, b"\0")[: cls.unpacker.size])
        (raw,) = FrameSplitter().split(bytes(data))
        for event in decoder.decode(parser.decode(raw.data), at_ns):
            assert all(map(math.isfinite, numbers(event)))
            assert event.time_ns <= at_ns


def test_decoding_is_quick() -> None:
    sender, parser, decoder = SigningMavlink(1, 1), SigningMavlink(1, 1), Decoder(TimeSync())
    data = b"".join(
        sender.packed(attitude() if i % 4 else gps(vel=100, cog=100)) for i in range(4000)
    )
    begin = time.process_time()
    events = [
        event
        for raw in FrameSplitter().split(data)
        for event in decoder.decode(parser.decode(raw.data), ARRIVAL_NS)
    ]
    each_us = (time.process_time() - begin) / 4000 * 1e6
    assert len(events) == 4000
    assert each_us < 250  # it takes some 40 on a quiet machine
    print(f"{each_us:.1f} us a message")
