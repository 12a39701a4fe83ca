"""STATUSTEXT (#253): what the pilot reads, never more than he can."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.contract import Link

TEXT_LENGTH = 50  # bytes in a message
GAP_NS = 400_000_000  # between two texts
TOPIC_GAP_NS = 3_000_000_000  # between two texts of one topic

# MAV_SEVERITY
CRITICAL, ERROR, WARNING, NOTICE, INFO = 2, 3, 4, 5, 6


def status_text(severity: int, text: str) -> Any:
    """Cut at 50 bytes. severity: MAV_SEVERITY."""
    shown = text.encode("ascii", "replace")[:TEXT_LENGTH]
    return mavlink.MAVLink_statustext_message(severity, shown)


class Announcer:
    """Texts by topic: a newer one replaces one that waits, what was said last is not said
    again, and no topic speaks more often than every 3 s, however much it changes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: dict[str, tuple[int, str]] = {}
        self._said: dict[str, tuple[int, str]] = {}
        self._said_ns: dict[str, int] = {}
        self._last_ns: int | None = None

    def say(self, topic: str, severity: int, text: str) -> None:
        self._waiting.pop(topic, None)
        if self._said.get(topic) != (severity, text):
            self._waiting[topic] = (severity, text)

    def act(self, now_ns: int) -> None:
        """Sends the gravest text that is due."""
        if self._last_ns is not None and 0 <= now_ns - self._last_ns < GAP_NS:
            return
        due = [
            topic
            for topic in self._waiting
            if topic not in self._said_ns or not 0 <= now_ns - self._said_ns[topic] < TOPIC_GAP_NS
        ]
        if not due:
            return
        topic = min(due, key=lambda t: self._waiting[t][0])
        severity, text = self._said[topic] = self._waiting.pop(topic)
        self._said_ns[topic] = self._last_ns = now_ns
        self._link.send(status_text(severity, text))
