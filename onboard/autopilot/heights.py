"""One height above ground out of several sources, which must not fight: interpolated between
two of them it would swing at every message. The best one that speaks has the word.
"""

from __future__ import annotations

import math

from onboard.telemetry_messages import Height

RANGEFINDER, CLEARANCE, TERRAIN, HOME = "rangefinder", "clearance", "terrain", "home"
RANK = (RANGEFINDER, CLEARANCE, TERRAIN, HOME)  # the best first
MEASURED = (RANGEFINDER, CLEARANCE)  # from the vehicle down to the ground
FRESH_NS = 1_000_000_000  # a source that was silent for so long has lost the word
TERRAIN_FRESH_NS = 5_000_000_000  # the ground below 20 m/s changes over some 100 m
MAX_TILT_COSINE = math.cos(math.radians(25.0))  # beyond, the beam meets other ground
RANGEFINDER_SIGMA_M, RANGEFINDER_SIGMA_SHARE = 0.3, 0.02  # lidar data sheets; treetops apart
CLEARANCE_SIGMA_M = 1.0
TERRAIN_SIGMA_M = 6.0  # SRTM: 9 m at 90 %, farmstead and forest included
HOME_SIGMA_M = 5.0  # level ground around home; what hills add, nobody knows here
MAX_AGL_M = 20_000.0
MIN_AGL_M = -1_000.0  # below home is above ground, too, where home was a hill


class Heights:
    """Fed what was decoded, in order; each call gives the Height to pass on, or None."""

    def __init__(self) -> None:
        self._spoke_ns: dict[str, int] = {}
        self._amsl: tuple[int, float] | None = None
        self._ground: tuple[int, float] | None = None  # above mean sea level
        self._vertical_share = 1.0  # cosine of the tilt

    def attitude(self, roll: float, pitch: float) -> None:
        self._vertical_share = math.cos(roll) * math.cos(pitch)

    def ground(self, time_ns: int, ground_amsl_m: float) -> None:
        """The terrain below, by the autopilot's map (TERRAIN_REPORT)."""
        self._ground = time_ns, ground_amsl_m

    def position(self, time_ns: int, amsl_m: float | None, above_home_m: float) -> Height | None:
        """GLOBAL_POSITION_INT: above the terrain where that is known, else above home."""
        self._amsl = None if amsl_m is None else (time_ns, amsl_m)
        if amsl_m is not None and self._ground is not None:
            ground_ns, ground_amsl_m = self._ground
            if abs(time_ns - ground_ns) <= TERRAIN_FRESH_NS:
                return self._say(TERRAIN, time_ns, amsl_m - ground_amsl_m, TERRAIN_SIGMA_M)
        return self._say(HOME, time_ns, above_home_m, HOME_SIGMA_M)

    def rangefinder(self, time_ns: int, distance_m: float) -> Height | None:
        """A distance straight down the vehicle, in the sensor's range."""
        if self._vertical_share < MAX_TILT_COSINE:
            return None
        agl_m = distance_m * self._vertical_share
        sigma_m = RANGEFINDER_SIGMA_M + RANGEFINDER_SIGMA_SHARE * agl_m
        return self._say(RANGEFINDER, time_ns, agl_m, sigma_m)

    def clearance(self, time_ns: int, agl_m: float) -> Height | None:
        """ALTITUDE's bottom_clearance: PX4's own estimate of it."""
        return self._say(CLEARANCE, time_ns, agl_m, CLEARANCE_SIGMA_M)

    def _say(self, source: str, time_ns: int, agl_m: float, sigma_m: float) -> Height | None:
        if not MIN_AGL_M <= agl_m <= MAX_AGL_M:
            return None
        for better in RANK[: RANK.index(source)]:
            spoke_ns = self._spoke_ns.get(better)
            if spoke_ns is not None and abs(time_ns - spoke_ns) <= FRESH_NS:
                return None
        self._spoke_ns[source] = time_ns
        amsl_m = None
        if self._amsl is not None and abs(time_ns - self._amsl[0]) <= FRESH_NS:
            amsl_m = self._amsl[1]
        return Height(time_ns, agl_m, amsl_m, sigma_m, source)
