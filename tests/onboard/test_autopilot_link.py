"""The link over real sockets, decoded by pymavlink as an autopilot would."""

import socket
import time
from collections.abc import Iterator

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.link import MavlinkLink
from onboard.errors import InputError
from onboard.outputs.gps_input import gps_input
from onboard.outputs.heartbeat import heartbeat
from onboard.outputs.moment import Moment
from onboard.outputs.status_text import WARNING, status_text
from tests.onboard.flights import GOOD


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        number = s.getsockname()[1]
    yield number


def receive(connection: mavutil.mavfile, count: int) -> list[mavlink.MAVLink_message]:
    messages: list[mavlink.MAVLink_message] = []
    end = time.monotonic() + 5.0
    while len(messages) < count and time.monotonic() < end:
        message = connection.recv_match(blocking=True, timeout=0.2)
        if message is not None:
            messages.append(message)
    return messages


def test_an_autopilot_decodes_what_was_sent(port: int) -> None:
    autopilot = mavutil.mavlink_connection(f"udpin:127.0.0.1:{port}")
    link = MavlinkLink(f"udpout:127.0.0.1:{port}")
    sent = gps_input(Moment(5_000_000_000, GOOD, offered=True))
    link.send(heartbeat(True))
    link.send(sent)
    link.send(status_text(WARNING, "Pilotage: " + "ä" * 60))
    beat, gps, text = receive(autopilot, 3)
    link.close()
    autopilot.close()
    assert beat.type == mavlink.MAV_TYPE_ONBOARD_CONTROLLER
    assert beat.autopilot == mavlink.MAV_AUTOPILOT_INVALID
    assert (beat.get_srcSystem(), beat.get_srcComponent()) == (1, 197)
    assert gps.get_type() == "GPS_INPUT"
    for name in sent.fieldnames:
        value = getattr(sent, name)
        assert getattr(gps, name) == pytest.approx(value, rel=1e-6), name
    assert gps.get_msgbuf()[0] == mavlink.PROTOCOL_MARKER_V2
    assert (text.severity, len(text.text)) == (WARNING, 50)


def test_a_listening_link_answers_who_spoke_to_it(port: int) -> None:
    link = MavlinkLink(f"udpin:127.0.0.1:{port}")
    autopilot = mavutil.mavlink_connection(f"udpout:127.0.0.1:{port}")
    autopilot.mav.heartbeat_send(2, 3, 0, 0, 4)
    time.sleep(0.05)
    link.send(gps_input(Moment(0, GOOD, offered=True)))
    (gps,) = receive(autopilot, 1)
    link.close()
    autopilot.close()
    assert gps.get_type() == "GPS_INPUT"


def test_received_messages_are_handed_out(port: int) -> None:
    link = MavlinkLink(f"udpin:127.0.0.1:{port}")
    autopilot = mavutil.mavlink_connection(f"udpout:127.0.0.1:{port}")
    autopilot.mav.heartbeat_send(2, 3, 0, 0, 4)
    time.sleep(0.05)
    assert [m.get_type() for m in link.receive()] == ["HEARTBEAT"]
    link.close()
    autopilot.close()


def test_an_autopilot_that_hangs_up_stops_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = MavlinkLink(f"tcp:127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        peer.close()
    for _ in range(5):
        link.send(gps_input(Moment(0, GOOD, offered=True)))
        link.receive()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("udpout:127.0.0.1", "HOST:PORT"),
        ("udpout:127.0.0.1:abc", "HOST:PORT"),
        ("udpin:127.0.0.1:70000", "HOST:PORT"),
        ("udpout:no.such.host.invalid:14550", "no such host"),
        ("udpout:..:14550", "no such host"),
        (f"udpout:{300 * 'a'}:14550", "no such host"),
        ("tcp:127.0.0.1:1", "cannot be opened"),
        ("/dev/no-such-device", "No such file"),
        ("/etc/hostname", "not a serial device"),
        ("", "not a serial device"),
    ],
)
def test_a_bad_address_is_one_sentence(address: str, said: str) -> None:
    with pytest.raises(InputError) as e:
        MavlinkLink(address)
    assert said in str(e.value)
    assert "\n" not in str(e.value)


def test_a_port_in_use_is_said(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", port))
        with pytest.raises(InputError, match="in use"):
            MavlinkLink(f"udpin:127.0.0.1:{port}")
