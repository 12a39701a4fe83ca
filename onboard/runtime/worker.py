"""A thread of the flight: does one thing again and again, shows that it is alive, and ends the
flight when it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker:
    """step returns within about half a second when nothing is to be done."""

    def __init__(self, name: str, step: Callable[[], None], failed: threading.Event) -> None:
        """failed is set when a step raised; `failure` then says what."""
        self.name = name
        self.failure = ""
        self._step = step
        self._failed = failed
        self._stop = threading.Event()
        self._came_round_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._came_round_s = time.monotonic()
        self._thread.start()

    @property
    def silent_s(self) -> float:
        """Since a step last ended."""
        return time.monotonic() - self._came_round_s

    def ask_to_stop(self) -> None:
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
                self._came_round_s = time.monotonic()
        except Exception as e:
            log.exception("the thread '%s' failed", self.name)
            self.failure = f"the thread '{self.name}' failed: {type(e).__name__}: {e}"
            self._failed.set()
