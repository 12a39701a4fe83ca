"""Says in the service's log how many frames were used, and why the others were not."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from onboard.companion import FrameDone, Handled, JournalEntry
from onboard.geodesy import distance_to_box_m
from onboard.telemetry_messages import Gnss

log = logging.getLogger(__name__)

EVERY_S = 60.0  # while nothing is used; a line a minute floods no log
OFF_MAP_M = 100.0  # no receiver that works errs so far
USED = ""  # counted beside the reasons


class FrameTally:
    """`note` is a journal of `onboard.companion.Companion`; for several threads."""

    def __init__(
        self, bounds: tuple[float, float, float, float], own_receiver: int | None, now_s: float
    ) -> None:
        """bounds: the map's south, west, north, east in degrees. own_receiver: the number under
        which the autopilot reports what Pilotage sends."""
        self._bounds = bounds
        self._own_receiver = own_receiver
        self._lock = threading.Lock()
        self._all: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # of them, when last looked at
        self._told_s = now_s
        self._place: tuple[float, float] | None = None
        self._told_off = False

    def note(self, entry: JournalEntry) -> None:
        """Takes a step of the flight in."""
        if isinstance(entry, FrameDone):
            refusal = entry.result.refusal
            with self._lock:
                self._all[refusal.reason.value if refusal else USED] += 1
        elif isinstance(entry, Handled) and isinstance(entry.event, Gnss):
            self._hear(entry.event)

    def look(self, now_s: float) -> None:
        """About once a second: a line for each minute in which no frame was used, and one when
        the receiver is off the map for the first time."""
        with self._lock:
            counts, place = self._all.copy(), self._place
        self._tell_off_map(place)
        if now_s - self._told_s < EVERY_S:
            return
        lately = counts - self._told
        self._told, self._told_s = counts, now_s
        if lately and not lately[USED]:
            log.warning("in %.0f s %s", EVERY_S, tally_text(lately))

    def end(self) -> None:
        """The flight's sum."""
        with self._lock:
            counts = self._all.copy()
        level = logging.INFO if counts[USED] else logging.WARNING
        log.log(level, "%s", tally_text(counts))

    def _hear(self, gnss: Gnss) -> None:
        if gnss.has_fix and gnss.receiver != self._own_receiver:
            with self._lock:
                self._place = gnss.lat_deg, gnss.lon_deg

    def _tell_off_map(self, place: tuple[float, float] | None) -> None:
        if place is None or self._told_off:
            return
        off_m = distance_to_box_m(self._bounds, *place)
        if off_m > OFF_MAP_M:
            self._told_off = True
            log.warning("by GNSS the vehicle is %.1f km off the map", off_m / 1000)


def tally_text(counts: Counter[str]) -> str:
    """As '0 of 15 frames used: 13 height_out_of_range, 2 no_attitude'."""
    if not counts.total():
        return "no frame came from the camera"
    refused = [f"{n} {reason}" for reason, n in counts.most_common() if reason != USED]
    said = f"{counts[USED]} of {counts.total()} frames used"
    return f"{said}: {', '.join(refused)}" if refused else said
