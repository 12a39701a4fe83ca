"""The frame thread: the camera's newest frame through the companion's steps, the slow ones
outside the lock."""

from __future__ import annotations

import threading

from onboard.cameras.contract import FrameSource
from onboard.companion import Companion

WAIT_S = 0.25  # for a frame, at a time


class FrameLoop:
    """`step` is the frame thread's. ended: a recording was played to its end."""

    def __init__(self, companion: Companion, source: FrameSource, lock: threading.Lock) -> None:
        self._companion = companion
        self._source = source
        self._lock = lock
        self._wait = threading.Event()

    @property
    def ended(self) -> bool:
        return self._source.ended

    def step(self) -> None:
        """One frame, if one comes."""
        frame = self._source.newest(WAIT_S)
        if frame is None:
            if self._source.ended:
                self._wait.wait(WAIT_S)
            return
        navigator = self._companion.navigator
        with self._lock:
            number, work = self._companion.begin(frame)
        navigator.look(work)
        with self._lock:
            self._companion.take_motion(number, work)
        navigator.find(work)
        with self._lock:
            self._companion.finish(number, work)
