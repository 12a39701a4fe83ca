"""Streams that break, block, vanish and come back: pseudo terminals and real sockets."""

import os
import socket
import termios
import threading
import time
from pathlib import Path

import pytest

from onboard.autopilot.stream_transport import SEND_BUFFER_BYTES
from onboard.autopilot.transport import Transport, open_transport
from onboard.errors import InputError

MESSAGE = bytes(range(100))


def pseudo_terminal() -> tuple[int, str]:
    """(the other end's descriptor, the device's name)"""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    os.set_blocking(master, False)
    return master, name


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


def received(transport: Transport, count: int = 1, timeout_s: float = 4.0) -> bytes:
    end, data = time.monotonic() + timeout_s, b""
    while len(data) < count and time.monotonic() < end:
        data += transport.receive(0.05)
    return data


def until_open(transport: Transport, is_open: bool, timeout_s: float = 5.0) -> bool:
    end = time.monotonic() + timeout_s
    while transport.is_open is not is_open and time.monotonic() < end:
        transport.receive(0.02)
    return transport.is_open is is_open


def test_a_serial_port_both_ways() -> None:
    master, device = pseudo_terminal()
    port = open_transport(device, 57_600)
    assert port.bytes_per_s == 5760.0
    port.send(MESSAGE)
    assert read(master) == MESSAGE
    os.write(master, MESSAGE)
    assert received(port, 100) == MESSAGE
    assert port.receive(0.0) == b""
    assert termios.tcgetattr(master)[4] == termios.B57600
    port.close()
    os.close(master)


def test_a_serial_port_has_one_owner() -> None:
    master, device = pseudo_terminal()
    port = open_transport(device, 57_600)
    with pytest.raises(InputError, match="cannot be opened"):
        open_transport(device, 57_600)
    port.close()
    os.close(master)


def test_a_serial_device_vanishes_and_comes_back(tmp_path: Path) -> None:
    device = tmp_path / "ttyACM0"
    master, name = pseudo_terminal()
    device.symlink_to(name)
    port = open_transport(str(device), 115_200)
    os.close(master)
    device.unlink()
    assert until_open(port, False)
    port.send(MESSAGE)
    assert port.dropped == 1
    master, name = pseudo_terminal()
    device.symlink_to(name)
    assert until_open(port, True)
    port.send(MESSAGE)
    assert read(master) == MESSAGE
    os.write(master, MESSAGE)
    assert received(port, 100) == MESSAGE
    port.close()
    os.close(master)


def test_a_full_line_never_makes_the_sender_wait_and_keeps_the_newest() -> None:
    master, device = pseudo_terminal()
    port = open_transport(device, 57_600)
    begin = time.monotonic()
    for i in range(2000):
        port.send(i.to_bytes(2, "big") * 50)
    assert time.monotonic() - begin < 1.0
    assert port.dropped > 1000
    data = b""
    while piece := (read(master) or (port.receive(0.01) or read(master))):
        data += piece
    whole, rest = divmod(len(data), 100)
    assert rest == 0  # no message was cut
    numbers = [int.from_bytes(data[100 * i : 100 * i + 2], "big") for i in range(whole)]
    assert data == b"".join(n.to_bytes(2, "big") * 50 for n in numbers)
    assert numbers == sorted(numbers)
    newest = SEND_BUFFER_BYTES // 100 - 1
    assert numbers[-newest:] == list(range(2000 - newest, 2000))
    assert whole + port.dropped == 2000
    port.close()
    os.close(master)


def test_a_rate_that_no_port_has() -> None:
    master, device = pseudo_terminal()
    with pytest.raises(InputError, match="cannot be opened"):
        open_transport(device, 2**40)
    os.close(master)


def test_a_tcp_peer_that_restarts_is_found_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        transport = open_transport(f"tcp:127.0.0.1:{address[1]}", must_answer=True)
        peer, _ = server.accept()
        peer.sendall(MESSAGE)
        assert received(transport, 100) == MESSAGE
        peer.close()
        assert until_open(transport, False)
    transport.send(MESSAGE)
    assert transport.dropped == 1
    with socket.create_server(address) as server:
        assert until_open(transport, True)
        peer, _ = server.accept()
        transport.send(MESSAGE)
        assert peer.recv(200) == MESSAGE
        peer.close()
    transport.close()


def test_a_tcp_peer_that_reads_nothing_never_makes_the_sender_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = open_transport(f"tcp:127.0.0.1:{server.getsockname()[1]}", must_answer=True)
        peer, _ = server.accept()
        begin = time.monotonic()
        for _ in range(60_000):
            transport.send(MESSAGE)
        assert time.monotonic() - begin < 5.0
        assert transport.dropped > 0
        peer.close()
    transport.close()


def test_a_host_that_swallows_everything_is_tried_again() -> None:
    """192.0.2.0/24 is for documentation: no answer, or no route."""
    transport = open_transport("tcp:192.0.2.1:5760")
    begin = time.monotonic()
    for _ in range(20):
        transport.send(MESSAGE)
        transport.receive(0.01)
    assert time.monotonic() - begin < 1.0
    assert transport.dropped == 20
    transport.close()


def test_many_senders_never_mix_their_messages() -> None:
    master, device = pseudo_terminal()
    port = open_transport(device, 921_600)

    def send(kind: int) -> None:
        for _ in range(200):
            port.send(bytes([kind]) * 50)
            time.sleep(0.0002)

    threads = [threading.Thread(target=send, args=(kind,)) for kind in range(4)]
    for thread in threads:
        thread.start()
    data = b""
    while any(thread.is_alive() for thread in threads):
        port.receive(0.001)
        data += read(master)
    for _ in range(20):
        port.receive(0.001)
        data += read(master)
    assert len(data) % 50 == 0
    assert all(len(set(data[i : i + 50])) == 1 for i in range(0, len(data), 50))
    assert len(data) // 50 + port.dropped == 800
    port.close()
    os.close(master)


def test_udp_hears_only_its_peer_where_it_has_one() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        transport = open_transport(f"udpout:127.0.0.1:{peer.getsockname()[1]}")
        transport.send(MESSAGE)
        data, ours = peer.recvfrom(200)
        assert data == MESSAGE
        peer.sendto(b"yes", ours)
        assert received(transport, 3) == b"yes"
    transport.send(MESSAGE)  # nobody there any more
    for _ in range(3):
        transport.send(MESSAGE)
        assert transport.receive(0.01) == b""
    transport.close()


def test_closing_twice_and_using_after_is_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        tcp = open_transport(f"tcp:127.0.0.1:{server.getsockname()[1]}", must_answer=True)
        udp = open_transport(f"udpin:127.0.0.1:{server.getsockname()[1]}")
        for transport in (tcp, udp):
            transport.close()
            transport.close()
            transport.send(MESSAGE)
            assert transport.receive(0.01) == b""
            assert transport.dropped == 1
