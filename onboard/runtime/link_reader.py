"""The link's thread: what the autopilot says, in its order, into the companion."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol

from onboard.companion import Companion
from onboard.messages import Event

WAIT_S = 0.05  # also how late a request of `Inbox.act` may be


class Receives(Protocol):
    """`autopilot.link.MavlinkLink`."""

    @property
    def arrival_ns(self) -> int: ...

    def receive(self, timeout_s: float) -> list[Any]: ...


class Inbox(Protocol):
    """Makes events of messages, stamped with the host's monotonic time, and asks the autopilot
    for what it doesn't send by itself."""

    def events(self, messages: list[Any], arrival_ns: int) -> list[Event]: ...

    def act(self, now_ns: int) -> None: ...


class LinkReader:
    """`step` is the link thread's."""

    def __init__(
        self, companion: Companion, link: Receives, inbox: Inbox, lock: threading.Lock
    ) -> None:
        self._companion = companion
        self._link = link
        self._inbox = inbox
        self._lock = lock

    def step(self) -> None:
        """What arrived together is handed over under one lock."""
        messages = self._link.receive(WAIT_S)
        if messages and (events := self._inbox.events(messages, self._link.arrival_ns)):
            with self._lock:
                for event in events:
                    self._companion.handle(event)
        self._inbox.act(time.monotonic_ns())
