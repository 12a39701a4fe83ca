import cv2
import numpy as np
import pytest

from maps.sources.corner_csv import open_corner_csv
from onboard.errors import InputError
from onboard.geodesy import enu_offset_m, latlon_to_pixel, pixel_to_latlon
from tests.maps.small_imagery import texture

HEADER = "filename,top_left_lat,top_left_lon,bottom_right_lat,bottom_right_lon"


@pytest.fixture
def write(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), texture(200, 300))

    def csv(*lines: str, header: str = HEADER):
        (tmp_path / "map.csv").write_text("\n".join([header, *lines]) + "\n")
        return tmp_path / "map.csv"

    return csv


def test_each_line_is_a_picture_in_its_corners(write):
    first, second = open_corner_csv(
        write("a.jpg,24.01,120.0,24.0,120.02", "a.jpg,24.01,120.02,24.0,120.04")
    )
    degree_m = 6378137.0 * 3.141592653589793 / 180
    assert first.bounds_m[0] == pytest.approx(120.0 * degree_m)
    assert first.bounds_m[2] == pytest.approx(second.bounds_m[0])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("b.jpg,24.01,120.0,24.0,120.02", "line 2: there is no picture"),
        (",24.01,120.0,24.0,120.02", "line 2: there is no picture"),
        ("a.jpg,24.01,120.0,24.0", "line 2: a corner is not a number"),
        ("a.jpg,24.01,120.0,24.0,x", "line 2: a corner is not a number"),
        ("a.jpg,24.0,120.0,24.01,120.02", "line 2: the top left corner"),
        ("a.jpg,24.01,120.02,24.0,120.0", "line 2: the top left corner"),
        ("a.jpg,nan,120.0,24.0,120.02", "line 2: the top left corner"),
    ],
)
def test_a_wrong_line_is_named(write, line, sentence):
    with pytest.raises(InputError, match=sentence):
        open_corner_csv(write(line))


def test_missing_columns_and_lines(write, tmp_path):
    with pytest.raises(InputError, match="column 'top_left_lat' is missing"):
        open_corner_csv(write("a.jpg,1", header="filename,lat"))
    with pytest.raises(InputError, match="no lines"):
        open_corner_csv(write())
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"b\.csv"):
        open_corner_csv(tmp_path / "b.csv")


# 2 km x 1.4 km at 24 N; the picture of 300x200 px has pixels about as wide as high.
FOUR = HEADER + ",top_right_lat,top_right_lon,bottom_left_lat,bottom_left_lon"
FAIR = "a.jpg,24.0122,120.0,24.0,120.02"


def test_four_corners_that_agree_are_two(write, capsys):
    (two,) = open_corner_csv(write(FAIR))
    (four,) = open_corner_csv(write(FAIR + ",24.0122,120.02,24.0,120.0", header=FOUR))
    assert four.bounds_m == pytest.approx(two.bounds_m)
    assert not capsys.readouterr().err


def test_four_corners_that_disagree_a_little_are_averaged_and_said(write, capsys):
    (four,) = open_corner_csv(write(FAIR + ",24.0123,120.02,24.0,120.0", header=FOUR))
    (mean,) = open_corner_csv(write("a.jpg,24.01225,120.0,24.0,120.02"))
    assert four.bounds_m == pytest.approx(mean.bounds_m)
    assert "line 2: the four corners disagree by 11.1 m" in capsys.readouterr().err


@pytest.mark.parametrize("corners", [",24.014,120.0204,23.999,119.9996", ",nan,120.02,24.0,120.0"])
def test_four_corners_of_a_turned_picture_are_refused(write, corners):
    with pytest.raises(InputError, match="from a north-up rectangle"):
        open_corner_csv(write(FAIR + corners, header=FOUR))


def test_the_other_corners_must_be_whole(write):
    with pytest.raises(InputError, match="line 2: a corner is not a number"):
        open_corner_csv(write(FAIR + ",24.0122,120.02", header=FOUR))


def test_corners_that_stretch_the_picture_are_said(write, capsys):
    open_corner_csv(write("a.jpg,24.0127,120.0,24.0,120.02"))
    said = capsys.readouterr().err
    assert "the corners make the pixels 6.7" in said and "7.03" in said


@pytest.mark.parametrize("kind", ["mercator", "ground", "flat"])
@pytest.mark.parametrize("lat", [50.0, -33.0, 65.0])
def test_the_middle_of_a_tall_picture_lies_where_it_was_taken(tmp_path, kind, lat):
    """A line at the middle row of 16 km: cut from Web Mercator, with pixels square on the ground,
    or square in degrees."""
    level, width, height = 15, 256, 4096
    x0, y0 = (int(v) for v in latlon_to_pixel(lat, 10.0, level))
    north, west = pixel_to_latlon(x0, y0, level)
    south, east = pixel_to_latlon(x0 + width, y0 + height, level)
    middle = pixel_to_latlon(x0, y0 + height / 2, level)[0]
    if kind != "mercator":
        middle = (north + south) / 2
        tall_m = float(enu_offset_m(south, west, north, west)[1])
        wide_m = tall_m * width / height
        east = west + (north - south) * width / height
        if kind == "ground":
            east = west + wide_m / float(enu_offset_m(middle, west, middle, west + 1)[0])
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[height // 2 - 8 : height // 2 + 8] = 255
    cv2.imwrite(str(tmp_path / "tall.png"), picture)
    line = f"tall.png,{north:.7f},{west:.7f},{south:.7f},{east:.7f}"
    (tmp_path / "a.csv").write_text(f"{HEADER}\n{line}\n")
    (source,) = open_corner_csv(tmp_path / "a.csv")
    out = source.read(level, x0, y0, 64, height)
    rows = np.flatnonzero(out[:, 32].mean(axis=1) > 150)
    expected = float(latlon_to_pixel(middle, west, level)[1]) - y0
    assert rows.mean() + 0.5 == pytest.approx(expected, abs=0.6)
