"""How far a map shows everything from where it is: what was said when it was built, or else what
is assumed. One sigma, horizontal, per axis; no match can see it."""

from __future__ import annotations

from collections.abc import Sequence

# Where nobody said: good orthophotos are off by 0.1-2.7 m, common satellite tiles by 8 m RMS
# (CIESIN 2013).
MAP_SIGMA_M = 3.0
# No less is believed: a survey knows its control points to centimetres, but roofs and slopes
# between them lean by decimetres, and the pack's pixels are 0.1-0.6 m.
LEAST_MAP_SIGMA_M = 0.5
# Of a map further off many positions would pass the 20 m, both axes together, beyond which none is
# told (`outputs.moment.MAX_TRUSTED_ACCURACY_M`): in simulated flights 0.7 % at 10 m, 13 % at 12 m.
MOST_MAP_SIGMA_M = 10.0


def check_map_sigma(name: str, value: float) -> None:
    """Raises ValueError: no error that a map can have and be flown with."""
    if not 0.0 < value <= MOST_MAP_SIGMA_M:  # NaN is not, either
        raise ValueError(
            f"{name} is {value!r}: give the imagery's horizontal error in metres, 1 sigma per "
            f"axis, above 0 and up to {MOST_MAP_SIGMA_M:g}; what is further off, georeference first"
        )


def map_sigma_m(said: Sequence[float | None]) -> float:
    """Of a map whose sources say this of themselves: the worst of them, for nobody knows in
    flight which one a match lies in; what says nothing is as bad as assumed."""
    worst = max((MAP_SIGMA_M if s is None else s for s in said), default=MAP_SIGMA_M)
    return max(LEAST_MAP_SIGMA_M, worst)


def map_error_said(said: Sequence[float | None]) -> str:
    """The same for people, and where it is from."""
    text = f"{map_sigma_m(said):g} m (1 sigma per axis)"
    told = [s for s in said if s is not None]
    if not told:
        return f"{text}, assumed: the map does not say"
    if max(told) < MAP_SIGMA_M and len(told) < len(said):
        return f"{text}, assumed: some of the map's imagery does not say"
    if max(told) < LEAST_MAP_SIGMA_M:
        return f"{text}: {max(told):g} m was said, less is not believed"
    return f"{text}, as said when the map was built"
