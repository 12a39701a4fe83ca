"""A way over the ground in bounded memory: when it is full, every other point goes."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.geodesy import enu_offset_m

CAPACITY = 1500  # points of one track; more than a screen shows
FIRST_SPACING_M = 2.0  # about a pixel of the map seen as a whole
GAP_NS = 2_000_000_000  # silence that is drawn as a break


@dataclass(frozen=True)
class TrackPoint:
    """begins: no line leads here from the point before."""

    lat_deg: float
    lon_deg: float
    begins: bool


class Track:
    """Not for several threads at once. `thinned` counts how often points were dropped: who
    holds a copy of the same count needs only the points behind its own."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.points: list[TrackPoint] = []
        self.thinned = 0
        self._capacity = capacity
        self._spacing_m = FIRST_SPACING_M
        self._last_ns: int | None = None
        self._broken = False

    def add(self, time_ns: int, lat_deg: float, lon_deg: float) -> None:
        """Kept when it lies away from the last point kept."""
        silent = self._last_ns is None or time_ns - self._last_ns > GAP_NS
        self._broken = self._broken or silent
        self._last_ns = time_ns
        if self.points:
            last = self.points[-1]
            east_m, north_m = enu_offset_m(last.lat_deg, last.lon_deg, lat_deg, lon_deg)
            if float(east_m**2 + north_m**2) < self._spacing_m**2:
                return
        self.points.append(TrackPoint(lat_deg, lon_deg, self._broken))
        self._broken = False
        if len(self.points) >= self._capacity:
            self._thin()

    def _thin(self) -> None:
        """A break on a dropped point moves to the next one kept."""
        kept = []
        for i in range(0, len(self.points), 2):
            point = self.points[i]
            begins = point.begins or (i > 0 and self.points[i - 1].begins)
            kept.append(TrackPoint(point.lat_deg, point.lon_deg, begins))
        self.points = kept
        self._spacing_m *= 2.0
        self.thinned += 1
