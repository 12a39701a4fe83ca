"""The autopilot's serial ports, as sockets: one client at a time on TCP, or UDP to an address.

Each has its own MAVLink 2 state: sequence numbers and signing are a link's.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any, Protocol

os.environ["MAVLINK20"] = "1"  # pymavlink reads it on import
from pymavlink.dialects.v20 import ardupilotmega as mavlink

COMPONENT_ID = mavlink.MAV_COMP_ID_AUTOPILOT1
MOST_WAITING = 1 << 20  # bytes that a client may be behind, then messages to it are dropped
READ_BYTES = 1 << 16


class Wire(Protocol):
    """address: for `--link` and `--sitl`."""

    address: str
    dropped: int

    def read(self) -> list[Any]:
        """Messages that have arrived, never waiting."""

    def write(self, message: Any) -> None: ...

    def forward(self, data: bytes) -> None:
        """Another one's message, byte for byte."""

    def flush(self) -> None: ...

    def hang_up(self) -> None:
        """The autopilot boots: who was connected is disconnected."""

    def sign(self, key: bytes, timestamp: int, accept_unsigned: bool) -> None:
        """An empty key switches signing off."""

    def close(self) -> None: ...


class _Mavlink:
    """What TCP and UDP have in common."""

    def __init__(self, system_id: int) -> None:
        self.dropped = 0
        self._system_id = system_id
        self._out = bytearray()
        self._signing: tuple[bytes, int, bool] | None = None
        self._new_state()

    def _new_state(self) -> None:
        self._mav: Any = mavlink.MAVLink(None, self._system_id, COMPONENT_ID)
        self._mav.robust_parsing = True
        if self._signing is not None:
            self.sign(*self._signing)

    def sign(self, key: bytes, timestamp: int, accept_unsigned: bool) -> None:
        self._signing = (key, timestamp, accept_unsigned) if key else None
        signing = self._mav.signing
        signing.secret_key = key or None
        signing.timestamp = max(timestamp, signing.timestamp)
        signing.sign_outgoing = bool(key)
        signing.allow_unsigned_callback = (lambda *_: accept_unsigned) if key else None

    def _decoded(self, data: bytes) -> list[Any]:
        found = self._mav.parse_buffer(data) or []
        return [m for m in found if m.get_type() != "BAD_DATA"]

    def write(self, message: Any) -> None:
        data = message.pack(self._mav)
        self._mav.seq = (self._mav.seq + 1) % 256
        self.forward(data)

    def forward(self, data: bytes) -> None:
        if len(self._out) > MOST_WAITING:
            self.dropped += 1
        else:
            self._out += data


class TcpWire(_Mavlink):
    """Listens; a second client waits until the first has gone, as at ArduPilot's SITL."""

    def __init__(self, port: int, system_id: int) -> None:
        """port 0 takes a free one. Raises OSError."""
        super().__init__(system_id)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen(4)
        self._listener.setblocking(False)
        self.address = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None

    def read(self) -> list[Any]:
        if self._client is None and not self._accept():
            return []
        client = self._client
        assert client is not None
        try:
            data = client.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._drop_client()
            return []
        return self._decoded(data)

    def _accept(self) -> bool:
        try:
            self._client, _ = self._listener.accept()
        except OSError:
            return False
        self._client.setblocking(False)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out.clear()
        self._new_state()
        return True

    def forward(self, data: bytes) -> None:
        if self._client is not None:
            super().forward(data)

    def flush(self) -> None:
        if self._client is None or not self._out:
            return
        try:
            sent = self._client.send(self._out)
            del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop_client()

    def hang_up(self) -> None:
        self.flush()
        self._drop_client()

    def _drop_client(self) -> None:
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.close()
        self._client = None
        self._out.clear()

    def close(self) -> None:
        self._drop_client()
        self._listener.close()


class UdpWire(_Mavlink):
    """Speaks to an address and hears whoever answers there, one message to a datagram."""

    def __init__(self, host: str, port: int, system_id: int) -> None:
        super().__init__(system_id)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._to = (host, port)
        self.address = f"udpin:{host}:{port}"

    def read(self) -> list[Any]:
        found: list[Any] = []
        while True:
            try:
                data, self._to = self._socket.recvfrom(READ_BYTES)
            except OSError:
                return found
            found += self._decoded(data)

    def forward(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, self._to)
        except OSError:
            self.dropped += 1

    def flush(self) -> None:
        pass

    def hang_up(self) -> None:
        self._new_state()

    def close(self) -> None:
        self._socket.close()
