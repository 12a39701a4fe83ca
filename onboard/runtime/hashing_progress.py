"""A large map takes minutes to hash: 11 GB two, from an SD card. systemd is asked to wait as long
as that goes on, a person sees how far it is, and what was hashed is kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from onboard.pack.pack_stamps import Stamp
from onboard.runtime.systemd import notify

log = logging.getLogger(__name__)

EVERY_S = 1.0
SAID_EVERY_S = 10.0
# A card that gives nothing for so long has failed: systemd may end the start.
EXTENDED_S = 30.0
# For the rest of the start, as TimeoutStartSec gives one that hashes nothing.
AFTERWARDS_S = 120.0
GB = 1e9


class HashingProgress:
    """A `HashWatch`."""

    def __init__(
        self,
        all_bytes: int,
        there: dict[str, Stamp],
        good: dict[str, Stamp],
        keep: Callable[[dict[str, Stamp]], None],
    ) -> None:
        """all_bytes: to be hashed. there: as the files lay there at first; good: those of them
        hashed before; keep: given those that are good, now and then and at the end."""
        self._all_bytes, self._read_bytes = all_bytes, 0
        self._there, self._good, self._keep = there, dict(good), keep
        self._told_s = self._said_s = time.monotonic()
        self._is_extended = False
        self._lock = threading.Lock()

    def read(self, size_bytes: int) -> None:
        with self._lock:
            self._read_bytes += size_bytes
            now_s = time.monotonic()
            if now_s - self._told_s < EVERY_S:
                return
            self._told_s, self._is_extended = now_s, True
            notify(_extended(EXTENDED_S), f"STATUS={self._far}")
            self._keep(self._good)
            if now_s - self._said_s >= SAID_EVERY_S:
                self._said_s = now_s
                log.info("%s", self._far)

    def good(self, name: str, stamp: Stamp) -> None:
        with self._lock:
            if self._there.get(name) == stamp:  # else someone writes while we read
                self._good[name] = stamp

    def end(self) -> None:
        """All is good."""
        if self._is_extended:
            notify(_extended(AFTERWARDS_S))
        self._keep(self._good)

    @property
    def _far(self) -> str:
        return f"hashing the map: {self._read_bytes / GB:.1f} of {self._all_bytes / GB:.1f} GB"


def _extended(for_s: float) -> str:
    return f"EXTEND_TIMEOUT_USEC={for_s * 1e6:.0f}"
