"""Heights of a log as they would have come in flight."""

from onboard.telemetry_messages import Attitude, Height
from tools.logs.one_height import one_height

SECOND = 1_000_000_000


def home(seconds: float, agl_m: float = 100.0, amsl_m: float | None = 600.0) -> Height:
    return Height(round(seconds * SECOND), agl_m, amsl_m, 5.0, "home")


def ranged(seconds: float, agl_m: float = 60.0) -> Height:
    return Height(round(seconds * SECOND), agl_m, None, 0.5, "rangefinder")


def test_the_rangefinder_has_the_word_while_it_speaks_and_carries_the_sea_level():
    events = [home(0.0), Attitude(0, 0.0, 0.0, 0.0), ranged(0.1), home(0.2), ranged(0.3), home(2.0)]
    heights = [e for e in one_height(events) if isinstance(e, Height)]
    assert [(h.source, h.agl_m, h.amsl_m) for h in heights] == [
        ("home", 100.0, 600.0),
        ("rangefinder", 60.0, 600.0),
        ("rangefinder", 60.0, 600.0),
        ("home", 100.0, 600.0),
    ]
    assert sum(isinstance(e, Attitude) for e in one_height(events)) == 1


def test_a_sea_level_of_long_ago_is_not_carried():
    assert [h.amsl_m for h in one_height([home(0.0), ranged(5.0)])] == [600.0, None]


def test_sources_that_flight_does_not_know_give_way_to_those_it_does():
    photograph = Height(SECOND, 80.0, 500.0, 5.0, "photograph")
    assert list(one_height([photograph])) == [photograph]
    assert photograph not in list(one_height([ranged(0.9), photograph]))
