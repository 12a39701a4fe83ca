"""What a camera is to the rest of Pilotage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from onboard.messages import Frame


class Timing(str, Enum):
    """What exposure times are made from, the best first."""

    UNKNOWN = "unknown"  # no frame yet
    DRIVER = "driver"  # the driver's own stamp on the monotonic clock
    STREAM = "stream"  # the sender's time stamps, laid onto the fastest arrivals
    ARRIVAL = "arrival"  # when the frame came, less the typical time that it takes
    FILE = "file"  # as recorded


@dataclass(frozen=True)
class CameraHealth:
    """Counts since the start. dropped: frames that a newer one replaced before they were
    taken. problem: one sentence while the camera gives nothing usable, '' while it works."""

    frames: int = 0
    dropped: int = 0
    reconnects: int = 0
    problem: str = ""
    timing: Timing = Timing.UNKNOWN


class FrameSource(Protocol):
    """An open camera. Its own thread keeps the newest frame; an unplugged camera is looked for
    until it is back."""

    def newest(self, timeout_s: float) -> Frame | None:
        """Waits for a frame not handed out before; None when the time is up, or for good when
        `ended` is True. Exposure times are of the host's monotonic clock, or of the file's."""

    @property
    def ended(self) -> bool:
        """A file or folder was played to its end."""

    def health(self) -> CameraHealth: ...

    def close(self) -> None: ...
