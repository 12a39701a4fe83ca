"""A recorded log by its suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onboard.errors import InputError
from tools.logs.dataflash import read_dataflash
from tools.logs.dji_srt import read_srt
from tools.logs.pose_table import read_pose_table
from tools.logs.px4_ulog import read_ulog
from tools.logs.recorded_log import RecordedLog
from tools.logs.tlog import read_tlog

READERS: dict[str, Callable[[Path], RecordedLog]] = {
    ".bin": read_dataflash,
    ".tlog": read_tlog,
    ".ulg": read_ulog,
    ".srt": read_srt,
    ".csv": read_pose_table,
}


def is_log(path: Path) -> bool:
    """By its name alone."""
    return path.suffix.lower() in READERS


def open_log(path: Path) -> RecordedLog:
    """Raises InputError: no such file, of no known kind, or as the readers do."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a recorded log")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path}: no kind of log that is known ({', '.join(READERS)}); give one of these"
        )
    return reader(path)
