"""What is wrong with height above sea level minus terrain: the barometer's drift and the elevation
model's own error, as one number that is anchored where a flight began and corrected by a
rangefinder, and by matches where they contradict it.

A rangefinder that suddenly tells another height has met a building, treetops or an edge: it is
left out until that has lasted, then the terrain is wrong here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

from onboard.ground.bias_by_matches import BiasByMatches, SaidBias

AMSL_SIGMA_M = 10.0  # of an autopilot's height above sea level: set by GNSS, 95 % within 20 m
DRIFT_M = 0.13  # per root second: 1 hPa, 8 m, in the hour of a weather front
CORRELATED_S = 5.0  # one reading errs like the next for so long: 50 m of ground at 10 m/s
AGREES_SIGMAS = 3.0
MATCH_AGREES_SIGMAS = 2.0  # beyond, a match counts as one that contradicts
LASTING_NS = 20_000_000_000  # 200 m at 10 m/s: no building is so long
LASTING_GAP_NS = 3_000_000_000  # between two readings that are to last
FOLLOWED = 0.2  # of a lasting difference's change from reading to reading


class Anchor(IntEnum):
    """What the bias rests on, the better the higher."""

    SEA_LEVEL = 0
    LEVEL_GROUND = 1  # height above home over a map without much relief
    ORIGIN = 2  # of the autopilot's local frame
    STANDING = 3  # disarmed, on the ground


@dataclass(frozen=True)
class Bias:
    """Metres to be taken off height above sea level minus terrain, and their variance."""

    m: float
    variance_m2: float


def drifted(bias: Bias, seconds: float) -> Bias:
    """After so long less certain, up to what sea level is good for."""
    most_m2 = max(AMSL_SIGMA_M**2, bias.variance_m2)
    return Bias(bias.m, min(most_m2, bias.variance_m2 + DRIFT_M**2 * seconds))


@dataclass(frozen=True)
class _Apart:
    """For how long a rangefinder has told another height, and by how much."""

    since_ns: int
    until_ns: int
    differs_m: float


class TerrainBias:
    """One flight's."""

    def __init__(self) -> None:
        self.now = Bias(0.0, AMSL_SIGMA_M**2)
        self.anchor = Anchor.SEA_LEVEL
        self._before: Bias | None = None  # a lasting difference
        self._apart: _Apart | None = None
        self._time_ns: int | None = None
        self._measured_ns: int | None = None
        self._is_matched = False  # a match agreed, or corrected it
        self._by_matches = BiasByMatches()

    def anchor_at(self, anchor: Anchor, bias: Bias | None) -> None:
        """Unless it rests on something better, a rangefinder's readings and matches among it.
        None: sea level is all there is, for good."""
        corrected = self.is_confirmed and anchor is not Anchor.STANDING
        if anchor < self.anchor or corrected:
            return
        self.anchor, self.now, self._before = anchor, bias or self.now, None
        self._is_matched = False
        self._by_matches.clear()

    @property
    def is_confirmed(self) -> bool:
        """By a rangefinder or a match since it was anchored."""
        return self._measured_ns is not None or self._is_matched

    def drift(self, time_ns: int) -> None:
        """Grows less certain with time."""
        before_ns, self._time_ns = self._time_ns, time_ns
        if before_ns is not None and time_ns > before_ns:
            self.now = drifted(self.now, (time_ns - before_ns) * 1e-9)

    def measure(self, time_ns: int, differs_m: float, model_m: float, beam_m: float) -> bool:
        """A rangefinder's reading. differs_m: how much more the terrain says; model_m, beam_m:
        one sigma of terrain and reading. False where the two contradict each other."""
        noise_m2 = model_m**2 + beam_m**2
        if abs(differs_m) > AGREES_SIGMAS * self._sigma_m(math.sqrt(noise_m2)):
            bias = self._another(time_ns, differs_m, noise_m2, AGREES_SIGMAS * beam_m)
            if bias is None:
                return False
            differs_m -= bias.m - self.now.m
            self.now = bias
        self._apart = None
        gap_s = CORRELATED_S
        if self._measured_ns is not None:
            gap_s = max(0.0, (time_ns - self._measured_ns) * 1e-9)
        if gap_s > 0.0:
            self._measured_ns = time_ns
            noise_m2 *= max(1.0, CORRELATED_S / gap_s)
            gain = self.now.variance_m2 / (self.now.variance_m2 + noise_m2)
            self.now = Bias(self.now.m + gain * differs_m, (1.0 - gain) * self.now.variance_m2)
        return True

    def match(
        self, said: SaidBias, fits: bool, is_there: bool | None, is_ranged: bool = False
    ) -> float:
        """What a match saw. fits: its scale was right, else it was refused for that alone.
        is_there: heights are asked for that place; None while nobody knows for which. As long as
        they are for a spoofer's, the bias of the spoofer's place is the one that fits, and another
        would make all frames useless. is_ranged: a rangefinder tells the height that was seen; one
        that agreed with the bias just now is not overruled. Returns by how much the bias was
        corrected, mostly by nothing."""
        counts = self._by_matches.add(said)
        agrees = abs(said.m - self.now.m) <= MATCH_AGREES_SIGMAS * self._sigma_m(said.sigma_m)
        if fits and agrees:
            self._is_matched = self._is_matched or is_there is True
            return 0.0
        agreed = self._by_matches.agreed() if counts and is_there is not False else None
        if agreed is None or (self._was_ranged(said.time_ns) and not is_ranged):
            return 0.0
        before_m2 = self.now.variance_m2
        differs_m = agreed.m - self.now.m
        contradicts = abs(differs_m) > MATCH_AGREES_SIGMAS * self._sigma_m(agreed.sigma_m)
        # What is contradicted may be wrong by as much.
        variance_m2 = before_m2 + differs_m**2 if contradicts else before_m2
        gain = variance_m2 / (variance_m2 + agreed.sigma_m**2)
        after_m2 = (1.0 - gain) * variance_m2
        after_m2 = max(after_m2, before_m2) if contradicts else after_m2
        self.now = Bias(self.now.m + gain * differs_m, after_m2)
        self._is_matched, self._before, self._apart = True, None, None
        self._by_matches.clear()
        return gain * differs_m

    def _was_ranged(self, time_ns: int) -> bool:
        return self._measured_ns is not None and time_ns - self._measured_ns <= LASTING_NS

    def _sigma_m(self, noise_m: float) -> float:
        return math.sqrt(self.now.variance_m2 + noise_m**2)

    def _another(
        self, time_ns: int, differs_m: float, noise_m2: float, alike_m: float
    ) -> Bias | None:
        """Another bias that the rangefinder agrees with: the one before a lasting difference, as
        a wood ends, or a new one where the difference has lasted."""
        before = self._before
        if before is not None:
            sigma_m = math.sqrt(before.variance_m2 + noise_m2)
            if abs(differs_m - (before.m - self.now.m)) <= AGREES_SIGMAS * sigma_m:
                self._before = None
                return before
        apart = self._apart
        if (
            apart is None
            or time_ns - apart.until_ns > LASTING_GAP_NS
            or abs(differs_m - apart.differs_m) > alike_m
        ):
            self._apart = _Apart(time_ns, time_ns, differs_m)
            return None
        mean_m = apart.differs_m + FOLLOWED * (differs_m - apart.differs_m)
        self._apart = _Apart(apart.since_ns, time_ns, mean_m)
        if time_ns - apart.since_ns < LASTING_NS:
            return None
        self._before = self.now
        return Bias(self.now.m + mean_m, noise_m2)
