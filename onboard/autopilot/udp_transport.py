"""MAVLink over UDP, sending to an address or answering whoever the autopilot is."""

from __future__ import annotations

import contextlib
import select
import socket

MAX_DATAGRAM = 65_536  # bytes


class UdpTransport:
    """See `transport.Transport`."""

    bytes_per_s = None

    def __init__(self, host: str, port: int, listens: bool) -> None:
        """listens: bound to (host, port), where it sends to is learnt. Raises OSError."""
        self.dropped = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._peer: tuple[str, int] | None = None
        self._sender: tuple[str, int] | None = None
        self._listens = listens
        if listens:
            try:
                self._socket.bind((host, port))
            except OSError:
                self._socket.close()
                raise
        else:
            self._peer = (host, port)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    @property
    def is_open(self) -> bool:
        return self._peer is not None

    def send(self, data: bytes) -> None:
        peer = self._peer
        if peer is None:
            self.dropped += 1
            return
        try:
            self._socket.sendto(data, peer)
        except OSError:  # full, no route, nobody listens there: the next one may go out
            self.dropped += 1

    def receive(self, timeout_s: float) -> bytes:
        with contextlib.suppress(OSError, ValueError):  # ICMP's answer to what was sent before
            if self._poll.poll(max(0.0, timeout_s) * 1000.0):
                data, sender = self._socket.recvfrom(MAX_DATAGRAM)
                if self._listens or sender[0] == (self._peer or sender)[0]:
                    self._sender = sender
                    return data
        return b""

    def answer_sender(self) -> None:
        if self._listens and self._sender is not None:
            self._peer = self._sender

    def close(self) -> None:
        self._socket.close()
