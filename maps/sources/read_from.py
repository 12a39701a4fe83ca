"""The files that a picture or an elevation model is read from: a virtual raster may be made of
virtual rasters, and a change in the last of them changes the map."""

from __future__ import annotations

from pathlib import Path

import rasterio
from rasterio import DatasetReader

from onboard.errors import InputError

MOST_VIRTUAL = 10_000  # virtual rasters below one another


def read_from(path: Path, dataset: DatasetReader) -> tuple[Path, ...]:
    """path, the parts of a VRT and theirs, a world file and the like. dataset: path's, open.

    Raises InputError: too many virtual rasters; RasterioError: one that cannot be read.
    """
    found = {path.resolve(): path}
    waiting = [*dataset.files]
    virtual = 0
    while waiting:
        file = Path(waiting.pop())
        whole = file.resolve()  # a circle by ../ is one too
        if whole in found:
            continue
        found[whole] = file
        if file.suffix.lower() == ".vrt":
            virtual += 1
            if virtual > MOST_VIRTUAL:
                raise InputError(
                    f"{path}: is made of more than {MOST_VIRTUAL:,} virtual rasters; make one of "
                    "the pictures themselves with 'gdalbuildvrt'"
                )
            with rasterio.open(file) as part:
                waiting += part.files
    first, *rest = found.values()
    return (first, *sorted(rest))
