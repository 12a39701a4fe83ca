"""The output folder of OpenDroneMap: an orthophoto, elevation models beside it, a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rasterio.crs import CRS

from maps.sources.raster_source import RasterSource
from onboard.errors import InputError

ORTHOPHOTO = Path("odm_orthophoto", "odm_orthophoto.tif")
# The terrain before the surface: trees and roofs are no ground.
DEMS = (Path("odm_dem", "dtm.tif"), Path("odm_dem", "dsm.tif"))
STATS = Path("odm_report", "stats.json")
MAX_STATS_BYTES = 64 << 20


def is_odm(folder: Path) -> bool:
    """Whether OpenDroneMap wrote the folder."""
    return any((folder / path.parts[0]).is_dir() for path in (ORTHOPHOTO, *DEMS))


def open_odm(folder: Path, crs: CRS | None) -> RasterSource:
    """The orthophoto, dated by the flight. Raises InputError: it is missing or damaged."""
    picture = folder / ORTHOPHOTO
    if not picture.is_file():
        raise InputError(
            f"{folder}: an OpenDroneMap folder without {ORTHOPHOTO}; run OpenDroneMap to its "
            "end, without --skip-orthophoto"
        )
    source = RasterSource(picture, crs)
    source.name = folder.resolve().name
    source.date = _flown(folder / STATS) or source.date
    return source


def dem_of(folder: Path) -> Path | None:
    """The terrain model of an OpenDroneMap folder, or else its surface model."""
    return next((folder / path for path in DEMS if (folder / path).is_file()), None)


def _flown(stats: Path) -> str | None:
    """The day of the first photograph. OpenSfM writes it as 27/02/2021 at 09:12:33; older
    versions only say when they ran, which is not when anyone flew."""
    try:
        if stats.stat().st_size > MAX_STATS_BYTES:
            return None
        said = json.loads(stats.read_bytes())["processing_statistics"]["start_date"]
        found = re.match(r"(\d{2})/(\d{2})/(\d{4})\b", said)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return "-".join(reversed(found.groups())) if found else None
