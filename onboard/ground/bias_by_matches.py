"""The terrain's bias as matches tell it, against what it was anchored at: a view that fits the map
but for its scale was seen from another height, and one found elsewhere than the autopilot believed
to be stands over other ground. One match may be mistaken; several that agree, in places where one
vehicle can have been, and that hardly any contradicts, are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from onboard.geodesy import distance_m
from onboard.relocalization import APART_NS

# More than all that say anything else: as many fixes make a position (`CONFIRMING_FIXES`). Of
# flights with 40 matches of random scale (0.6-1.6 at 120 m) 5 % are misled, 20 % with a lead of 2.
LEAD = 3
HOLDS_NS = 60_000_000_000  # some see every tenth frame refused for its scale alone
KEPT = 12
ALIKE_SIGMAS = 2.0
FASTEST_M_S = 40.0  # over ground, small fixed wings with the wind
SAME_PLACE_M = 20.0  # three sigma of two places of 5 m each


@dataclass(frozen=True)
class SaidBias:
    """By one match that was found at place (lat_deg, lon_deg), or by several that agree: metres,
    one sigma. apart_m: what one match errs by and the next does not, a part of sigma_m."""

    time_ns: int
    m: float
    sigma_m: float
    apart_m: float
    place: tuple[float, float]


class BiasByMatches:
    """One flight's."""

    def __init__(self) -> None:
        self._said: list[SaidBias] = []

    def add(self, said: SaidBias) -> bool:
        """One more, whether it contradicts the bias or agrees. False where it doesn't count: it
        shows the same ground as the one before."""
        recent = [s for s in self._said if 0 <= said.time_ns - s.time_ns <= HOLDS_NS]
        if recent and said.time_ns - recent[-1].time_ns < APART_NS:
            return False
        self._said = [*recent, said][-KEPT:]
        return True

    def agreed(self) -> SaidBias | None:
        """What those say that agree with the newest, once they are enough: no more certain than
        the best of them, as they err alike."""
        said = self._said[-1]
        alike = [s for s in self._said if _agree(s, said)]
        if len(alike) - (len(self._said) - len(alike)) < LEAD:
            return None
        weights = [s.sigma_m**-2 for s in alike]
        mean_m = sum(s.m * w for s, w in zip(alike, weights, strict=True)) / sum(weights)
        return replace(min(alike, key=lambda s: s.sigma_m), m=mean_m)

    def clear(self) -> None:
        """The bias is another one now."""
        self._said = []


def _agree(a: SaidBias, b: SaidBias) -> bool:
    reach_m = SAME_PLACE_M + FASTEST_M_S * abs(b.time_ns - a.time_ns) * 1e-9
    if distance_m(*a.place, *b.place) > reach_m:
        return False
    return abs(a.m - b.m) <= ALIKE_SIGMAS * math.hypot(a.apart_m, b.apart_m)
