"""Writes a landscape as a surveyor delivers it: sheets of pictures and their corners in a CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from pathlib import Path

import cv2

from maps.corner_csv import COLUMNS
from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.whole_file import make_folder, write_whole

SHEET_M = 400.0  # small enough for straight lines between corners given in degrees: below 3 cm
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
    side_px = math.ceil(landscape.size_m / count / gsd_m)
    step_m = side_px * gsd_m
    rows = []
    for i in range(count):
        for j in range(count):
            west, north = j * step_m, landscape.size_m - i * step_m
            middle = west + step_m / 2, north - step_m / 2
            picture, _ = render_ortho(landscape, epoch, *middle, side_px, side_px, gsd_m, lean)
            name = f"sheet-{i}-{j}.jpg"
            written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            assert written
            write_whole(folder / name, data.tobytes())
            corners = (
                *landscape.latlon(west, north),
                *landscape.latlon(west + step_m, north - step_m),
            )
            rows.append([name, *(f"{degrees:.9f}" for degrees in corners)])
            progress(len(rows), count * count)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    write_whole(folder / "map.csv", text.getvalue())
    return folder / "map.csv"
