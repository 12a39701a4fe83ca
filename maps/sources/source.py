"""What every kind of imagery answers."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from maps.sources.datum_shift import DatumShift
from onboard.errors import InputError
from onboard.geodesy import WGS84_A_M
from onboard.messages import Picture

WORLD_M = 2 * math.pi * WGS84_A_M  # side of Web Mercator's square


class Source(ABC):
    """One input of a build.

    files: what it was read from. native_level: the (fractional) level whose pixels are as
    large as its own. bounds_m: west, south, east, north in EPSG:3857. date: ISO 8601.
    sigma_m: horizontal error, 1 sigma per axis. date, licence, attribution, sigma_m: None where
    the input does not say. shift: its datum's to WGS 84, None where it has none.
    fill: share of its bounds that it is known to reach at most. note: what was assumed of it.
    """

    name: str
    files: tuple[Path, ...]
    native_level: float
    bounds_m: tuple[float, float, float, float]
    date: str | None
    licence: str | None = None
    attribution: str | None = None
    sigma_m: float | None = None
    shift: DatumShift | None = None
    fill: float = 1.0
    note: str | None = None

    @abstractmethod
    def read(self, level: int, x: int, y: int, width: int, height: int) -> Picture:
        """(height, width, 3) BGR, its upper left corner at map pixel (x, y) of the level;
        (0, 0, 0) where there is nothing. Raises InputError when the input is damaged."""

    def prepare(self, level: int) -> None:
        """Gets what reading at the level will need from elsewhere: a tile service asks its
        server. To be called once, before workers open the source for themselves.

        Raises InputError when it cannot be had.
        """
        del level

    def mark(self, level: int, bounds_m: tuple[float, float, float, float]) -> str:
        """Tells, after `prepare`, whether what is read at the level within bounds_m (west,
        south, east, north in EPSG:3857), or its place, may have changed; the same on all
        machines that share the files. Raises InputError when a file is gone."""
        del level, bounds_m
        return f"{self.bounds_m} {marks_of(self.files)}"


def marks_of(files: Iterable[Path]) -> str:
    """Of names, sizes and modification times. Raises InputError when a file is gone."""
    digest = hashlib.sha256()
    for file in files:
        try:
            stat = file.stat()
        except OSError as e:
            raise InputError(f"{file}: cannot be read ({e.strerror}); put it back") from e
        digest.update(f"{file.name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
