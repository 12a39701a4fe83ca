import cv2
import pytest

from maps.corner_csv import open_corner_csv
from onboard.errors import InputError
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
