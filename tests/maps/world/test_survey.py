import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from maps.sources.corner_csv import open_corner_csv
from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from maps.world.survey import write_survey

CLEAR = Epoch(seed=1, noise=0.0, blur_px=0.0)


def test_sheets_lie_where_their_corners_say(tmp_path: Path) -> None:
    place = Landscape(seed=5, size_m=500.0, gsd_m=0.5, anchor_lat_deg=60.0, style=5)
    steps: list[tuple[int, int]] = []
    table = write_survey(
        place, CLEAR, tmp_path / "survey", 0.5, progress=lambda done, of: steps.append((done, of))
    )
    assert steps[-1] == (4, 4)
    assert len(open_corner_csv(table)) == 4
    with table.open(newline="") as file:
        row = list(csv.DictReader(file))[3]  # the south-east one
    picture = cv2.imread(str(table.parent / row["filename"]))
    north_west = place.east_north(float(row["top_left_lat"]), float(row["top_left_lon"]))
    south_east = place.east_north(float(row["bottom_right_lat"]), float(row["bottom_right_lon"]))
    assert north_west == pytest.approx((248.0, 252.0), abs=0.01)  # overlapping by 4 px
    assert south_east == pytest.approx((500.0, 0.0), abs=0.01)
    middle = (north_west[0] + south_east[0]) / 2, (north_west[1] + south_east[1]) / 2
    there, _ = render_ortho(place, CLEAR, *middle, 100, 100, 0.5)
    size = picture.shape[0] // 2
    part = picture[size - 50 : size + 50, size - 50 : size + 50]
    assert (picture.max(axis=2) > 0).all()
    assert np.abs(part.astype(int) - there.astype(int)).mean() < 5  # JPEG
