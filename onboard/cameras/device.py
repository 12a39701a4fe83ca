"""What a camera thread reads from: one open device, stream or file."""

from __future__ import annotations

from typing import Protocol

from onboard.cameras.contract import Timing
from onboard.messages import Picture


class CameraLost(Exception):
    """A device that can't be opened now. The message is one sentence for a person: what, and
    what to do. It may be there again in a second."""


class Device(Protocol):
    """Opened by being made; used by one thread. timing says what `stamp_ns` counts."""

    timing: Timing

    def grab(self) -> bool:
        """Waits for the next frame. False when there is none: unplugged, silent, at its end."""

    def stamp_ns(self) -> int | None:
        """Of the frame grabbed last: monotonic clock (DRIVER), the sender's clock (STREAM) or
        the recording's (FILE); None where the device tells none."""

    def picture(self) -> Picture | None:
        """The frame grabbed last, decoded; None when it can't be."""

    def picture_name(self) -> str:
        """Of the frame grabbed last, '' where frames have no names."""

    def close(self) -> None: ...
