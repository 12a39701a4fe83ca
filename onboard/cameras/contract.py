"""What a camera is to the rest of Pilotage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from onboard.messages import Frame


@dataclass(frozen=True)
class CameraHealth:
    """Counts since the start. dropped: frames that a newer one replaced before they were
    taken. problem: one sentence while the camera gives nothing, '' while it works."""

    frames: int = 0
    dropped: int = 0
    reconnects: int = 0
    problem: str = ""


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
