import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import offset_latlon
from onboard.messages import Frame
from onboard.telemetry_messages import Attitude, Gnss
from tools.logs.recorded_log import RecordedLog
from tools.logs.with_frames import with_course_as_yaw, with_frames

MS = 1_000_000


def log(attitudes_ms: range, fixes_ms: range = range(0, 2000, 200)) -> RecordedLog:
    attitudes = [Attitude(t * MS, 0.0, 0.0, 1.0) for t in attitudes_ms]
    fixes = [Gnss(t * MS, 47.2, 8.5, receiver=t // 200 % 2) for t in fixes_ms]
    events = sorted([*attitudes, *fixes], key=lambda e: e.time_ns)
    return RecordedLog("a.bin", tuple(events), (), None, ())


def frame(ms: int) -> Frame:
    return Frame(ms * MS, None, f"{ms}")


def before(events, ms: int):
    """The last attitude and the first one behind the frame of this moment, in ms."""
    at = next(i for i, e in enumerate(events) if isinstance(e, Frame) and e.time_ns == ms * MS)
    told = [e.time_ns // MS if isinstance(e, Attitude) else None for e in events]
    return [t for t in told[:at] if t is not None][-1]


def test_a_frame_comes_when_the_attitude_around_it_is_known():
    events = list(with_frames(log(range(0, 2000, 250)), [frame(260), frame(500), frame(1001)]))
    assert before(events, 260) == 500
    assert before(events, 500) == 500
    assert before(events, 1001) == 1250


def test_a_frame_waits_for_no_attitude_that_is_too_late():
    events = list(with_frames(log(range(0, 2000, 700)), [frame(100), frame(300)]))
    assert before(events, 100) == 0
    assert before(events, 300) == 700


def test_a_late_attitude_is_waited_for_by_its_delay():
    late = list(with_frames(log(range(0, 2000, 250)), [frame(240)], attitude_delay_ns=50 * MS))
    assert before(late, 240) == 500


def test_both_receivers_are_lost_and_stay_two():
    events = list(with_frames(log(range(0, 100, 50)), [], gnss_until_ns=1000 * MS))
    fixes = [e for e in events if isinstance(e, Gnss)]
    assert [e.has_fix for e in fixes] == [True] * 5 + [False] * 5
    assert [e.receiver for e in fixes] == [0, 1] * 5


def moving(speed_m_s: float, course_deg: float) -> RecordedLog:
    turn = np.radians(course_deg)
    places = [
        offset_latlon(47.2, 8.5, i / 5 * speed_m_s * np.sin(turn), i / 5 * speed_m_s * np.cos(turn))
        for i in range(20)
    ]
    fixes = tuple(Gnss(i * 200 * MS, *place) for i, place in enumerate(places))
    return RecordedLog("a.csv", fixes, (), None, ())


@pytest.mark.parametrize("course_deg", [0.0, 90.0, -135.0])
def test_the_nose_points_where_it_moves(course_deg):
    turned = with_course_as_yaw(moving(8.0, course_deg))
    yaws = [e.yaw for e in turned.events if isinstance(e, Attitude)]
    assert len(yaws) >= 15
    assert np.degrees(yaws) == pytest.approx(course_deg, abs=0.5)
    assert "a guess" in turned.notes[-1]


def test_what_hovers_has_no_course():
    with pytest.raises(InputError, match="never moves faster than 2 m/s"):
        with_course_as_yaw(moving(1.0, 0.0))


def test_an_attitude_that_is_told_is_not_guessed():
    with pytest.raises(InputError, match="leave out --yaw-from-course"):
        with_course_as_yaw(log(range(0, 100, 50)))
