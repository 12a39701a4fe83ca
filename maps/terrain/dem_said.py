"""What a person says of the elevation models beside the files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from onboard.errors import InputError

METRES_PER_UNIT = {"m": 1.0, "ft": 0.3048, "us-ft": 1200 / 3937}
MAX_OFFSET_M = 110.0  # geoids lie within -107 and +86 m of the ellipsoid
MAX_SIGMA_M = 100.0
T = TypeVar("T")


@dataclass(frozen=True)
class DemSaid:
    """Each: nothing, one value for all models, or one for each. datums as `parse_datum` takes
    them; offsets_m: subtracted from the heights to get those above mean sea level (the geoid's
    height above the ellipsoid); sigmas_m: error of a height, 1 sigma; units: m, ft or us-ft."""

    datums: tuple[str, ...] = ()
    offsets_m: tuple[float, ...] = ()
    sigmas_m: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    attributions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError."""
        for offset_m in self.offsets_m:
            if not abs(offset_m) <= MAX_OFFSET_M:
                raise InputError(
                    f"--dem-offset-m {offset_m:g}: geoids lie within {MAX_OFFSET_M:.0f} m of the "
                    "ellipsoid; give the geoid's height above it, in metres"
                )
        for sigma_m in self.sigmas_m:
            if not (math.isfinite(sigma_m) and 0 < sigma_m <= MAX_SIGMA_M):
                raise InputError(
                    f"--dem-sigma-m {sigma_m:g}: give metres above 0, up to {MAX_SIGMA_M:.0f}"
                )
        for unit in self.units:
            if unit not in METRES_PER_UNIT:
                raise InputError(f"--dem-unit {unit}: give one of {', '.join(METRES_PER_UNIT)}")


def one_for_each(said: tuple[T, ...], count: int, option: str) -> tuple[T | None, ...]:
    """Raises InputError: a number of values that fits nothing."""
    if not said:
        return (None,) * count
    if len(said) not in (1, count):
        raise InputError(
            f"{option}: given {len(said)} times for {count} --dem; give it once, or once for each"
        )
    return said * (count // len(said))
