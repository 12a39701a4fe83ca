"""Heights that jump. Nobody knows which side was wrong, so by so much either may be, until a match
agrees with one."""

from __future__ import annotations

MAX_CLIMB_M_S = 25.0  # a fast plane in a dive
NOISE_M = 5.0
KEPT_NS = 30_000_000_000  # what was told longer ago is no height to jump from


class HeightJumps:
    """Of one height: a source's, or above mean sea level. doubt_m: of the largest jump that no
    match confirmed."""

    def __init__(self) -> None:
        self.doubt_m = 0.0
        self._doubted_ns = 0
        self._newest: tuple[int, float] | None = None

    def add(self, time_ns: int, height_m: float) -> None:
        """A sample, in the order in which they came."""
        before, self._newest = self._newest, (time_ns, height_m)
        if before is None or not 0 <= time_ns - before[0] <= KEPT_NS:
            return
        climb_m = MAX_CLIMB_M_S * (time_ns - before[0]) * 1e-9
        jump_m = abs(height_m - before[1])
        if jump_m > climb_m + NOISE_M:
            self.doubt_m = max(self.doubt_m, jump_m)
            self._doubted_ns = time_ns

    def trust(self, since_ns: int) -> None:
        """What jumped before since_ns was right."""
        if since_ns >= self._doubted_ns:
            self.doubt_m = 0.0
