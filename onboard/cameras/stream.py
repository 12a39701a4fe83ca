"""H.264 and H.265 over the network: RTSP, and MPEG-TS in UDP, through OpenCV's FFMPEG."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from onboard.cameras.address import CameraAddress
from onboard.cameras.capture import Capture
from onboard.cameras.contract import Timing

OPEN_TIMEOUT_MS = 5000
READ_TIMEOUT_MS = 2000  # a sender that is silent for this long has gone
# As FFMPEG's own options: no buffering, no frames held back for reordering, damaged packets
# thrown away rather than shown, half a second of stream at most to find out what it is.
LOW_LATENCY = (
    "fflags;nobuffer+discardcorrupt|flags;low_delay|probesize;500000|analyzeduration;500000"
)
OPTIONS_NAME = "OPENCV_FFMPEG_CAPTURE_OPTIONS"  # OpenCV takes them from the environment alone
_ENVIRONMENT = threading.Lock()


def open_stream(address: CameraAddress) -> Capture:
    """Times are the sender's. Raises CameraLost within OPEN_TIMEOUT_MS."""
    options = LOW_LATENCY
    if address.target.startswith("rtsp"):
        options += f"|rtsp_transport;{address.words.get('transport', 'tcp')}"
    with _options(options):
        return Capture(
            address.target,
            cv2.CAP_FFMPEG,
            Timing.STREAM,
            settings=[
                *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS),
                *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS),
            ],
            failed=f"{address.name}: no stream; see to sender, address, port and password",
        )


@contextmanager
def _options(text: str) -> Iterator[None]:
    with _ENVIRONMENT:
        before = os.environ.get(OPTIONS_NAME)
        os.environ[OPTIONS_NAME] = text if before is None else before  # a person's own win
        try:
            yield
        finally:
            if before is None:
                del os.environ[OPTIONS_NAME]
