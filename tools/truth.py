"""What a run is compared with: recorded or simulated positions, and a set's `reference.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from tools.photo_folder import Photo
from tools.pose_csv import photo_key, read_table

REFERENCE_NAME = "reference.csv"
_CENTRE = ("file", "centre_lat_deg", "centre_lon_deg")


@dataclass(frozen=True)
class Track:
    """Where the vehicle was: (N,) times in ascending order, degrees. Between two samples further
    apart than hole_ns nobody knows; None: it is always known."""

    time_ns: NDArray[np.int64]
    lat_deg: NDArray[np.float64]
    lon_deg: NDArray[np.float64]
    hole_ns: int | None = None

    def at(self, time_ns: int) -> tuple[float, float] | None:
        """(lat_deg, lon_deg), linear between two samples; None outside them and in a hole."""
        if not len(self.time_ns) or not self.time_ns[0] <= time_ns <= self.time_ns[-1]:
            return None
        after = int(np.searchsorted(self.time_ns, time_ns))
        is_between = self.time_ns[after] != time_ns
        if (
            self.hole_ns is not None
            and is_between
            and self.time_ns[after] - self.time_ns[after - 1] > self.hole_ns
        ):
            return None
        t = (self.time_ns - self.time_ns[0]).astype(np.float64)
        moment = float(time_ns - self.time_ns[0])
        return (
            float(np.interp(moment, t, self.lat_deg)),
            float(np.interp(moment, t, self.lon_deg)),
        )


def track_of(samples: Sequence[tuple[int, float, float]], hole_ns: int | None = None) -> Track:
    """From (time_ns, lat_deg, lon_deg) in any order; of two at one time the first counts."""
    unique = {t: (lat, lon) for t, lat, lon in reversed(samples)}
    times = sorted(unique)
    return Track(
        np.array(times, np.int64),
        np.array([unique[t][0] for t in times], np.float64),
        np.array([unique[t][1] for t in times], np.float64),
        hole_ns,
    )


def recorded_track(photos: Sequence[Photo]) -> Track:
    """The positions that the photographs tell."""
    return track_of(
        [
            (p.time_ns, p.tags.lat_deg, p.tags.lon_deg)
            for p in photos
            if p.tags.lat_deg is not None and p.tags.lon_deg is not None
        ]
    )


def read_reference(folder: Path) -> dict[str, tuple[float, float]]:
    """(lat_deg, lon_deg) of the ground point under each picture's centre, by `photo_key`;
    empty when the folder holds no `reference.csv`.

    Raises InputError: a column missing, a value that is no number (with its line).
    """
    path = folder / REFERENCE_NAME
    if not path.exists():
        return {}
    header, rows = read_table(path)
    if missing := [name for name in _CENTRE if name not in header]:
        raise InputError(f"{path}: column '{missing[0]}' is missing; it needs {', '.join(_CENTRE)}")
    name_at, lat_at, lon_at = (header.index(name) for name in _CENTRE)
    centres: dict[str, tuple[float, float]] = {}
    for line, row in rows:
        try:
            position = float(row[lat_at]), float(row[lon_at])
            centres[photo_key(row[name_at])] = position
        except (ValueError, IndexError) as e:
            raise InputError(f"{path}, line {line}: not a position ({e}); correct it") from e
    return centres
