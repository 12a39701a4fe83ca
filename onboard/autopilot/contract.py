"""What the rest of Pilotage needs of a connection to an autopilot."""

from __future__ import annotations

from typing import Any, Protocol


class Link(Protocol):
    """Where messages go: `autopilot.link.MavlinkLink` in flight, a recorder in tests.

    send takes a pymavlink message object (`pymavlink.dialects.v20.ardupilotmega`), never
    blocks and never raises: a lost link comes back or doesn't, the flight goes on. Leave
    target_system 0: the link fills in its vehicle's.
    """

    def send(self, message: Any) -> None: ...
