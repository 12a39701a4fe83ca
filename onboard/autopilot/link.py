"""The MAVLink 2 connection to the autopilot, by pymavlink."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

from onboard.errors import InputError

os.environ["MAVLINK20"] = "1"  # pymavlink reads it on import
from pymavlink import mavutil
from pymavlink.dialects.v20 import ardupilotmega as mavlink

SYSTEM_ID = 1  # the autopilot's own: a companion is a part of the vehicle
COMPONENT_ID = mavlink.MAV_COMP_ID_VISUAL_INERTIAL_ODOMETRY  # 197
MAX_DRAINED = 1000  # messages taken from the receive buffer at once
FORMS = "udpout:HOST:PORT, udpin:HOST:PORT, tcp:HOST:PORT or a serial device such as /dev/ttyTHS1"


class MavlinkLink:
    """Sends as the companion computer. Nothing is raised in flight: a lost link comes back or
    does not, and the position goes on either way."""

    def __init__(self, address: str, baud: int = 115200, system_id: int = SYSTEM_ID) -> None:
        """Raises InputError when the address is none or can't be opened."""
        _check_address(address)
        try:
            self._connection: Any = mavutil.mavlink_connection(
                address,
                baud=baud,
                source_system=system_id,
                source_component=COMPONENT_ID,
                dialect="ardupilotmega",
                autoreconnect=True,
                retries=0,
            )
        except ModuleNotFoundError as e:
            raise InputError(
                f"{address}: a serial port needs the package pyserial; install it with: "
                "pip install pyserial"
            ) from e
        except (OSError, ValueError, OverflowError) as e:
            raise InputError(f"{address}: cannot be opened ({_reason(e)}); give {FORMS}") from e
        self._listens = address.startswith("udpin:")

    def close(self) -> None:
        self._connection.close()

    def receive(self) -> list[Any]:
        """The pymavlink messages that have arrived."""
        messages: list[Any] = []
        with contextlib.suppress(OSError):
            while len(messages) < MAX_DRAINED:
                message = self._connection.recv_msg()
                if message is None:
                    break
                messages.append(message)
        return messages

    def send(self, message: Any) -> None:
        """Any pymavlink message; see `contract.Link`."""
        if self._listens:
            self.receive()  # a listening socket answers whoever spoke to it
        with contextlib.suppress(OSError):  # pymavlink raises when a reconnection fails
            self._connection.mav.send(message)


def _check_address(address: str) -> None:
    kind, _, rest = address.partition(":")
    if kind in ("udpout", "udpin", "tcp"):
        host, _, port = rest.rpartition(":")
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise InputError(f"{address}: not HOST:PORT with a port of 1 to 65535; give {FORMS}")
        try:
            socket.gethostbyname(host)
        except (OSError, UnicodeError) as e:  # UnicodeError: no name that a host can have
            raise InputError(f"{address}: no such host '{host}' ({_reason(e)})") from e
        return
    path = Path(address)
    try:
        is_device = stat.S_ISCHR(path.stat().st_mode)
    except OSError as e:
        raise InputError(f"{address}: cannot be opened ({_reason(e)}); give {FORMS}") from e
    if not is_device:
        raise InputError(f"{address}: not a serial device; give {FORMS}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
