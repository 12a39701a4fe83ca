"""The folder of the recordings: names, the size cap, and what is left on the disk.

Recordings are numbered, because a companion without a real-time clock believes in 1970.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from onboard.errors import InputError
from onboard.whole_file import make_folder

NAME = re.compile(r"flight_(\d{6,})_\d{8}T\d{6}Z\.mcap")
MIN_FREE_BYTES = 512 << 20  # left to the system, whatever the cap says
GB = 1_000_000_000


def next_path(folder: Path, unix_s: float | None = None) -> Path:
    """Where the next recording goes; makes the folder. Raises InputError: it can't be made."""
    make_folder(folder)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(unix_s))
    numbers = [_number(path) for path in recordings(folder)]
    return folder / f"flight_{max(numbers, default=0) + 1:06d}_{stamp}.mcap"


def recordings(folder: Path) -> list[Path]:
    """Our own, the oldest first; anything else in the folder is left alone."""
    try:
        found = [p for p in folder.iterdir() if NAME.fullmatch(p.name) and p.is_file()]
    except OSError as e:
        raise InputError(f"{folder}: cannot be read ({e.strerror}); choose another folder") from e
    return sorted(found, key=_number)


def make_room(folder: Path, current: Path, max_bytes: float) -> str:
    """Deletes the oldest recordings until those left fit the cap and the disk has room.

    current is never deleted, and none of the others where that would not make room enough. ''
    when all is well, else a clause why nothing more can be recorded.
    """
    old = [path for path in recordings(folder) if path != current]
    sizes = {path: path.stat().st_size for path in (*old, current)}
    missing = MIN_FREE_BYTES - shutil.disk_usage(folder).free
    if missing > sum(sizes[path] for path in old):
        return f"{folder}: less than {MIN_FREE_BYTES >> 20} MB are free"
    if sizes[current] > max_bytes:
        return f"{current}: has reached max_gb of {max_bytes / GB:g}"
    while missing > 0 or sum(sizes.values()) > max_bytes:
        oldest = old.pop(0)
        oldest.unlink(missing_ok=True)
        missing -= sizes.pop(oldest)
    return ""


def _number(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    return int(match.group(1)) if match else 0
