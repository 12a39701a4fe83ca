import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.logs.dji_srt import read_srt

BLOCK = """{n}
00:00:{s:02d},{ms:03d} --> 00:00:{s:02d},{ms:03d}
<font size="28">SrtCnt : {n}, DiffTime : 33ms
2024-06-19 11:35:09.009
[iso : 200] [latitude: {lat}] [longitude: {lon}] [rel_alt: 118.400 abs_alt: 803.653] {more}</font>

"""


def subtitles(count=3, lat="32.104834", lon="35.203781", more=""):
    return "".join(
        BLOCK.format(n=i + 1, s=i // 10, ms=100 * (i % 10), lat=lat, lon=lon, more=more)
        for i in range(count)
    )


def written(tmp_path, text):
    path = tmp_path / "DJI.SRT"
    path.write_text(text)
    return path


def test_every_frame_has_height_and_position(tmp_path):
    log = read_srt(written(tmp_path, subtitles(12)))
    heights = [e for e in log.events if isinstance(e, Height)]
    fixes = [e for e in log.events if isinstance(e, Gnss)]
    assert len(heights) == len(fixes) == 12
    assert (heights[0].agl_m, heights[0].amsl_m) == (118.4, 803.653)
    assert (fixes[0].lat_deg, fixes[0].lon_deg, fixes[0].has_fix) == (32.104834, 35.203781, True)
    assert heights[11].time_ns == 1_100_000_000
    assert any("no attitude" in note for note in log.notes)
    assert log.utc_minus_clock_ns == 1_718_796_909_009_000_000


def test_gimbal_angles_are_the_attitude(tmp_path):
    text = subtitles(more="[gb_yaw: 90.0 gb_pitch: -88.0 gb_roll: 0.5]")
    log = read_srt(written(tmp_path, text))
    attitude = next(e for e in log.events if isinstance(e, Attitude))
    angles = [math.degrees(v) for v in (attitude.roll, attitude.pitch, attitude.yaw)]
    assert angles == pytest.approx([0.5, -88.0, 90.0])


def test_zero_zero_is_no_position(tmp_path):
    log = read_srt(written(tmp_path, subtitles(4, "0.000000", "0.000000")))
    assert not any(e.has_fix for e in log.events if isinstance(e, Gnss))
    assert "4 frames have no position" in " ".join(log.notes)
    assert len(log.track.time_ns) == 0


@pytest.mark.parametrize("text", ["", "no subtitles", "1\n00:00:00,000 --> 00:00:01,000\nHello\n"])
def test_other_subtitles_are_refused(tmp_path, text):
    with pytest.raises(InputError, match=r"DJI\.SRT"):
        read_srt(written(tmp_path, text))


@given(cut=st.floats(0.0, 1.0))
def test_a_truncated_file_gives_what_it_has(tmp_path_factory, cut):
    text = subtitles(6)
    path = written(tmp_path_factory.mktemp("srt"), text[: int(cut * len(text))])
    try:
        log = read_srt(path)
    except InputError:
        return
    assert 1 <= sum(isinstance(e, Height) for e in log.events) <= 6
