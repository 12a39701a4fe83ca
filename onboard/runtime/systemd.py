"""What systemd is told: sd_notify(3), one datagram. Without systemd nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """As 'READY=1', 'WATCHDOG=1', 'STATUS=words', 'STOPPING=1'. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError, ValueError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to,
    ):
        to.setblocking(False)
        to.sendto("\n".join(lines).encode(), address)
