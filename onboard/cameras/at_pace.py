"""A recording as if it were a camera now."""

from __future__ import annotations

import time

from onboard.cameras.contract import Timing
from onboard.cameras.device import Device
from onboard.messages import Picture


class AtPace:
    """Implements `device.Device` over one: each frame comes when it is due, stamped with the
    host's monotonic clock."""

    timing = Timing.FILE

    def __init__(self, recording: Device, speed: float) -> None:
        self._recording = recording
        self._speed = speed
        self._recorded_ns = 0
        self._start: tuple[int, int] | None = None  # on the host's clock, on the recording's
        self._stamp_ns = 0

    def grab(self) -> bool:
        if not self._recording.grab():
            return False
        recorded_ns, now_ns = self._recording.stamp_ns() or 0, time.monotonic_ns()
        self._start = self._start or (now_ns, recorded_ns)
        host_ns, first_ns = self._start
        self._stamp_ns = host_ns + round((recorded_ns - first_ns) / self._speed)
        time.sleep(max(0.0, (self._stamp_ns - now_ns) * 1e-9))
        return True

    def stamp_ns(self) -> int:
        return self._stamp_ns

    def picture(self) -> Picture | None:
        return self._recording.picture()

    def picture_name(self) -> str:
        return self._recording.picture_name()

    def close(self) -> None:
        self._recording.close()
