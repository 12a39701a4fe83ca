"""Opens files of a folder that someone else made: only ordinary ones, that lie in it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import BinaryIO

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO would wait


def open_ordinary(path: Path) -> BinaryIO:
    """For reading. Raises OSError, also for a link, a folder, a pipe or a device."""
    return _ordinary(_open(str(path), path, None), path)


def open_within(folder: Path, name: str) -> BinaryIO:
    """The same for a relative name with '/', none of whose folders may be a link either. The
    folder itself may be one."""
    *folders, last = PurePosixPath(name).parts
    path, here = folder / name, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            below = _open(part, path, here, os.O_DIRECTORY)
            os.close(here)
            here = below
        return _ordinary(_open(last, path, here), path)
    finally:
        os.close(here)


def _open(name: str, path: Path, folder: int | None, flags: int = 0) -> int:
    try:
        return os.open(name, _FLAGS | flags, dir_fd=folder)
    except OSError as e:
        if e.errno == errno.ELOOP or (flags and e.errno == errno.ENOTDIR):
            raise OSError(e.errno, "a link, or below one", str(path)) from e
        raise


def _ordinary(file: int, path: Path) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    return os.fdopen(file, "rb")
