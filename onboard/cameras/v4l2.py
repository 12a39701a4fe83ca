"""Cameras of the Linux kernel: /dev/video0."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import cv2

from onboard.cameras.address import CameraAddress
from onboard.cameras.capture import Capture
from onboard.cameras.contract import Timing
from onboard.cameras.device import CameraLost

LIST = "v4l2-ctl --list-devices names those that there are"


def open_v4l2(address: CameraAddress) -> Capture:
    """With the mode asked for. Buffer times (VIDIOC_DQBUF's timestamp, V4L2_BUF_FLAG_TIMESTAMP_
    MONOTONIC with nearly all drivers) are the exposure's start or the frame's end.

    Raises CameraLost: not there, not allowed, busy, no such mode.
    """
    path = address.target
    _check_node(path)
    settings: list[int] = []
    if fourcc := address.words.get("fourcc"):
        settings += [cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*fourcc)]
    for key, what in (
        ("width", cv2.CAP_PROP_FRAME_WIDTH),
        ("height", cv2.CAP_PROP_FRAME_HEIGHT),
        ("fps", cv2.CAP_PROP_FPS),
    ):
        if key in address.numbers:
            settings += [what, round(address.numbers[key])]
    capture = Capture(
        path,
        cv2.CAP_V4L2,
        Timing.DRIVER,
        settings=settings,
        failed=f"{path}: cannot be opened as a camera; another program may hold it (fuser {path})",
    )
    given = (
        round(capture.opened.get(cv2.CAP_PROP_FRAME_WIDTH)),
        round(capture.opened.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )
    asked = _asked_size(address.numbers, given)
    if asked != given:
        capture.close()
        raise CameraLost(
            f"{path}: asked for {asked[0]}x{asked[1]}, the camera gives {given[0]}x{given[1]}; "
            f"choose a mode of v4l2-ctl -d {path} --list-formats-ext"
        )
    return capture


def _asked_size(numbers: Mapping[str, float], given: tuple[int, int]) -> tuple[int, int]:
    return round(numbers.get("width", given[0])), round(numbers.get("height", given[1]))


def _check_node(path: str) -> None:
    """A sentence where OpenCV would only say that it failed."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError as e:
        raise CameraLost(f"{path}: no such camera; plug it in ({LIST})") from e
    except OSError as e:
        raise CameraLost(f"{path}: cannot be reached ({e.strerror}); {LIST}") from e
    if not stat.S_ISCHR(mode):
        raise CameraLost(f"{path}: is no camera; {LIST}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraLost(f"{path}: not allowed; add the user to its group (usermod -aG video USER)")
