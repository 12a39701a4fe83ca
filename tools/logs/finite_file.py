"""A file that ends for a reader which would go back in it for ever."""

from __future__ import annotations

import io
from pathlib import Path

MOST_READ = 10  # times its size; whole logs are read once or twice
MIN_READ_BYTES = 10_000_000


class FiniteFile(io.FileIO):
    """Read only. After MOST_READ times its size it says that it is at its end: pyulog seeks back
    at damaged headers, at some of them to where it was before."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        super().__init__(path, "rb")
        self._left_bytes = max(MOST_READ * path.stat().st_size, MIN_READ_BYTES)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left_bytes <= 0:
            return b""
        data = super().read(size) or b""
        self._left_bytes -= len(data)
        return data
