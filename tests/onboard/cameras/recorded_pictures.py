"""Recordings and streams that the tests make: each frame says its number in its brightness."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.messages import Picture

SIZE_PX = (320, 240)
LEVEL_STEP = 8

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs a real sender: apt-get install ffmpeg"
)


def numbered(number: int, size_px: tuple[int, int] = SIZE_PX) -> Picture:
    """A picture whose left half has a brightness of 20 + 8 * number, the right one structure."""
    image = np.full((size_px[1], size_px[0], 3), 20 + LEVEL_STEP * (number % 28), np.uint8)
    image[::8, size_px[0] // 2 :] = 255
    return image


def number_of(image: Picture) -> int:
    left = image[:, : image.shape[1] // 3]
    return round((float(left.mean()) - 20) / LEVEL_STEP)


def write_video(path: Path, frames: int, fps: float = 20.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, SIZE_PX)
    assert writer.isOpened()
    for i in range(frames):
        writer.write(numbered(i))
    writer.release()
    return path


@contextmanager
def sender(url: str, size: str = "320x240", rate: int = 20) -> Iterator[subprocess.Popen[bytes]]:
    """A real H.264 encoder that sends MPEG-TS."""
    command = [
        *("ffmpeg", "-loglevel", "quiet", "-nostdin", "-re", "-f", "lavfi"),
        *("-i", f"testsrc2=size={size}:rate={rate}", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-tune", "zerolatency", "-g", str(rate // 2), "-threads", "1"),
        *("-f", "mpegts", f"{url}?pkt_size=1316"),
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
