"""A few seconds through the camera."""

from __future__ import annotations

import time

from onboard.cameras import open_camera
from onboard.messages import Frame

WATCH_S = 3.0
FIRST_FRAME_S = 6.0  # some streams wait for a key frame


class CameraLook:
    """Opens at once and looks for WATCH_S after the first frame. frames: those that came, oldest
    first; arrived_s: the wall time over which they came."""

    def __init__(self, uri: str, frame_hz: float) -> None:
        """Raises InputError: the camera can't be had."""
        self._source = open_camera(uri, frame_hz)
        self.uri = uri
        self.frames: list[Frame] = []
        self.count = 0
        self.arrived_s = 0.0
        first = self._source.newest(FIRST_FRAME_S)
        began_s = time.monotonic()
        frame = first
        while frame is not None:
            self.count += 1
            self.frames = [*self.frames[-1:], frame]  # two are enough to look at
            left_s = began_s + WATCH_S - time.monotonic()
            if left_s <= 0.0 or self._source.ended:
                break
            frame = self._source.newest(left_s)
            if frame is not None:
                self.arrived_s = time.monotonic() - began_s
        self.health = self._source.health()
        self._source.close()

    def close(self) -> None:
        self._source.close()
