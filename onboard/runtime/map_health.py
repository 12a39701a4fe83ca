"""Whether the map could be read in flight: its pictures and descriptors, and its terrain."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from onboard.companion import FrameDone, JournalEntry
from onboard.messages import FrameResult
from onboard.reasons import Reason

HOLDS_NS = 10_000_000_000  # frames that need what can't be read come between others
NO_TILES = "Pilotage: map can't be read, no fixes there"
NO_TERRAIN = "Pilotage: terrain can't be read, height unsure"


@dataclass
class _Reads:
    problem: str = ""
    failed_ns: int = 0

    def note(self, time_ns: int, problem: str) -> None:
        if problem:
            self.problem, self.failed_ns = problem, time_ns
        elif time_ns - self.failed_ns >= HOLDS_NS:
            self.problem = ""


class MapHealth:
    """`note` is a journal of `onboard.companion.Companion`; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tiles, self._terrain = _Reads(), _Reads()
        self._failed = 0

    def note(self, entry: JournalEntry) -> None:
        """Takes a step of the flight in. A problem is over with what was read well a while after
        it, and not with frames that read nothing."""
        if not isinstance(entry, FrameDone):
            return
        result = entry.result
        tiles = _tiles_problem(result)
        terrain = result.height.problem if result.height else ""
        with self._lock:
            self._failed += bool(tiles or terrain)
            if tiles or result.candidates:
                self._tiles.note(result.time_ns, tiles)
            if result.height is not None:
                self._terrain.note(result.time_ns, terrain)

    def state(self) -> tuple[str, str, str]:
        """The problem, a sentence; what the pilot reads of it, at most 50 bytes; how often. The
        first two are '' while the map can be read."""
        with self._lock:
            tiles, terrain, failed = self._tiles.problem, self._terrain.problem, self._failed
        text = NO_TILES if tiles else NO_TERRAIN if terrain else ""
        return tiles or terrain, text, f"could not be read for {failed} frames"


def _tiles_problem(result: FrameResult) -> str:
    refusal = result.refusal
    if refusal is None or refusal.reason is not Reason.MAP_UNREADABLE:
        return ""
    return refusal.detail
