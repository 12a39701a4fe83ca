"""OpenCV's VideoCapture as a device: what V4L2, GStreamer and FFMPEG have in common."""

from __future__ import annotations

import os
from collections.abc import Sequence

import cv2
import numpy as np

from onboard.cameras.contract import Timing
from onboard.cameras.device import CameraLost
from onboard.messages import Picture

# Both write to stderr by themselves, a stream's password among other things; what fails is said
# in `CameraHealth.problem`.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class Capture:
    """Implements `device.Device`."""

    def __init__(
        self,
        source: str,
        backend: int,
        timing: Timing,
        *,
        settings: Sequence[int] = (),
        failed: str,
    ) -> None:
        """settings: property, value, property, ... failed: the sentence when it won't open."""
        self.timing = timing
        try:
            self.opened = cv2.VideoCapture(source, backend, list(settings))
        except cv2.error as e:
            raise CameraLost(f"{failed} ({e.err})") from e
        if not self.opened.isOpened():
            self.opened.release()
            raise CameraLost(failed)

    def grab(self) -> bool:
        return self.opened.grab()

    def stamp_ns(self) -> int | None:
        """CAP_PROP_POS_MSEC: V4L2's buffer time; a stream's or file's own presentation time."""
        stamp_ms = self.opened.get(cv2.CAP_PROP_POS_MSEC)
        return round(stamp_ms * 1e6) if np.isfinite(stamp_ms) and stamp_ms >= 0.0 else None

    def picture(self) -> Picture | None:
        good, image = self.opened.retrieve()
        if not good or image is None:
            return None
        if image.ndim == 2:  # a monochrome sensor
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        return np.asarray(image, np.uint8)

    def picture_name(self) -> str:
        return ""

    def close(self) -> None:
        self.opened.release()
