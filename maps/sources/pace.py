"""How fast a server is asked, over all threads."""

from __future__ import annotations

import threading
import time


class Stopped(Exception):
    """Another thread met the end of the work."""


class Pace:
    """Lets requests go one by one, evenly; everybody waits while it is held."""

    def __init__(self, requests_per_s: float) -> None:
        self._interval_s = 1.0 / requests_per_s
        self._next_s = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def wait(self) -> None:
        """Returns when the next request may go. Raises Stopped."""
        while True:
            with self._lock:
                now_s = time.monotonic()
                delay_s = self._next_s - now_s
                if delay_s <= 0 and not self._stop.is_set():
                    self._next_s = now_s + self._interval_s
                    return
            if self._stop.wait(max(delay_s, 0.0)):
                raise Stopped

    def hold(self, seconds: float) -> None:
        """Nobody asks before so many seconds are over."""
        with self._lock:
            self._next_s = max(self._next_s, time.monotonic() + seconds)

    def stop(self) -> None:
        """Everybody who waits, or will, is raised Stopped."""
        self._stop.set()
