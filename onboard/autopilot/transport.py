"""Bytes to and from the autopilot: UDP, TCP or a serial port, by its address.

No call but `receive` ever waits, and that one only as long as it is told to. A link that
breaks is taken up again by the thread that receives; until then what is sent is counted as
dropped, for a position that arrives late is worse than none.
"""

from __future__ import annotations

import socket
import stat
from pathlib import Path
from typing import Protocol

from onboard.errors import InputError

FORMS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT or a serial device such as /dev/ttyTHS1"


class Transport(Protocol):
    """One thread receives; any may send."""

    @property
    def is_open(self) -> bool:
        """False while a cable is out or a peer is not there yet."""

    @property
    def dropped(self) -> int:
        """Messages that were not handed to the system, or were pushed out by newer ones."""

    @property
    def bytes_per_s(self) -> float | None:
        """What the wire carries; None where that is no limit."""

    def send(self, data: bytes) -> None:
        """One whole message. Never waits, never raises."""

    def receive(self, timeout_s: float) -> bytes:
        """What arrived, b"" when nothing did in time. Opens again what was lost. Never raises."""

    def answer_sender(self) -> None:
        """The last bytes were the autopilot's: send to where they came from."""

    def close(self) -> None:
        """After the receiving thread has ended."""


def open_transport(address: str, baud: int = 921_600, must_answer: bool = False) -> Transport:
    """must_answer: a TCP peer that isn't there is an error, and not waited for.

    Raises InputError: no such address, host or device, a port in use, no permission.
    """
    from onboard.autopilot.stream_transport import SerialTransport, TcpTransport
    from onboard.autopilot.udp_transport import UdpTransport

    kind, host, port = check_address(address)
    try:
        if kind == "tcp":
            return TcpTransport(host, port, must_answer)
        if kind in ("udpin", "udpout"):
            return UdpTransport(host, port, listens=kind == "udpin")
        return SerialTransport(address, baud)
    except ModuleNotFoundError as e:
        raise InputError(
            f"{address}: a serial port needs the package pyserial; install it with: "
            "pip install pyserial"
        ) from e
    except (OSError, ValueError, OverflowError) as e:
        raise InputError(f"{address}: cannot be opened ({_reason(e)}); give {FORMS}") from e


def check_address(address: str) -> tuple[str, str, int]:
    """(kind, IP address, port); (device, "", 0) for a serial device.

    Raises InputError: none of the forms, no such host or device.
    """
    kind, _, rest = address.partition(":")
    if kind in ("udpout", "udpin", "tcp"):
        host, _, port = rest.rpartition(":")
        if not (host and port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
            raise InputError(f"{address}: not HOST:PORT with a port of 1 to 65535; give {FORMS}")
        try:
            return kind, socket.gethostbyname(host), int(port)
        except (OSError, UnicodeError) as e:  # UnicodeError: no name that a host can have
            raise InputError(f"{address}: no such host '{host}' ({_reason(e)})") from e
    try:
        is_device = stat.S_ISCHR(Path(address).stat().st_mode)
    except (OSError, ValueError) as e:  # ValueError: a null byte
        raise InputError(f"{address}: cannot be opened ({_reason(e)}); give {FORMS}") from e
    if not is_device:
        raise InputError(f"{address}: not a serial device; give {FORMS}")
    return address, "", 0


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
