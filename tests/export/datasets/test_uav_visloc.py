"""UAV-VisLoc: tiles where they belong, positives by the ground that pictures share."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_pictures import put_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from export.datasets import uav_visloc
from export.datasets.footprints import iou, turned_rectangle
from export.datasets.picture_file import read_picture
from export.datasets.retrieval_set import RetrievalSet
from onboard.errors import InputError
from onboard.geodesy import distance_m

TOP, LEFT = 30.0, 116.0
PX_DEG = 3e-6  # about 0.33 m to the north
WIDTH, HEIGHT = 1100, 2100
HEADER = "num,filename,date,lat,lon,height,Omega,Kappa,Phi1,Phi2\n"


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four maps whose pixels tell their place; three pictures over each: one of a tile's size
    in its middle, one too small for any IoU, one beyond the map."""
    root = tmp_path_factory.mktemp("visloc")
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack((x // 5, y // 10, np.full_like(x, 99)), 2).astype(np.uint8)
    encoded = cv2.imencode(".tif", pixels)[1].tobytes()
    ranges = "mapname,LT_lat_map,LT_lon_map,RB_lat_map,RB_lon_map,region\n"
    for n in (1, 2, 3, 4):
        left = LEFT + n
        bottom, right = TOP - HEIGHT * PX_DEG, left + WIDTH * PX_DEG
        ranges += f"satellite{n:02d}.tif,{TOP},{left},{bottom},{right},somewhere\n"
        folder = root / f"{n:02d}"
        folder.mkdir()
        (folder / f"satellite{n:02d}.tif").write_bytes(encoded)
        # the middle of the tile of 512 map px in column 1, row 2
        lat, lon = TOP - 2.5 * 512 * PX_DEG, left + 1.5 * 512 * PX_DEG
        shots = [(lat, lon, 180.0), (lat, lon, 20.0), (lat - 1, lon, 180.0)]
        rows = HEADER
        for k, (a, b, height) in enumerate(shots):
            name = f"{n:02d}_{k:04d}.JPG"
            rows += f"{k},{name},2023,{a!r},{b!r},{height},0,0,90.0,0\n"
            put_picture(folder / "drone" / name)
        (folder / f"{n:02d}.csv").write_text(rows)
    (root / "satellite_coordinates_range.csv").write_text(ranges)
    return root


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiles of all tests are cut once."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def cross(handed_out: Path, work: Path) -> RetrievalSet:
    return uav_visloc.read(handed_out, work, "cross")


def test_gallery_is_every_tile_of_four_maps(cross: RetrievalSet) -> None:
    # quarter resolution 2 x 3 tiles of 1024 px, half 3 x 5 of 512
    assert len(cross.gallery) == 4 * (6 + 15)
    # 2100 px are nine tiles of 256, which take four halvings: half resolution is level 3
    assert {g.label[:4] for g in cross.gallery} == {
        f"0{n}_{z}" for n in (1, 2, 3, 4) for z in (2, 3)
    }


def test_tiles_show_their_place(cross: RetrievalSet) -> None:
    for item in cross.gallery[:21]:
        tile = read_picture(item.picture)
        assert tile.shape == (256, 256, 3)
        lat, lon = item.position_deg or (0.0, 0.0)
        x, y = (lon - LEFT - 1) / PX_DEG, (TOP - lat) / PX_DEG
        if x < WIDTH - 8 and y < HEIGHT - 8:
            blue, green, _ = tile[128, 128].astype(int)
            assert abs(blue - x / 5) <= 2 and abs(green - y / 10) <= 2
        else:
            assert (tile[128, 128] == 0).all()


def test_only_pictures_with_a_positive_are_queries(cross: RetrievalSet) -> None:
    assert [q.label for q in cross.queries] == ["02_0000", "04_0000"]
    for own, weights in zip(cross.positives, cross.weights, strict=True):
        assert min(weights) > 0.39 and len(own) == len(weights)
    best = cross.positives[1][int(np.argmax(cross.weights[1]))]
    assert cross.gallery[best].label == "04_3_001_002"
    assert distance_m(*cross.queries[1].position_deg, *cross.gallery[best].position_deg) < 0.5  # type: ignore[misc]
    for semi in cross.semi_weights:
        assert all(0.14 < w <= 0.39 for w in semi)


def test_training_takes_every_pair_above_the_lower_limit(handed_out: Path, work: Path) -> None:
    training = uav_visloc.read_training(handed_out, "cross", work)
    assert {q.label for q in training.queries} == {"01_0000", "03_0000"}
    assert min(min(w) for w in training.weights) > 0.14


def test_same_area_divides_the_pictures(handed_out: Path, work: Path) -> None:
    test = uav_visloc._pairs(handed_out, work, "same", training=False)
    training = uav_visloc._pairs(handed_out, work, "same", training=True)
    labels = [{q.label for q in half.queries} for half in (test, training)]
    assert not labels[0] & labels[1] and len(labels[0] | labels[1]) == 12
    assert len(labels[1]) == 8


def test_a_killed_cut_goes_on(handed_out: Path, work: Path) -> None:
    uav_visloc.read(handed_out, work, "cross")
    tiles = sorted((work / "satellite").iterdir())
    tiles[3].unlink()
    kept = tiles[4].stat().st_mtime_ns
    uav_visloc.read(handed_out, work, "cross")
    assert tiles[3].is_file() and tiles[4].stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("02/02.csv", "180.0", "-3", "height"),
        ("02/02.csv", "02_0000.JPG", "absent.JPG", "no such picture"),
        ("02/02.csv", ",0,0,90.0,0", "", "6 columns"),
        ("satellite_coordinates_range.csv", "satellite02", "map", "names no map"),
        ("satellite_coordinates_range.csv", "satellite02", "satellite05", "no line of map 02"),
        ("satellite_coordinates_range.csv", ",30.0,118.0", ",20.0,118.0", "wrong way round"),
    ],
)
def test_wrong_lines_are_named(
    handed_out: Path, work: Path, file: str, old: str, new: str, word: str
) -> None:
    path = handed_out / file
    good = path.read_text()
    path.write_text(good.replace(old, new))
    try:
        with pytest.raises(InputError, match=word) as caught:
            uav_visloc.read(handed_out, work)
        assert str(path) in str(caught.value)
    finally:
        path.write_text(good)


def test_a_map_that_is_none_is_named(handed_out: Path, work: Path) -> None:
    path = handed_out / "03/satellite03.tif"
    good = path.read_bytes()
    path.write_bytes(good[:100])
    try:
        with pytest.raises(InputError, match="cannot be read"):
            uav_visloc.read(handed_out, work)
    finally:
        path.write_bytes(good)


def test_the_picture_is_wide_across_the_heading() -> None:
    quad = turned_rectangle((0.0, 0.0), 3.0, 1.0, math.radians(90.0))
    assert np.allclose(np.ptp(quad, 0), (1.0, 3.0))
    assert np.allclose(quad[0], (0.5, -1.5))  # upper left: ahead is right, left is up


rectangles = st.tuples(
    *(st.floats(-3, 3), st.floats(-3, 3), st.floats(0.1, 4), st.floats(0.1, 4), st.floats(-7, 7))
)


@settings(max_examples=60)
@given(rectangles, rectangles)
def test_iou_is_that_of_polygons(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    quads = [turned_rectangle((x, y), w, h, t) for x, y, w, h, t in (a, b)]
    p, q = (Polygon(quad) for quad in quads)
    expected = p.intersection(q).area / p.union(q).area
    assert iou(*quads) == pytest.approx(expected, abs=1e-9)
