"""The double as a MAVLink partner: streams, parameters, missions, clock, boot. What it is held to
was asked of Copter 4.7.0-dev's SITL with the same script."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.errors import InputError
from tests.tools.sim.double_bench import AUTO, GUIDED, HOME, READY_S, Bench, Feed
from tools.sim.double import Double
from tools.sim.ground_station import GroundStation
from tools.sim.mission import mission_items
from tools.sim.scenario import Mission


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


@pytest.mark.parametrize("hz", [5, 10, 20, 50, 100])
def test_streams_come_at_exactly_the_rate_asked_for(bench: Bench, hz: int) -> None:
    for number in (30, 108):
        assert bench.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, number, 1e6 / hz) == 0
    bench.run(1.0)
    bench.heard.clear()
    bench.run(4.0)
    count = Counter(m.get_type() for m in bench.heard)
    assert count["ATTITUDE"] == pytest.approx(4 * hz, abs=1)
    assert count["SIM_STATE"] == pytest.approx(4 * hz, abs=1)
    assert count["HEARTBEAT"] == pytest.approx(8, abs=2)  # of two links
    bench.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 30, -1)
    bench.heard.clear()
    bench.run(1.0)
    assert not bench.of("ATTITUDE")


def test_streams_are_a_links_own(bench: Bench) -> None:
    bench.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 30, 1e5)
    bench.run(1.0)
    got = []
    while (m := bench.links[1].recv_match(blocking=False)) is not None:
        got.append(m.get_type())
    assert "ATTITUDE" not in got


def test_what_it_does_not_have_is_denied_with_a_text(bench: Bench) -> None:
    assert bench.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 441, 1e6) == 2
    assert "No ap_message for mavlink id (441)" in bench.texts
    assert bench.command(12345) == 3


def test_plane_says_yes_to_a_rate_that_it_does_not_send() -> None:
    """Section 5."""
    bench = Bench(plane=True)
    assert bench.command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 30, 1e6 / 50) == 0
    assert any("too fast" in text for text in bench.texts)
    bench.run(1.0)
    assert not bench.of("ATTITUDE")
    bench.close()


def test_timesync_both_ways(bench: Bench) -> None:
    """Section 5: answers with simulated ns since boot; asks by itself every 10 s."""
    bench.run(3.0)
    bench.links[1].mav.timesync_send(0, 123456789)
    bench.run(0.05)
    answer = bench.of("TIMESYNC")[-1]
    assert answer.ts1 == 123456789
    assert answer.tc1 == pytest.approx(bench.double.now_ns, abs=60_000_000)
    bench.heard.clear()
    bench.run(20.0)
    asked = [m for m in bench.of("TIMESYNC") if m.tc1 == 0]
    assert len(asked) == 4  # two, on two links


def test_parameters_by_name_by_list_and_unknown(bench: Bench) -> None:
    mav = bench.links[0].mav
    bench.set(GPS_PRIMARY=1, EK3_POSNE_M_NSE=0.7)
    for name in (b"GPS_PRIMARY", b"NO_SUCH"):
        mav.param_request_read_send(1, 1, name, -1)
    bench.run(0.05)
    value = bench.of("PARAM_VALUE")[-1]
    assert (value.param_id, value.param_value, value.param_type, value.param_index) == (
        "GPS_PRIMARY", 1.0, 2, 65535,
    )  # fmt: skip
    error = bench.of("PARAM_ERROR")[-1]
    assert (error.param_id, error.error) == ("NO_SUCH", 1)
    bench.heard.clear()
    mav.param_request_list_send(1, 1)
    bench.run(0.2)
    listed = {m.param_id: m for m in bench.of("PARAM_VALUE")}
    assert len(listed) == listed["GPS_PRIMARY"].param_count
    assert listed["EK3_POSNE_M_NSE"].param_value == pytest.approx(0.7)
    bench.set(GPS_PRIMARY=300.7)
    assert bench.of("PARAM_VALUE")[-1].param_value == 127.0
    bench.set(GPS_PRIMARY=math.nan)
    assert bench.of("PARAM_ERROR")[-1].error == 2


def test_a_burst_of_reads_overflows(bench: Bench) -> None:
    """As seen at the real one: of 110 at once some 30 were answered."""
    for _ in range(100):
        bench.links[0].mav.param_request_read_send(1, 1, b"GPS_PRIMARY", -1)
    bench.run(0.5)
    assert 20 <= len(bench.of("PARAM_VALUE")) < 90


def test_receiver_type_acts_after_a_boot_only(bench: Bench) -> None:
    bench.feed = Feed()
    bench.set(GPS2_TYPE=14)
    bench.run(3.0)
    assert bench.double.autopilot.receivers[1].reading is None
    before_ns = bench.double.now_ns
    assert bench.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 9) == 3
    bench.links[0].mav.command_long_send(1, 1, 246, 0, 1, 0, 0, 0, 0, 0, 0)
    bench.double.advance(0.05)
    with pytest.raises(ConnectionError):
        while True:  # the link is dead: whatever was in it, then its end
            if bench.links[0].port.recv(1 << 16) == b"":
                raise ConnectionError
    assert bench.double.now_ns < before_ns
    for link in bench.links:
        link.close()
    bench.links = [bench.connect(n, 255 if n == 0 else 1) for n in (0, 1)]
    bench._next_s, _ = 0.0, bench._truth.clear()
    bench.run(3.0)
    assert bench.double.autopilot.receivers[1].fix_type == 3


def test_armed_it_boots_only_when_forced(bench: Bench) -> None:
    bench.cruise()
    assert bench.command(mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 1) == 4
    bench.links[0].mav.command_long_send(1, 1, 246, 0, 1, 0, 0, 0, 0, 20190226, 0)
    bench.double.advance(0.05)
    assert bench.double.now_ns < 10**9 and not bench.double.autopilot.armed
    assert bench.double.body.on_ground


def test_another_ones_messages_are_passed_on(bench: Bench) -> None:
    bench.run(1.0)
    bench.heard.clear()
    bench.links[1].mav.statustext_send(6, b"from the companion")
    bench.run(0.1)
    said = [m for m in bench.of("STATUSTEXT") if m.text == "from the companion"]
    assert len(said) == 1 and said[0].get_srcComponent() == 197


def test_a_second_client_waits_for_the_first_to_go(bench: Bench) -> None:
    second = bench.connect(0, 254)
    bench.run(2.0)
    assert second.recv_match(blocking=False) is None
    bench.links[0].close()
    bench.double.advance(3.0)
    assert second.recv_match(type="HEARTBEAT", blocking=True, timeout=2.0) is not None
    second.close()


def test_the_same_messages_give_the_same_flight() -> None:
    ends = []
    for _ in range(2):
        bench = Bench(
            {"GPS2_TYPE": 14, "SIM_WIND_SPD": 4, "SIM_WIND_TURB": 1}, feed=Feed(noise_m=2)
        )
        bench.cruise()
        bench.set(SIM_GPS1_JAM=1)
        ends.append(bench.run(15.0)[-1])
        bench.close()
    assert ends[0] == ends[1]


def test_mission_is_flown_round_and_round(bench: Bench) -> None:
    """Uploaded by the simulation's own ground station's items; a leg in wind keeps its line."""
    mission = Mission(height_m=25.0, route_m=((0.0, 80.0), (80.0, 80.0), (80.0, 0.0)))
    items = mission_items(mission, (HOME.lat_deg, HOME.lon_deg), 1)
    bench.links[0].mav.mission_count_send(1, 1, len(items))
    for item in items:
        bench.run(0.05)
        assert bench.of("MISSION_REQUEST")[-1].seq == item.seq
        bench.links[0].mav.send(item)
    bench.run(0.05)
    assert bench.of("MISSION_ACK")[-1].type == 0
    bench.links[0].mav.mission_item_int_send(1, 1, 9, 6, 16, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    bench.run(0.05)
    assert bench.of("MISSION_ACK")[-1].type == mavlink.MAV_MISSION_ERROR
    bench.set(SIM_WIND_SPD=5, SIM_WIND_DIR=240)
    bench.run(READY_S)
    bench.command(mavlink.MAV_CMD_DO_SET_MODE, 1, GUIDED)
    assert bench.command(mavlink.MAV_CMD_COMPONENT_ARM_DISARM, 1) == 0, bench.texts
    bench.command(mavlink.MAV_CMD_NAV_TAKEOFF, 0, 0, 0, 0, 0, 0, 25)
    bench.run(14.0)
    bench.command(mavlink.MAV_CMD_DO_SET_MODE, 1, AUTO)
    places = []
    for _ in range(240):
        bench.run(0.5)
        places.append((bench.double.body.east_m, bench.double.body.north_m))
    for corner in mission.route_m:
        visits = [k for k, p in enumerate(places) if math.dist(p, corner) < 8.0]
        assert visits and visits[-1] - visits[0] > 20, corner  # twice
    reached = [m.seq for m in bench.of("MISSION_ITEM_REACHED")]
    assert reached.count(4) >= 2


def test_return_lands_at_home_and_disarms(bench: Bench) -> None:
    bench.cruise()
    bench.command(mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH)
    bench.run(90.0)
    body = bench.double.body
    assert body.on_ground and math.hypot(body.north_m, body.east_m) < 3.0
    assert not bench.double.autopilot.armed


def test_wind_displaces_what_has_no_position(bench: Bench) -> None:
    """In LAND without an estimate it drifts with the air."""
    bench.cruise()
    bench.set(SIM_WIND_SPD=6, SIM_WIND_DIR=270, SIM_GPS1_ENABLE=0)
    bench.run(20.0)
    assert bench.double.body.east_m_s > 2.0


def test_runs_by_itself_and_can_be_held() -> None:
    """At SIM_SPEEDUP; held, the clock stands still and goes on without catching up."""
    with Double(parameters={"SIM_SPEEDUP": 20.0}) as double:
        link = mavutil.mavlink_connection(double.addresses[0], source_system=255)
        double.start()
        assert link.recv_match(type="HEARTBEAT", blocking=True, timeout=5.0) is not None
        time.sleep(0.4)
        with_hold = double.now_ns
        assert with_hold > 1_000_000_000
        double.hold()
        held_ns = double.now_ns
        time.sleep(0.3)
        assert double.now_ns == held_ns
        double.release()
        time.sleep(0.05)
        assert held_ns < double.now_ns < held_ns + 6_000_000_000
        link.close()


def test_the_scripted_ground_station_flies_it() -> None:
    with Double(parameters={"SIM_SPEEDUP": 50.0}) as double:
        double.start()
        station = GroundStation(double.addresses[0])
        station.request_streams()
        station.set_mode("GUIDED")
        station.arm(60.0)
        station.take_off(20.0, 60.0)
        assert station.truth[-1].amsl_m > HOME.amsl_m + 18.0
        assert station.ekf_has_position
        assert station.parameter("NO_SUCH") is None
        station.set_parameter("GPS_PRIMARY", 1.0)
        station.close()


def test_a_taken_port_and_an_unknown_parameter_are_told() -> None:
    with Double() as double:
        port = int(double.addresses[0].rpartition(":")[2])
        with pytest.raises(InputError, match="give another port"):
            Double(port=port)
    with pytest.raises(KeyError):
        Double(parameters={"NO_SUCH": 1.0})


def test_noise_on_the_wire_does_no_harm(bench: Bench) -> None:
    for size in (1, 100, 5000):
        bench.links[1].port.sendall(bytes(range(256)) * (size // 256 + 1))
        bench.links[1].port.sendall(b"\xfd\xff\x00\x00\x00\x01\x01\x00\x00\x00" * 3)
        bench.run(0.2)
    for k in range(30):  # a cut message swallows what its header says it holds
        bench.links[1].mav.timesync_send(0, 77 + k)
        bench.run(0.05)
    assert any(m.ts1 == 106 for m in bench.of("TIMESYNC"))
