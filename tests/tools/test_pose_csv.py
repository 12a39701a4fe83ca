import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from tools.pose_csv import NAMES, SUGGESTED, parse_time_ns, photo_key, read_poses


def table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "poses.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_shape_that_exiftool_writes(tmp_path):
    poses = read_poses(
        table(
            tmp_path,
            "FileName,DateTimeOriginal,GPSLatitude,GPSLongitude,GPSAltitude,RelativeAltitude,"
            "GimbalPitchDegree,GimbalYawDegree,GimbalRollDegree\n"
            "DJI_0018.JPG,2016:06:23 16:31:59,46.8,-91.9,198.3,39.8,-89.9,45.0,0.0\n",
        )
    )
    pose = poses[photo_key("dji_0018.jpg")]
    assert pose.time_ns == 1466699519_000_000_000
    assert (pose.lat_deg, pose.lon_deg, pose.agl_m, pose.amsl_m) == (46.8, -91.9, 39.8, 198.3)
    assert pose.gimbal is not None
    assert math.degrees(pose.gimbal.yaw) == pytest.approx(45.0)
    assert pose.flight is None


def test_other_names_semicolons_and_a_byte_order_mark(tmp_path):
    text = (
        "\ufefffile;time_s;lat;lon;rel_alt_m;yaw_deg;pitch_deg;roll_deg\na.jpg;1.5;1;2;30;4;5;6\n"
    )
    pose = read_poses(table(tmp_path, text))["a"]
    assert (pose.time_ns, pose.lat_deg, pose.agl_m) == (1_500_000_000, 1.0, 30.0)
    assert pose.flight is not None
    assert math.degrees(pose.flight.roll) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("file,lat,lon\n", "no rows"),
        ("colour,size\nred,1\n", "no known column for the file names among 'colour, size'"),
        ("file,colour\na,red\n", "anything but the file names"),
        ("file,lat,lon\na.jpg,north,2\n", "line 2, lat: 'north' is no number"),
        ("file,lat,lon\na.jpg,nan,2\n", "line 2, lat: 'nan' is no number"),
        ("file,lat,lon\na.jpg,1,2\nA.JPG,1,2\n", "line 3: 'A.JPG' is there twice"),
        ("file,lat,lon\n,1,2\n", "line 2: no file name"),
        ("file,time\na.jpg,noon\n", "line 2, time: 'noon' is no date"),
        ("file,time_s\na.jpg,1e300\n", "line 2: its time"),
        (f"file,time_ns\na.jpg,{2**63}\n", "line 2: its time"),
        ("file,time\na.jpg,9999-12-31\n", "line 2: its time"),
        ("file,time_ns\na.jpg,1.5\n", "line 2, time_ns: '1.5' is no whole number"),
    ],
)
def test_what_is_wrong_and_where(tmp_path, text, says):
    with pytest.raises(InputError) as error:
        read_poses(table(tmp_path, text))
    assert says in str(error.value)
    assert "poses.csv" in str(error.value)


def test_every_suggested_name_is_known():
    plain = ["".join(c for c in name.lower() if c.isalnum()) for name in SUGGESTED]
    known = {name for names in NAMES.values() for name in names}
    assert set(plain) <= known


def test_a_table_that_is_not_utf8_or_not_there(tmp_path):
    with pytest.raises(InputError, match="not a CSV file in UTF-8"):
        read_poses(table(tmp_path, "file,緯度\na,1\n", "big5"))
    with pytest.raises(InputError, match="cannot be read"):
        read_poses(tmp_path / "none.csv")


def test_times_with_and_without_a_zone():
    assert parse_time_ns("1970-01-01T01:00:00+01:00", "") == 0
    assert parse_time_ns("1970-01-01T00:00:00Z", "") == 0
    assert parse_time_ns("1970:01:01 00:00:01.25", "") == 1_250_000_000


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "poses.csv"
    path.write_text(text, encoding="utf-8", errors="ignore")
    with pytest.raises(InputError):
        read_poses(path)
        raise InputError("read")
