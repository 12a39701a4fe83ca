"""Finding the position again: several places are followed until one of them is believed.

Every fix starts a hypothesis and may join those it agrees with, each a filter of its own
fed with the same visual motion. One is believed when enough fixes agree along it and no
disagreeing one comes near: a single wrong fix, however confident, moves nothing. Where little
is known of the motion in between, much agrees by chance: such agreement counts less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onboard.filter_history import FilterHistory
from onboard.position_filter import GATE_D2, AirVelocity, Exposure, Position, sigma

CONFIRMING_FIXES = 3.0
CONFIRMING_LEAD = 2.0  # fixes more than any hypothesis that disagrees
# A hypothesis less certain than this agrees with anything near: its gate spans 0.18 km2. Two
# fixes 4 s apart without a motion between them may still agree.
MAX_AGREEING_SIGMA_M = 65.0
# Beyond this an agreement counts half: the gate spans 0.04 km2, and of 40 wrong matches a second
# apart over 9 km2, without motion, three agreed in one run of 25.
LOOSE_SIGMA_M = 30.0
LOOSE_COUNT = 0.5
# Pictures taken sooner after one another show the same ground: what is mistaken once is mistaken
# again, so they count as one.
APART_NS = 500_000_000
MAX_HYPOTHESES = 16
HYPOTHESIS_LIFE_NS = 60_000_000_000  # without another fix


@dataclass
class Hypothesis:
    """agreement: how many fixes speak for it, loose ones by half. counted_ns: the last of them."""

    history: FilterHistory
    counted_ns: int
    agreement: float = 1.0


class Relocalizer:
    """The hypotheses while position is lost, or while fixes contradict the estimate."""

    def __init__(self) -> None:
        self._hypotheses: list[Hypothesis] = []

    def clear(self) -> None:
        self._hypotheses.clear()

    def add_exposure(self, exposure: Exposure) -> None:
        for hypothesis in self._hypotheses:
            hypothesis.history.insert(exposure)

    def add_air(self, air: AirVelocity) -> None:
        for hypothesis in self._hypotheses:
            hypothesis.history.insert(air)

    def add_fix(self, fix: Position, believes: bool = True) -> FilterHistory | None:
        """Returns the hypothesis that the fix confirms, which is the caller's from then on;
        None while there is none. believes False: it is kept for later."""
        oldest_ns = fix.time_ns - HYPOTHESIS_LIFE_NS
        alive = [h for h in self._hypotheses if h.history.newest.position_ns >= oldest_ns]
        joined = [h for h in alive if _joins(h, fix)]
        self._hypotheses = [
            *alive[1 - MAX_HYPOTHESES :],
            Hypothesis(FilterHistory(fix), fix.time_ns),
        ]
        best = max(joined, key=lambda h: h.agreement, default=None)
        if not believes or best is None or best.agreement < CONFIRMING_FIXES:
            return None
        rivals = [h.agreement for h in self._hypotheses if not _agree(best.history, h.history)]
        if best.agreement - max(rivals, default=0.0) < CONFIRMING_LEAD:
            return None
        self._hypotheses = [h for h in self._hypotheses if h is not best]
        return best.history


def _joins(hypothesis: Hypothesis, fix: Position) -> bool:
    state = hypothesis.history.state_at(fix.time_ns)
    if state is None:
        return False
    sigma_m = sigma(state.position_covariance)
    if sigma_m > MAX_AGREEING_SIGMA_M:
        return False
    d2 = hypothesis.history.insert(fix)
    if d2 is None or d2 > GATE_D2:
        return False
    if fix.time_ns - hypothesis.counted_ns >= APART_NS:
        hypothesis.agreement += LOOSE_COUNT if sigma_m > LOOSE_SIGMA_M else 1.0
        hypothesis.counted_ns = fix.time_ns
    return True


def _agree(a: FilterHistory, b: FilterHistory) -> bool:
    """Whether both may be the same place, at the later one's time."""
    time_ns = max(a.newest.time_ns, b.newest.time_ns)
    state_a, state_b = a.state_at(time_ns), b.state_at(time_ns)
    if state_a is None or state_b is None:
        return False
    apart = state_a.position - state_b.position
    both = state_a.position_covariance + state_b.position_covariance
    return bool(apart @ np.linalg.solve(both, apart) <= GATE_D2)
