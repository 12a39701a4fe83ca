"""The MAVLink 2 connection to one vehicle's autopilot: messages in, messages out."""

from __future__ import annotations

import copy
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.framing import FrameSplitter, RawFrame
from onboard.autopilot.signing import SigningMavlink, read_key
from onboard.autopilot.transport import open_transport
from onboard.flight_settings import LinkSettings

COMPONENT_ID = mavlink.MAV_COMP_ID_VISUAL_INERTIAL_ODOMETRY  # 197
AUTOPILOT = mavlink.MAV_COMP_ID_AUTOPILOT1
DEFAULT_SYSTEM_ID = 1  # spoken as until the vehicle's own is known
LOST_AFTER_NS = 3_000_000_000  # three heartbeats


@dataclass(frozen=True)
class LinkCounts:
    """Messages since the start. foreign: of other vehicles, ground stations and components;
    refused: unsigned or wrongly signed; dropped: could not be sent; unsendable: had a value
    that the field can't hold. bad_bytes belonged to no message."""

    received: int = 0
    foreign: int = 0
    refused: int = 0
    sent: int = 0
    dropped: int = 0
    unsendable: int = 0
    bad_bytes: int = 0


class MavlinkLink:
    """Speaks as the vehicle's own companion computer (its system id, component 197). Hears only
    its autopilot: the first one to send a heartbeat where the settings name none.

    One thread receives, any may send. Nothing is raised in flight: a lost link comes back or
    does not, and the flight goes on either way.
    """

    def __init__(
        self,
        settings: LinkSettings,
        sends_only: bool = False,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """sends_only: nobody will call `receive`, and a TCP peer must be there at once.

        Raises InputError: an address that can't be opened, a key that can't be used.
        """
        key_file = settings.signing_key_file
        key = read_key(key_file) if key_file is not None else None
        self._transport = open_transport(settings.address, settings.baud, must_answer=sends_only)
        self._sends_only = sends_only
        self._clock_ns = clock_ns
        self._system_id = settings.system_id
        self._mavlink = SigningMavlink(self._system_id or DEFAULT_SYSTEM_ID, COMPONENT_ID, key)
        self.signs = key is not None
        self._splitter = FrameSplitter()
        self._lock = threading.Lock()
        self._heartbeat_ns: int | None = None
        self._received = self._foreign = self._refused = 0
        self._sent = self._dropped = self._unsendable = 0
        self.arrival_ns = clock_ns()

    @classmethod
    def to(cls, address: str) -> MavlinkLink:
        """For who only sends: replay and demonstration. Raises InputError as above."""
        return cls(LinkSettings(address=address), sends_only=True)

    @property
    def system_id(self) -> int:
        """The vehicle's; 0 while no autopilot was heard and the settings name none."""
        return self._system_id

    @property
    def is_connected(self) -> bool:
        """Whether a heartbeat of the autopilot came within LOST_AFTER_NS."""
        heard_ns = self._heartbeat_ns
        return heard_ns is not None and self._clock_ns() - heard_ns <= LOST_AFTER_NS

    @property
    def bytes_per_s(self) -> float | None:
        """What the wire carries each way; None where that is no limit."""
        return self._transport.bytes_per_s

    @property
    def counts(self) -> LinkCounts:
        return LinkCounts(
            self._received,
            self._foreign,
            self._refused,
            self._sent,
            self._dropped + self._transport.dropped,
            self._unsendable,
            self._splitter.bad_bytes,
        )

    def send(self, message: Any) -> None:
        """A message with a target_system goes to the vehicle, whatever that field says; before
        the vehicle is known it is dropped, for it might reach another one."""
        if self._sends_only:
            self.receive(0.0)  # who listens answers; what is lost is opened again
        with self._lock:
            if hasattr(message, "target_system"):
                if not self._system_id:
                    self._dropped += 1
                    return
                message = copy.copy(message)  # the journal may hold the caller's
                message.target_system = self._system_id
            try:
                data = self._mavlink.packed(message)
            except (struct.error, OverflowError, TypeError, ValueError):
                self._unsendable += 1
                return
            self._sent += 1
            self._transport.send(data)

    def receive(self, timeout_s: float) -> list[Any]:
        """The autopilot's messages (pymavlink objects) that came together, at `arrival_ns` of
        the monotonic clock; empty when none did in time, or only others'."""
        was_open = self._transport.is_open
        data = self._transport.receive(timeout_s)
        if was_open and not self._transport.is_open:
            self._splitter.clear()
        if not data:
            return []
        self.arrival_ns = self._clock_ns()
        messages = [
            message
            for frame in self._splitter.split(data)
            if (message := self._heard(frame)) is not None
        ]
        if messages:
            self._transport.answer_sender()
        return messages

    def close(self) -> None:
        self._transport.close()

    def _heard(self, frame: RawFrame) -> Any | None:
        is_mine = frame.component == AUTOPILOT and self._system_id in (0, frame.system)
        if not is_mine:
            self._foreign += 1
            return None
        try:
            with self._lock:
                message = self._mavlink.decode(frame.data)
        except mavlink.MAVError:  # the checksum was right: the signature is not
            self._refused += 1
            return None
        if frame.message_id == mavlink.MAVLINK_MSG_ID_HEARTBEAT and _is_autopilot(message):
            with self._lock:
                self._system_id = self._mavlink.srcSystem = frame.system
            self._heartbeat_ns = self.arrival_ns
        if not self._system_id:
            self._foreign += 1
            return None
        self._received += 1
        return message


def _is_autopilot(heartbeat: Any) -> bool:
    return bool(
        heartbeat.autopilot != mavlink.MAV_AUTOPILOT_INVALID
        and heartbeat.type != mavlink.MAV_TYPE_GCS
    )
