"""`pilotage weather`: one picture in the ten conditions of the weather benchmark, on a sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "draw a picture in the ten weathers of the benchmark, to look at"
COLUMNS = 5
CELL_PX = 480  # width of one picture on the sheet
LABEL_PX = 28


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("picture", type=Path, help="any picture, best one that a drone took")
    parser.add_argument("--out", type=Path, required=True, help="the sheet: .png or .jpg")


def run(args: argparse.Namespace) -> int:
    import cv2
    import numpy as np

    from export.datasets.picture_file import read_picture
    from export.weather.condition import Weather, weathered
    from onboard.errors import InputError
    from onboard.whole_file import write_whole

    if args.out.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"{args.out}: a sheet is .png or .jpg; name it so")
    picture = read_picture(args.picture)
    size = CELL_PX, max(1, round(CELL_PX * picture.shape[0] / picture.shape[1]))
    cells = []
    for weather in Weather:
        cell = np.full((size[1] + LABEL_PX, CELL_PX, 3), 255, np.uint8)
        cell[LABEL_PX:] = cv2.resize(
            weathered(picture, weather), size, interpolation=cv2.INTER_AREA
        )
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(cell, weather.value, (6, LABEL_PX - 8), font, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    write_whole(args.out, cv2.imencode(args.out.suffix, np.vstack(rows))[1].tobytes())
    print(f"{args.out}: {', '.join(weather.value for weather in Weather)}")
    return 0
