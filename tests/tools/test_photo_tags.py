import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.photographs import write_photo
from tools.photo_tags import position_or_none, read_photo_tags


def test_everything_a_dji_photograph_tells(tmp_path):
    path = write_photo(tmp_path / "a.jpg", subsec="25", gimbal_deg=(0.0, -89.9, 45.0))
    tags = read_photo_tags(path)
    assert tags.time_ns == 1730282715_250_000_000
    assert tags.lat_deg == pytest.approx(46.5, abs=1e-7)
    assert tags.lon_deg == pytest.approx(-92.25, abs=1e-7)
    assert tags.agl_m == 100.0
    assert tags.flight is not None
    assert math.degrees(tags.flight.yaw) == pytest.approx(30.0)
    assert tags.gimbal is not None
    assert math.degrees(tags.gimbal.pitch) == pytest.approx(-89.9)
    assert (tags.width_px, tags.height_px, tags.focal_35mm) == (160, 120, 24.0)


def test_gimbal_tags_that_are_all_zero_are_not_real(tmp_path):
    tags = read_photo_tags(write_photo(tmp_path / "a.jpg", gimbal_deg=(0.0, 0.0, 0.0)))
    assert tags.gimbal is None
    assert tags.gimbal_all_zero


def test_a_gimbal_that_looks_north_and_down_is_real(tmp_path):
    tags = read_photo_tags(write_photo(tmp_path / "a.jpg", gimbal_deg=(0.0, -90.0, 0.0)))
    assert tags.gimbal is not None
    assert not tags.gimbal_all_zero


def test_a_position_of_zero_is_none(tmp_path):
    tags = read_photo_tags(write_photo(tmp_path / "a.jpg", position=(0.0, 0.0)))
    assert tags.lat_deg is None
    assert tags.lon_deg is None


def test_a_photograph_without_tags_tells_nothing(tmp_path):
    bare = {"time": None, "position": None, "agl_m": None, "flight_deg": None, "focal_35mm": None}
    tags = read_photo_tags(write_photo(tmp_path / "a.jpg", **bare))
    assert (tags.time_ns, tags.lat_deg, tags.agl_m, tags.flight, tags.focal_35mm) == (None,) * 5


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_a_reason(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ValueError, match="not a picture"):
        read_photo_tags(tmp_path / "a.jpg")


def test_any_bytes_are_read_or_refused(tmp_path):
    whole = write_photo(tmp_path / "a.jpg", gimbal_deg=(0, -90, 0)).read_bytes()

    @given(st.integers(0, 1200), st.binary(min_size=1, max_size=40))
    def damaged(at, patch):
        (tmp_path / "b.jpg").write_bytes(whole[:at] + patch + whole[at + len(patch) :])
        try:
            read_photo_tags(tmp_path / "b.jpg")
        except ValueError as e:
            assert str(e)

    damaged()


@given(st.floats(), st.floats())
def test_a_position_is_on_earth_or_none(lat, lon):
    got = position_or_none(lat, lon)
    assert got == (None, None) or (abs(got[0]) <= 90 and abs(got[1]) <= 180)
