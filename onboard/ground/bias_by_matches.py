"""The terrain's bias as matches tell it, against what it was anchored at: a view that fits the map
but for its scale was seen from another height, and one found elsewhere than the autopilot believed
to be stands over other ground. One match may be mistaken; several that agree are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

COUNT = 3  # as many fixes make a position (`relocalization.CONFIRMING_FIXES`)
HOLDS_NS = 60_000_000_000  # some see every tenth frame refused for its scale alone
KEPT = 12
ALIKE_SIGMAS = 2.0


@dataclass(frozen=True)
class SaidBias:
    """By one match, or by several that agree: metres, one sigma."""

    time_ns: int
    m: float
    sigma_m: float


class BiasByMatches:
    """One flight's."""

    def __init__(self) -> None:
        self._said: list[SaidBias] = []

    def add(self, said: SaidBias) -> None:
        """One more that contradicts the bias."""
        recent = [s for s in self._said if 0 <= said.time_ns - s.time_ns <= HOLDS_NS]
        self._said = [*recent, said][-KEPT:]

    def agreed(self) -> SaidBias | None:
        """What those say that agree with the newest, once they are enough: no more certain than
        the best of them, as they err alike."""
        said = self._said[-1]
        alike = [s for s in self._said if _agree(s, said)]
        if len(alike) < COUNT:
            return None
        self.clear()
        weights = [s.sigma_m**-2 for s in alike]
        mean_m = sum(s.m * w for s, w in zip(alike, weights, strict=True)) / sum(weights)
        return SaidBias(said.time_ns, mean_m, min(s.sigma_m for s in alike))

    def clear(self) -> None:
        """A match agrees with the bias as it is."""
        self._said = []


def _agree(a: SaidBias, b: SaidBias) -> bool:
    return abs(a.m - b.m) <= ALIKE_SIGMAS * math.hypot(a.sigma_m, b.sigma_m)
