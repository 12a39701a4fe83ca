"""A filter with a short past, so that a late measurement counts at its own moment."""

from __future__ import annotations

import bisect

from onboard.position_filter import (
    GATE_D2,
    FilterState,
    Measurement,
    Position,
    correct,
    predict,
    start,
)

KEPT_NS = 10_000_000_000  # a fix may come this late: ten times a slow computer's second


class FilterHistory:
    """Measurements in the order of their times, and the state after each."""

    def __init__(self, first: Position) -> None:
        self._measured: list[Measurement] = [first]
        self._states: list[FilterState] = [start(first)]

    @property
    def newest(self) -> FilterState:
        return self._states[-1]

    def state_at(self, time_ns: int) -> FilterState | None:
        """The state carried forward to time_ns, None before the first one kept."""
        i = bisect.bisect_right(self._states, time_ns, key=_time_of)
        return predict(self._states[i - 1], time_ns) if i else None

    def insert(self, measured: Measurement) -> float | None:
        """Takes a measurement in at its time and replays the later ones.

        Returns the squared Mahalanobis distance of its innovation (see `correct`), None when
        it is older than what is kept.
        """
        i = bisect.bisect_right(self._states, measured.time_ns, key=_time_of)
        if i == 0:
            return None
        later = self._measured[i:]
        state, d2 = correct(self._states[i - 1], measured)
        if isinstance(measured, Position) and not d2 <= GATE_D2:
            return d2  # nothing changed
        del self._measured[i:], self._states[i:]
        self._append(measured, state)
        for m in later:
            state, _ = correct(state, m)
            self._append(m, state)
        self._forget()
        return d2

    def _append(self, measured: Measurement, state: FilterState) -> None:
        self._measured.append(measured)
        self._states.append(state)

    def _forget(self) -> None:
        oldest_ns = self.newest.time_ns - KEPT_NS
        n = bisect.bisect_right(self._states, oldest_ns, key=_time_of) - 1
        if n > 0:
            del self._measured[:n], self._states[:n]


def _time_of(state: FilterState) -> int:
    return state.time_ns
