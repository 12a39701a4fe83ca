import math
import socket

import numpy as np
import pytest

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from onboard.camera import Camera
from onboard.geodesy import distance_m
from onboard.messages import Frame
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.gps_input_listener import GpsInputListener
from tools.simulated_flight import SimulatedFlight
from tools.simulated_vehicle import fly

ROUTE = ((100.0, 100.0), (400.0, 120.0), (380.0, 400.0), (120.0, 380.0))


@pytest.fixture(scope="module")
def flight() -> SimulatedFlight:
    place = Landscape(seed=2, size_m=500.0, gsd_m=0.5, style=1)
    return SimulatedFlight(
        landscape=place,
        epoch=Epoch(seed=3),
        camera=Camera(160, 120, horizontal_fov_deg=60.0),
        trajectory=fly(ROUTE, 8.0, start_ns=1_000_000_000, seed=4),
        altitude_m=float(place.terrain_m.max()) + 100.0,
        datum_m=400.0,
        gnss_lost_ns=5_000_000_000,
        frame_ns=2_000_000_000,
    )


def test_vehicle_follows_its_route_and_banks_into_turns() -> None:
    path = fly(ROUTE, 90.0, 0, seed=1)
    nearest = [np.hypot(path.east_m - e, path.north_m - n).min() for e, n in ROUTE]
    assert max(nearest) < 65.0
    speed = np.hypot(*path.velocity_m_s.T)
    assert speed.min() > 8.0 and speed.max() < 26.0
    turn_rate = np.gradient(path.yaw, 0.05)
    hard = np.abs(turn_rate) > 0.15
    assert hard.any()
    assert np.corrcoef(turn_rate, path.roll)[0, 1] > 0.6
    assert np.abs(path.roll).max() < math.radians(45)


def test_velocity_is_the_rate_of_position() -> None:
    path = fly(ROUTE, 20.0, 0, seed=1)
    rate = np.stack([np.diff(path.east_m), np.diff(path.north_m)], axis=1) / 0.05
    np.testing.assert_allclose(rate, path.velocity_m_s[:-1], atol=1e-6)


def test_events_come_in_time_order_and_gnss_ends(flight: SimulatedFlight) -> None:
    events = list(flight.events())
    times = [e.time_ns for e in events]
    assert times == sorted(times)
    frames = [e for e in events if isinstance(e, Frame)]
    assert [f.time_ns for f in frames] == flight.frame_times()
    assert all(f.image is not None and f.image.shape == (120, 160, 3) for f in frames)
    assert sum(isinstance(e, Attitude) for e in events) == 161
    for e in events:
        if isinstance(e, Gnss):
            assert e.has_fix == (e.time_ns < flight.gnss_lost_ns)


def test_sensors_are_near_the_truth_but_not_it(flight: SimulatedFlight) -> None:
    truth = flight.truth()
    off = []
    for e in flight.events():
        if isinstance(e, Gnss):
            at = truth.at(e.time_ns)
            assert at is not None
            off.append(distance_m(*at, e.lat_deg, e.lon_deg))
        if isinstance(e, Height):
            east, north, *_ = flight.trajectory.at(e.time_ns)
            agl_m = flight.altitude_m - flight.landscape.ground_m(east, north)
            assert e.agl_m == pytest.approx(agl_m, abs=8.0)
            assert e.amsl_m is not None and e.amsl_m > e.agl_m
    assert 0.2 < np.mean(off) < 4.0


def test_same_seed_same_flight(flight: SimulatedFlight) -> None:
    first, second = ([e for e in flight.events() if not isinstance(e, Frame)] for _ in range(2))
    assert first == second
    a, b = (flight.frame(3_000_000_000).image for _ in range(2))
    assert a is not None and b is not None
    np.testing.assert_array_equal(a, b)


def test_listener_counts_what_arrives_and_what_is_lost() -> None:
    from pymavlink.dialects.v20 import ardupilotmega as mavlink

    sender = mavlink.MAVLink(None, srcSystem=1, srcComponent=197)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener = GpsInputListener()
    host, port = listener.address.removeprefix("udpout:").split(":")
    fields = dict(
        time_usec=5, gps_id=1, ignore_flags=0, time_week_ms=0, time_week=0, fix_type=3,
        lat=470000000, lon=80000000, alt=1.0, hdop=1.0, vdop=1.0, vn=0.0, ve=0.0, vd=0.0,
        speed_accuracy=0.5, horiz_accuracy=2.0, vert_accuracy=3.0, satellites_visible=6,
    )  # fmt: skip
    with listener:
        for k in range(10):
            message = mavlink.MAVLink_gps_input_message(**fields)
            data = message.pack(sender)
            sender.seq = (sender.seq + 1) % 256
            if k != 4:
                out.sendto(data, (host, int(port)))
        out.sendto(b"not a message", (host, int(port)))
        beat = mavlink.MAVLink_heartbeat_message(18, 8, 0, 0, 4, 3)
        out.sendto(beat.pack(sender), (host, int(port)))
    out.close()
    got = listener.received
    assert len(got.positions) == 9
    assert got.lost == 1
    assert got.bad > 0
    assert got.heartbeats == 1
    assert got.heartbeat_sources == {(1, 197)}
    assert got.positions[0].lat == 470000000
