"""Writes a landscape as a surveyor delivers it: sheets of pictures and their corners in a CSV."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import cv2

from maps.sources.corner_csv import COLUMNS
from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.whole_file import make_folder, write_whole

SHEET_M = 400.0  # small enough for straight lines between corners given in degrees: below 3 cm
OVERLAP_PX = 4
JPEG_QUALITY = 92


def write_survey(
    landscape: Landscape,
    epoch: Epoch,
    folder: Path,
    gsd_m: float,
    lean: tuple[float, float] = (0.0, 0.0),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Path:
    """Renders the whole landscape into `folder`; returns the CSV with the columns filename,
    top_left_lat, top_left_lon, bottom_right_lat, bottom_right_lon (an input of map build).

    lean: as `render_ortho`. progress is called with (sheets done, sheets). Raises InputError
    when the folder cannot be written.
    """
    make_folder(folder)
    count = math.ceil(landscape.size_m / SHEET_M)
    total_px = math.floor(landscape.size_m / gsd_m)
    borders = [round(total_px * k / count) for k in range(count + 1)]
    # Sheets overlap, as real ones do: corners in degrees leave gaps of centimetres otherwise.
    spans = [
        (max(a - OVERLAP_PX, 0), min(b + OVERLAP_PX, total_px))
        for a, b in itertools.pairwise(borders)
    ]
    rows = []
    for i, (top, bottom) in enumerate(spans):
        for j, (left, right) in enumerate(spans):
            west, east = left * gsd_m, right * gsd_m
            north, south = landscape.size_m - top * gsd_m, landscape.size_m - bottom * gsd_m
            middle = (west + east) / 2, (north + south) / 2
            shape = right - left, bottom - top
            picture, _ = render_ortho(landscape, epoch, *middle, *shape, gsd_m, lean)
            name = f"sheet-{i}-{j}.jpg"
            written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            assert written
            write_whole(folder / name, data.tobytes())
            corners = (*landscape.latlon(west, north), *landscape.latlon(east, south))
            rows.append([name, *(f"{degrees:.9f}" for degrees in corners)])
            progress(len(rows), count * count)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_whole(folder / "map.csv", text.getvalue())
    return folder / "map.csv"
