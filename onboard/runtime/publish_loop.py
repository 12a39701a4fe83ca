"""The publisher's thread: ticks at 10 Hz, each due at its own moment of the monotonic clock, so
that a late one doesn't delay those that follow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from onboard.publish import PERIOD_NS


class PublishLoop:
    """tick is given the time. missed: ticks that fell out because one before took too long."""

    def __init__(self, tick: Callable[[int], None], lock: threading.Lock) -> None:
        self._tick = tick
        self._lock = lock
        self._due_ns: int | None = None
        self.missed = 0
        self._latest_ns = 0

    def step(self) -> None:
        """Waits for the next tick and does it."""
        now_ns = time.monotonic_ns()
        due_ns = now_ns if self._due_ns is None else self._due_ns
        if due_ns > now_ns:
            time.sleep((due_ns - now_ns) * 1e-9)
        with self._lock:
            now_ns = time.monotonic_ns()
            self._tick(now_ns)
        self._latest_ns = max(self._latest_ns, now_ns - due_ns)
        behind = max(0, time.monotonic_ns() - due_ns) // PERIOD_NS
        self.missed += behind
        self._due_ns = due_ns + (behind + 1) * PERIOD_NS

    def take_latest_ns(self) -> int:
        """How late the latest tick was since this was asked last."""
        latest_ns, self._latest_ns = self._latest_ns, 0
        return latest_ns
