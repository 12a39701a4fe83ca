"""A file or folder played as fast as frames are asked for: none is lost, nothing waits."""

from __future__ import annotations

from dataclasses import replace

from onboard.cameras.contract import CameraHealth, Timing
from onboard.cameras.device import Device
from onboard.messages import Frame

RATE_TOLERANCE = 0.01  # of the period: rounded file times


class PlayedCamera:
    """Implements `contract.FrameSource` without a thread; times are the file's own."""

    def __init__(self, name: str, device: Device, frame_hz: float) -> None:
        self._name = name
        self._device = device
        self._period_ns = round(1e9 / frame_hz)
        self._last_ns: int | None = None
        self._health = CameraHealth()
        self._ended = False

    def newest(self, timeout_s: float) -> Frame | None:
        while not self._ended and self._device.grab():
            time_ns = self._device.stamp_ns() or 0
            early_ns = round((1 - RATE_TOLERANCE) * self._period_ns)
            if self._last_ns is not None and time_ns < self._last_ns + early_ns:
                continue
            self._last_ns = time_ns
            number = self._health.frames
            self._health = replace(self._health, frames=number + 1, timing=Timing.FILE)
            name = self._device.picture_name() or f"frame {number}"
            return Frame(time_ns, self._device.picture(), name, self._name)
        self._ended = True
        return None

    @property
    def ended(self) -> bool:
        return self._ended

    def health(self) -> CameraHealth:
        return self._health

    def close(self) -> None:
        self._ended = True
        self._device.close()
