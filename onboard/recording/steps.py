"""What a recording keeps of a flight's steps beside the journal's own entries, and how long the
flight may run ahead of the disk."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.companion import FrameDone, FrameMoved, Handled, JournalEntry, Ticked
from onboard.messages import Picture
from onboard.reasons import Reason

# A frame so refused would not be so again from what is recorded of it: the recorded refusal is
# what the replay takes.
OUTSIDE_REASONS = (Reason.INFERENCE_FAILED, Reason.MAP_UNREADABLE)


@dataclass(frozen=True)
class Ending:
    """The flight is about to end: what was taken over is given back (`Flight.begin_end`)."""

    now_ns: int


@dataclass(frozen=True)
class Stopped:
    """A tick of the flight's end, without a position (`Flight.tick_without_position`)."""

    now_ns: int


@dataclass(frozen=True)
class Began:
    """`companion.FrameBegun` without the picture, but for those that are kept for people."""

    number: int
    time_ns: int
    name: str
    camera_id: str
    picture: Picture | None


@dataclass(frozen=True)
class SentBytes:
    """A message that left, packed at once: a pymavlink message is not for two threads."""

    name: str
    packed: bytes
    text: str = ""
    severity: int = 0

    @property
    def base64(self) -> str:
        return base64.b64encode(self.packed).decode()


@dataclass(frozen=True)
class Lost:
    """So many steps could not be kept; from here on the replay is not exact."""

    count: int


@dataclass(frozen=True)
class PartHealth:
    """How a part fares: 'camera', 'link', 'map'. problem '' while it works."""

    part: str
    problem: str
    detail: str


Step = (
    Handled
    | Began
    | FrameMoved
    | FrameDone
    | Ticked
    | SentBytes
    | Ending
    | Stopped
    | Lost
    | PartHealth
)
Noted = JournalEntry | Ending | Stopped


def packed(message: Any) -> bytes:
    """A message as MAVLink 2 would put it on the wire, unsigned and numbered 0: what is the
    same when the content is. Anything that isn't MAVLink (NMEA) is bytes or text already."""
    if isinstance(message, bytes):
        return message
    if isinstance(message, str):
        return message.encode()
    frame = message.pack(mavlink.MAVLink(None, srcSystem=1, srcComponent=197))
    return bytes(frame)


def sent_bytes(message: Any) -> SentBytes:
    """Of any message that a link can send."""
    if not hasattr(message, "get_type"):
        return SentBytes("NMEA", packed(message))
    name = str(message.get_type())
    text, severity = "", 0
    if name == "STATUSTEXT":
        raw = message.text
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        severity = int(message.severity)
    return SentBytes(name, packed(message), text.rstrip("\0"), severity)
