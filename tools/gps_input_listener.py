"""Stands where the autopilot would: receives on a UDP port, decodes, and checks what arrives."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

QUIET_S = 0.3  # nothing for so long after the last message: all has arrived
BUFFER_BYTES = 4 * 1024 * 1024


@dataclass
class Received:
    """positions: the GPS_INPUT messages in the order of arrival. lost: gaps in MAVLink's
    sequence numbers. bad: bytes that were no message."""

    positions: list[Any] = field(default_factory=list)
    heartbeats: int = 0
    heartbeat_sources: set[tuple[int, int]] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)
    lost: int = 0
    bad: int = 0


class GpsInputListener:
    """A context: open while the flight lasts. `address` is what the publisher is given."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(QUIET_S)
        self._parser = mavlink.MAVLink(None)
        self._parser.robust_parsing = True  # bad bytes become BAD_DATA and not an exception
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="gps-input-listener")
        self._next_sequence: int | None = None
        self.received = Received()

    @property
    def address(self) -> str:
        return f"udpout:127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> GpsInputListener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Returns when all that was sent has been decoded."""
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                data = self._socket.recv(65535)
            except TimeoutError:
                if self._closing.is_set():
                    return
                continue
            for message in self._parser.parse_buffer(data) or ():
                self._take(message)

    def _take(self, message: Any) -> None:
        kind = message.get_type()
        if kind == "BAD_DATA":
            self.received.bad += len(message.data)
            return
        sequence = message.get_seq()
        if self._next_sequence is not None:
            self.received.lost += (sequence - self._next_sequence) % 256
        self._next_sequence = (sequence + 1) % 256
        if kind == "GPS_INPUT":
            self.received.positions.append(message)
        elif kind == "HEARTBEAT":
            self.received.heartbeats += 1
            source = (message.get_srcSystem(), message.get_srcComponent())
            self.received.heartbeat_sources.add(source)
        elif kind == "STATUSTEXT":
            self.received.texts.append(message.text)
