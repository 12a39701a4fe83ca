import math

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.messages import Frame
from onboard.telemetry_messages import Attitude, Gnss, Height
from tests.tools.photographs import write_photo
from tools.photo_folder import (
    attitude_of,
    frame_of,
    photo_events,
    read_flight,
)
from tools.photo_picture import MAX_DECODED_PX, read_picture


def test_events_come_in_time_order_with_all_that_is_known(tmp_path):
    write_photo(tmp_path / "a.jpg", time="2024:10:30 10:00:02")
    write_photo(tmp_path / "b.jpg", time="2024:10:30 10:00:01")
    flight = read_flight(tmp_path)
    events = list(photo_events(flight.photos, by_gimbal=False))
    assert [type(e) for e in events] == [Attitude, Height, Gnss, Frame] * 2
    assert [e.name for e in events if isinstance(e, Frame)] == ["b.jpg", "a.jpg"]
    assert [e.time_ns for e in events] == sorted(e.time_ns for e in events)
    assert any("sorted by time" in note for note in flight.notes)
    frame = events[3]
    assert isinstance(frame, Frame)
    assert frame.image is not None
    assert frame.image.shape == (120, 160, 3)


def test_pictures_are_bgr(tmp_path):
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 250
    picture = read_picture(write_photo(tmp_path / "a.jpg", picture=red))
    assert picture[32, 32, 2] > 200 > 60 > picture[32, 32, 0]


def test_gnss_is_lost_from_the_given_moment(tmp_path):
    for second in range(3):
        write_photo(tmp_path / f"{second}.jpg", time=f"2024:10:30 10:00:0{second}")
    photos = read_flight(tmp_path).photos
    events = list(photo_events(photos, False, gnss_until_ns=photos[1].time_ns))
    assert [e.has_fix for e in events if isinstance(e, Gnss)] == [True, False, False]


def test_the_gimbals_attitude_counts_only_where_it_is_real(tmp_path):
    write_photo(tmp_path / "a.jpg", gimbal_deg=(0, -90, 10), time="2024:10:30 10:00:01")
    write_photo(tmp_path / "b.jpg", gimbal_deg=(0, 0, 0), time="2024:10:30 10:00:02")
    flight = read_flight(tmp_path)
    real, unreal = flight.photos
    attitude = attitude_of(real, by_gimbal=True)
    assert attitude is not None
    assert math.degrees(attitude.pitch) == pytest.approx(-90)
    assert attitude_of(unreal, by_gimbal=True) is None
    assert attitude_of(unreal, by_gimbal=False) is not None
    assert any("1 photograph has all gimbal angles zero" in note for note in flight.notes)


def test_the_table_wins_over_the_tags_and_fills_what_they_lack(tmp_path):
    write_photo(tmp_path / "DJI_1.jpg", agl_m=None, position=(1.0, 2.0))
    (tmp_path / "p.csv").write_text("file,lat,lon,height\ndji_1.JPG,5,6,77\ngone.jpg,1,1,1\n")
    flight = read_flight(tmp_path, tmp_path / "p.csv")
    tags = flight.photos[0].tags
    assert (tags.lat_deg, tags.lon_deg, tags.agl_m) == (5.0, 6.0, 77.0)
    assert tags.flight is not None
    assert any("a row in the table but no file" in note for note in flight.notes)


def test_bad_photographs_stay_in_the_flight_with_their_reason(tmp_path):
    whole = write_photo(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    write_photo(tmp_path / "timeless.jpg", time=None)
    flight = read_flight(tmp_path)
    assert len(flight.photos) == 4
    images = {p.path.name: frame_of(p).image for p in flight.photos}
    assert images.pop("a.jpg") is not None
    assert set(images.values()) == {None}
    said = " ".join(flight.notes)
    assert "empty.jpg: not a picture" in said
    assert "timeless.jpg: has no time" in said


def test_no_times_at_all_are_said_and_spaced(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        write_photo(tmp_path / name, time=None)
    flight = read_flight(tmp_path)
    assert [p.time_ns for p in flight.photos] == [0, 1_000_000_000]
    assert "no photograph has a time" in flight.notes[-1]


def test_duplicate_times_and_missing_positions_are_said(tmp_path):
    write_photo(tmp_path / "a.jpg", position=(0.0, 0.0))
    write_photo(tmp_path / "b.jpg")
    said = " ".join(read_flight(tmp_path).notes)
    assert "1 photograph has the same time as another" in said
    assert "1 photograph has no position (or 0/0)" in said


def test_the_photos_folder_inside_is_found(tmp_path):
    (tmp_path / "photos").mkdir()
    write_photo(tmp_path / "photos" / "a.jpg")
    assert len(read_flight(tmp_path).photos) == 1


def test_fifty_megapixels_are_halved_while_decoding(tmp_path):
    big = np.full((5792, 8688, 3), 120, np.uint8)
    picture = read_picture(write_photo(tmp_path / "a.jpg", picture=big))
    assert picture.shape == (2896, 4344, 3)
    assert picture.shape[0] * picture.shape[1] <= MAX_DECODED_PX


def test_folders_that_cannot_be_used_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_flight(tmp_path / "none")
    with pytest.raises(InputError, match="no photographs in it"):
        read_flight(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of its 1 files opens"):
        read_flight(tmp_path)
    write_photo(tmp_path / "a.jpg", agl_m=None)
    with pytest.raises(InputError, match="a height above ground"):
        read_flight(tmp_path)
    write_photo(tmp_path / "a.jpg", flight_deg=None)
    with pytest.raises(InputError, match="an attitude"):
        read_flight(tmp_path)


def test_a_table_of_another_flight_is_refused(tmp_path):
    write_photo(tmp_path / "a.jpg")
    (tmp_path / "p.csv").write_text("file,lat,lon\nother.jpg,5,6\n")
    with pytest.raises(InputError, match="names none of the photographs"):
        read_flight(tmp_path, tmp_path / "p.csv")


def test_a_name_that_is_no_text_can_be_printed_and_written(tmp_path):
    write_photo(tmp_path / "a.jpg")
    try:
        (tmp_path / "a.jpg").rename(tmp_path / "b\udcff.jpg")
    except OSError:
        pytest.skip("this file system takes text only as names")
    (photo,) = read_flight(tmp_path).photos
    assert frame_of(photo).name == "b\\udcff.jpg"
    assert frame_of(photo).image is not None
