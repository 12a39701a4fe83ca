"""The link over real sockets, against pymavlink as the autopilot's side."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.link import LOST_AFTER_NS, MavlinkLink
from onboard.errors import InputError
from onboard.flight_settings import LinkSettings

KEY = bytes(range(32))
HEARTBEAT = (mavlink.MAV_TYPE_QUADROTOR, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, 0, 0, 4)
TEXT = mavlink.MAVLink_statustext_message(4, b"Pilotage")
SET = mavlink.MAVLink_param_set_message(0, 1, b"GPS_PRIMARY", 1.0, 9)


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        number = s.getsockname()[1]
    yield number


def autopilot(address: str, system: int = 1, component: int = 1) -> Any:
    return mavutil.mavlink_connection(address, source_system=system, source_component=component)


def until(happened: Callable[[], Any], timeout_s: float = 5.0) -> Any:
    end = time.monotonic() + timeout_s
    while not (result := happened()) and time.monotonic() < end:
        time.sleep(0.01)
    return result


def received(connection: Any, kind: str) -> Any:
    return connection.recv_match(type=kind, blocking=True, timeout=5.0)


def types(link: MavlinkLink) -> list[str]:
    """Whatever comes within a moment."""
    found: list[str] = []
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        found += [m.get_type() for m in link.receive(0.02)]
    return found


def test_an_autopilot_decodes_what_was_sent(port: int) -> None:
    peer = autopilot(f"udpin:127.0.0.1:{port}")
    link = MavlinkLink.to(f"udpout:127.0.0.1:{port}")
    link.send(TEXT)
    text = received(peer, "STATUSTEXT")
    link.close()
    peer.close()
    assert text.text == "Pilotage"
    assert (text.get_srcSystem(), text.get_srcComponent()) == (1, 197)
    assert text.get_msgbuf()[0] == mavlink.PROTOCOL_MARKER_V2


def test_a_listening_link_answers_the_autopilot_and_nobody_else(port: int) -> None:
    link = MavlinkLink(LinkSettings(address=f"udpin:127.0.0.1:{port}"))
    peer = autopilot(f"udpout:127.0.0.1:{port}")
    stranger = autopilot(f"udpout:127.0.0.1:{port}", 255, 190)
    link.send(TEXT)
    assert link.counts.dropped == 1  # nobody there yet
    peer.mav.heartbeat_send(*HEARTBEAT)
    assert types(link) == ["HEARTBEAT"]
    stranger.mav.heartbeat_send(mavlink.MAV_TYPE_GCS, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, 4)
    assert types(link) == []
    link.send(TEXT)
    assert received(peer, "STATUSTEXT").text == "Pilotage"
    assert stranger.recv_msg() is None
    for each in (link, peer, stranger):
        each.close()


def test_a_link_that_only_sends_learns_who_listens(port: int) -> None:
    link = MavlinkLink.to(f"udpin:127.0.0.1:{port}")
    peer = autopilot(f"udpout:127.0.0.1:{port}")
    peer.mav.heartbeat_send(*HEARTBEAT)
    time.sleep(0.05)
    link.send(TEXT)
    assert received(peer, "STATUSTEXT").text == "Pilotage"
    link.close()
    peer.close()


def test_only_the_first_autopilot_is_heard(port: int) -> None:
    link = MavlinkLink(LinkSettings(address=f"udpin:127.0.0.1:{port}"))
    own, other = (autopilot(f"udpout:127.0.0.1:{port}", system) for system in (7, 8))
    own.mav.attitude_send(0, 0, 0, 0, 0, 0, 0)
    assert types(link) == []  # whose?
    own.mav.heartbeat_send(*HEARTBEAT)
    assert types(link) == ["HEARTBEAT"]
    other.mav.heartbeat_send(*HEARTBEAT)
    other.mav.attitude_send(0, 0, 0, 0, 0, 0, 0)
    own.mav.attitude_send(0, 0, 0, 0, 0, 0, 0)
    assert types(link) == ["ATTITUDE"]
    assert link.system_id == 7
    assert (link.counts.received, link.counts.foreign) == (2, 3)
    link.send(TEXT)
    assert received(own, "STATUSTEXT").get_srcSystem() == 7
    for each in (link, own, other):
        each.close()


def test_the_configured_vehicle_is_heard_and_no_other(port: int) -> None:
    link = MavlinkLink(LinkSettings(address=f"udpin:127.0.0.1:{port}", system_id=8))
    own, other = (autopilot(f"udpout:127.0.0.1:{port}", system) for system in (8, 7))
    other.mav.heartbeat_send(*HEARTBEAT)
    assert types(link) == []
    own.mav.heartbeat_send(*HEARTBEAT)
    assert types(link) == ["HEARTBEAT"]
    for each in (link, own, other):
        each.close()


def test_messages_are_addressed_to_the_vehicle_once_it_is_known(port: int) -> None:
    peer = autopilot(f"udpin:127.0.0.1:{port}", 7)
    link = MavlinkLink(LinkSettings(address=f"udpout:127.0.0.1:{port}"))
    link.send(SET)  # would reach any vehicle
    assert link.counts.dropped == 1
    link.send(TEXT)
    assert received(peer, "STATUSTEXT")
    peer.mav.heartbeat_send(*HEARTBEAT)
    assert types(link) == ["HEARTBEAT"]
    link.send(SET)
    assert received(peer, "PARAM_SET").target_system == 7
    assert SET.target_system == 0
    link.close()
    peer.close()


def test_silence_is_a_lost_connection(port: int) -> None:
    now_ns = 0
    link = MavlinkLink(LinkSettings(address=f"udpin:127.0.0.1:{port}"), clock_ns=lambda: now_ns)
    peer = autopilot(f"udpout:127.0.0.1:{port}")
    assert not link.is_connected
    peer.mav.heartbeat_send(*HEARTBEAT)
    types(link)
    assert link.is_connected
    now_ns = LOST_AFTER_NS + 1
    peer.mav.attitude_send(0, 0, 0, 0, 0, 0, 0)
    types(link)
    assert not link.is_connected
    link.close()
    peer.close()


def test_a_value_that_no_field_holds_stops_nothing(port: int) -> None:
    link = MavlinkLink.to(f"udpout:127.0.0.1:{port}")
    link.send(mavlink.MAVLink_statustext_message(-1, b""))
    link.send(mavlink.MAVLink_heartbeat_message(2**40, 0, 0, 0, 0, 0))
    assert (link.counts.unsendable, link.counts.sent) == (2, 0)
    link.close()


def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def test_a_signing_link_hears_only_what_is_signed(port: int, tmp_path: Path) -> None:
    settings = LinkSettings(f"udpin:127.0.0.1:{port}", signing_key_file=key_file(tmp_path))
    link = MavlinkLink(settings)
    peers = [autopilot(f"udpout:127.0.0.1:{port}") for _ in range(3)]
    peers[1].setup_signing(bytes(32 * [9]), sign_outgoing=True)
    peers[2].setup_signing(KEY, sign_outgoing=True)
    for peer in peers:
        peer.mav.heartbeat_send(*HEARTBEAT)
        peer.mav.attitude_send(0, 0, 0, 0, 0, 0, 0)
    assert types(link) == ["HEARTBEAT", "ATTITUDE"]
    assert (link.counts.refused, link.counts.received) == (4, 2)
    link.send(TEXT)
    assert received(peers[2], "STATUSTEXT").get_signed()
    link.close()
    for peer in peers:
        peer.close()


def test_an_autopilot_that_hangs_up_stops_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = MavlinkLink.to(f"tcp:127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        peer.close()
    for _ in range(5):
        link.send(TEXT)
    assert link.counts.dropped >= 3
    link.close()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("udpout:127.0.0.1", "HOST:PORT"),
        ("udpout:127.0.0.1:abc", "HOST:PORT"),
        ("udpin:127.0.0.1:70000", "HOST:PORT"),
        ("udpin:127.0.0.1:" + 5000 * "9", "HOST:PORT"),
        ("udpout:no.such.host.invalid:14550", "no such host"),
        ("udpout:..:14550", "no such host"),
        (f"udpout:{300 * 'a'}:14550", "no such host"),
        ("tcp:127.0.0.1:1", "cannot be opened"),
        ("/dev/no-such-device", "No such file"),
        ("/dev/null", "cannot be opened"),
        ("/etc/hostname", "not a serial device"),
        ("", "not a serial device"),
        ("\0", "cannot be opened"),
    ],
)
def test_a_bad_address_is_one_sentence(address: str, said: str) -> None:
    with pytest.raises(InputError) as e:
        MavlinkLink.to(address)
    assert said in str(e.value)
    assert "\n" not in str(e.value)


def test_a_port_in_use_is_said(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", port))
        with pytest.raises(InputError, match="in use"):
            MavlinkLink.to(f"udpin:127.0.0.1:{port}")


def test_in_flight_a_peer_that_is_not_there_yet_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()
    link = MavlinkLink(LinkSettings(address=f"tcp:127.0.0.1:{address[1]}"))
    link.send(TEXT)
    assert link.receive(0.01) == []
    assert link.counts.dropped == 1
    with socket.create_server(address) as server:
        server.settimeout(0.0)

        def accepted() -> Any:
            link.receive(0.01)
            try:
                return server.accept()[0]
            except BlockingIOError:
                return None

        peer = until(accepted)
        link.receive(0.01)
        link.send(TEXT)
        peer.settimeout(5.0)
        assert b"Pilotage" in peer.recv(100)
        peer.close()
    link.close()
