"""A video file, frame by frame with its own times."""

from __future__ import annotations

import cv2

from onboard.cameras.address import CameraAddress
from onboard.cameras.capture import Capture
from onboard.cameras.contract import Timing
from onboard.cameras.device import CameraLost
from onboard.errors import InputError
from onboard.messages import Picture


class VideoFile:
    """Implements `device.Device`. Variable frame rates count as they were recorded."""

    timing = Timing.FILE

    def __init__(self, address: CameraAddress) -> None:
        """Raises InputError: no video, or nothing in it."""
        path = address.target
        try:
            self._capture = Capture(path, cv2.CAP_FFMPEG, Timing.FILE, failed="cannot be decoded")
        except CameraLost as e:
            raise InputError(f"{path}: no video that can be played ({e}); give a whole file") from e
        self._last_ns = -1

    def grab(self) -> bool:
        return self._capture.grab()

    def stamp_ns(self) -> int:
        """From the file's start; a file whose times stand still or go back counts on by 1 ns."""
        self._last_ns = max(self._capture.stamp_ns() or 0, self._last_ns + 1)
        return self._last_ns

    def picture(self) -> Picture | None:
        return self._capture.picture()

    def picture_name(self) -> str:
        return ""

    def close(self) -> None:
        self._capture.close()
