"""The link's thread: what the autopilot says, in its order, into the companion."""

from __future__ import annotations

import threading

from onboard.autopilot.session import AutopilotSession
from onboard.companion import Companion

WAIT_S = 0.05


class LinkReader:
    """`step` is the link thread's."""

    def __init__(
        self, companion: Companion, session: AutopilotSession, lock: threading.Lock
    ) -> None:
        self._companion = companion
        self._session = session
        self._lock = lock

    def step(self) -> None:
        """What arrived together is handed over under one lock."""
        events = self._session.poll(WAIT_S)
        if events:
            with self._lock:
                for event in events:
                    self._companion.handle(event)
