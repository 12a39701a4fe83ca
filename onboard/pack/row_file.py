"""Single rows of an array file, read when they are needed.

Not a memory map: where the disk fails or the file is cut short, a map ends the process with
SIGBUS, and reading gives an error that refuses one frame. A run of rows is one system call.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.pack.array_file import Shape, array_start
from onboard.pack.ordinary_file import open_ordinary

Check = Callable[[int], None]


def no_check(file: int) -> None:
    """Of a file that nobody vouches for."""


class RowFile:
    """One open `.npy` of two dimensions. For any number of threads."""

    def __init__(self, path: Path, dtype: Any, shape: Shape, check: Check = no_check) -> None:
        """check: asked with the open file after every reading. Raises InputError naming the file:
        unreadable, of another kind, shape or length."""
        self.path = path
        self._check = check
        self._dtype = np.dtype(dtype)
        with ExitStack() as stack:
            try:
                self._file = stack.enter_context(open_ordinary(path))
                size = os.fstat(self._file.fileno()).st_size
                self.shape, self._start = array_start(self._file, size, (dtype, shape))
            except OSError as e:
                reason = f"cannot be read ({e.strerror})"
                raise InputError(f"{path}: {reason}; build the pack again") from e
            except ValueError as e:
                reason = f"not this pack's array ({e})"
                raise InputError(f"{path}: {reason}; build the pack again") from e
            self._opened = stack.pop_all()

    def rows(self, positions: NDArray[np.intp]) -> NDArray[Any]:
        """(len(positions), columns); quickest for ascending positions. Raises InputError: the
        disk failed, the file is shorter than it was; and what `check` raises."""
        columns = self.shape[1]
        out = np.empty((len(positions), columns), self._dtype)
        if not out.size:
            return out
        row_bytes = columns * self._dtype.itemsize
        breaks = (np.flatnonzero(np.diff(positions) != 1) + 1).tolist()
        data, file = out.data.cast("B"), self._file.fileno()
        for begin, end in zip([0, *breaks], [*breaks, len(positions)], strict=True):
            at = self._start + int(positions[begin]) * row_bytes
            self._read(file, data[begin * row_bytes : end * row_bytes], at)
        self._check(file)
        return out

    def _read(self, file: int, into: memoryview, at: int) -> None:
        try:
            while len(into):
                got = os.preadv(file, [into], at)
                if got == 0:
                    raise InputError(f"{self.path}: ends too early; copy the pack again")
                into, at = into[got:], at + got
        except OSError as e:
            raise InputError(f"{self.path}: cannot be read ({e.strerror})") from e

    def will_be_read(self) -> None:
        """Asks the system to read the file ahead; this doesn't wait for it."""
        with suppress(OSError):  # not every file system takes advice
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        self._opened.close()

    def __del__(self) -> None:
        if hasattr(self, "_opened"):
            self.close()
