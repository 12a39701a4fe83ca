"""A folder of pictures as a recording: in the order of their names, decoded one at a time."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from onboard.cameras.address import CameraAddress
from onboard.cameras.contract import Timing
from onboard.cameras.picture_size import declared_size_px, is_whole
from onboard.errors import InputError
from onboard.messages import Picture

SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_PX = 150_000_000  # more than any camera on a drone; the memory of a companion is small
MIN_NS_DIGITS = 10  # a name of fewer digits is a number in a series and no time in nanoseconds
LATEST_NS = 2**63 - 1


class PictureFolder:
    """Implements `device.Device`. Times are those in the names where all names are nanoseconds
    (as EuRoC's 1403636579763555584.png), else the `fps` of the address."""

    timing = Timing.FILE

    def __init__(self, address: CameraAddress) -> None:
        """Raises InputError: no pictures, no times and no fps."""
        folder = Path(address.target)
        try:
            paths = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
        except OSError as e:
            raise InputError(f"{folder}: cannot be read ({e.strerror}); see to its rights") from e
        if not paths:
            raise InputError(f"{folder}: no pictures in it ({', '.join(SUFFIXES)})")
        paths.sort(key=lambda p: _natural(p.name))
        if all(_is_time(p.stem) for p in paths):
            self._pictures = sorted((int(p.stem), p) for p in paths)
        elif "fps" in address.numbers:
            fps = address.numbers["fps"]
            self._pictures = [(round(i * 1e9 / fps), p) for i, p in enumerate(paths)]
        else:
            raise InputError(
                f"{folder}: the names are no times in nanoseconds; say how many pictures a second "
                f"were taken, as {folder}?fps=2"
            )
        self._next = 0

    def grab(self) -> bool:
        if self._next >= len(self._pictures):
            return False
        self._next += 1
        return True

    def stamp_ns(self) -> int:
        return self._pictures[self._next - 1][0]

    def picture(self) -> Picture | None:
        return read_whole_picture(self._pictures[self._next - 1][1])

    def picture_name(self) -> str:
        name = self._pictures[self._next - 1][1].name
        return name.encode("utf-8", "backslashreplace").decode("utf-8")

    def close(self) -> None:
        """Nothing is held open."""


def read_whole_picture(path: Path) -> Picture | None:
    """(H, W, 3) uint8 BGR, not turned by any tag; None for what is no picture or not all of one:
    OpenCV fills what is missing with grey and says nothing."""
    try:
        data = path.read_bytes()
        size_px = declared_size_px(data)
        if size_px is None or size_px[0] * size_px[1] > MAX_PX or not is_whole(data):
            return None
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except (OSError, MemoryError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _is_time(stem: str) -> bool:
    return (
        stem.isascii()
        and stem.isdecimal()
        and len(stem) >= MIN_NS_DIGITS
        and (int(stem) <= LATEST_NS)
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """frame2 before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(p) if p.isascii() and p.isdecimal() else 0, p) for p in parts]
