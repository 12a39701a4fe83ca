import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import offset_latlon
from onboard.telemetry_messages import Gnss
from tools.logs.pictures import match_photos, photo_frames, video_frames
from tools.logs.recorded_log import RecordedLog, Trigger
from tools.photo_folder import Photo
from tools.photo_tags import PhotoTags

HOME = (47.2, 8.5)
SECOND = 1_000_000_000
UTC_NS = 1_700_000_000 * SECOND  # of the log's zero


def place(time_s: float) -> tuple[float, float]:
    """A flight that turns, so that no shift in time looks like another."""
    return offset_latlon(*HOME, 12.0 * time_s, 0.05 * time_s**2)


def log(triggers: tuple[Trigger, ...] = (), knows_utc: bool = True) -> RecordedLog:
    events = tuple(Gnss(i * SECOND // 5, *place(i / 5)) for i in range(500))
    return RecordedLog("a.bin", events, triggers, UTC_NS if knows_utc else None, ())


def photos(times_s: list[float], clock_ahead_s: float = 0.0, with_position: bool = True):
    made = []
    for t in times_s:
        time_ns = UTC_NS + round((t + clock_ahead_s) * SECOND)
        lat, lon = place(t) if with_position else (None, None)
        tags = PhotoTags(time_ns=time_ns, lat_deg=lat, lon_deg=lon)
        made.append(Photo(Path(f"{t}.jpg"), tags, time_ns))
    return made


TIMES = [10.0, 13.5, 20.0, 31.0, 44.0, 70.0]


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0 - 2.3, -5 * 3600 + 17.0, 5.75 * 3600])
def test_zone_and_seconds_of_the_cameras_clock_are_found(ahead_s):
    matched, said = match_photos(photos(TIMES, ahead_s), log())
    assert [m.time_ns / SECOND for m in matched] == pytest.approx(TIMES, abs=0.15)
    assert "EXIF" in said


def test_a_log_without_utc_is_matched_by_its_track():
    matched, _ = match_photos(photos(TIMES, 777.0), log(knows_utc=False))
    assert [m.time_ns / SECOND for m in matched] == pytest.approx(TIMES, abs=0.15)


def test_triggers_count_before_clocks():
    triggers = tuple(Trigger(round(t * SECOND)) for t in TIMES)
    matched, said = match_photos(photos(TIMES, 5e6, with_position=False), log(triggers))
    assert [m.time_ns / SECOND for m in matched] == TIMES
    assert "triggers" in said


def test_rounds_that_are_alike_are_told_apart_by_the_clock_alone():
    """The same square twice: positions can't tell the round."""
    flown = log()
    again = [replace(e, time_ns=e.time_ns + 100 * SECOND) for e in flown.events]
    twice = replace(flown, events=(*flown.events, *again))
    with pytest.raises(InputError, match=r"when taken .100 s later; give --pictures-ahead"):
        match_photos(photos(TIMES, 3.0), twice)
    matched, said = match_photos(photos(TIMES, 103.0), twice, ahead_s=3.0)
    assert [m.time_ns / SECOND for m in matched] == [t + 100 for t in TIMES]
    assert "+3 s ahead of UTC" in said


def test_pictures_of_one_place_fit_too_many_moments():
    hover = [replace(e, lat_deg=47.2, lon_deg=8.5) for e in log().events]
    still = [replace(p, tags=replace(p.tags, lat_deg=47.2, lon_deg=8.5)) for p in photos(TIMES)]
    with pytest.raises(InputError, match="as well when taken"):
        match_photos(still, replace(log(), events=tuple(hover)))


def test_a_clock_under_which_no_picture_falls_into_the_log():
    with pytest.raises(InputError, match="no picture falls into it with a clock \\+900 s ahead"):
        match_photos(photos(TIMES), log(), ahead_s=900.0)
    with pytest.raises(InputError, match="does not tell UTC; leave out --pictures-ahead"):
        match_photos(photos(TIMES), log(knows_utc=False), ahead_s=0.0)


def test_many_pictures_of_a_long_flight_are_matched_soon():
    begin_s = time.monotonic()
    matched, _ = match_photos(photos([i / 6 for i in range(500)], 7200.0), log())
    assert len(matched) == 500
    assert time.monotonic() - begin_s < 20.0  # 1 s on an idle machine


def test_pictures_of_another_flight_are_refused():
    far = [
        Photo(p.path, PhotoTags(time_ns=p.time_ns, lat_deg=48.0, lon_deg=9.0), p.time_ns)
        for p in photos(TIMES)
    ]
    with pytest.raises(InputError, match="nowhere on its track"):
        match_photos(far, log())


def test_pictures_without_positions_and_triggers_can_not_be_matched():
    with pytest.raises(InputError, match="can't be matched"):
        match_photos(photos(TIMES, with_position=False), log())


def test_undecodable_pictures_are_frames_without_an_image(tmp_path):
    matched, _ = match_photos(photos(TIMES), log())
    frames = list(photo_frames(matched))
    assert [f.image for f in frames] == [None] * len(TIMES)
    assert [f.time_ns for f in frames] == sorted(f.time_ns for f in frames)


def test_frames_of_a_video_at_their_times(tmp_path):
    path = tmp_path / "flight.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (96, 64))
    for i in range(30):
        writer.write(np.full((64, 96, 3), 8 * i, np.uint8))
    writer.release()
    frames = list(video_frames(path, 5 * SECOND, 2.0))
    assert [f.time_ns / SECOND for f in frames] == pytest.approx([5 + 0.5 * i for i in range(6)])
    brightness = [float(f.image.mean()) for f in frames]
    assert brightness == pytest.approx([40.0 * i for i in range(6)], abs=4.0)


def test_what_is_no_video(tmp_path):
    path = tmp_path / "no.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"no\.mp4"):
        list(video_frames(path, 0, 2.0))
