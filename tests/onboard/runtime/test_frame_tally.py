"""What the log says of frames that were not used."""

from __future__ import annotations

import logging

import pytest

from onboard.companion import FrameDone, Handled
from onboard.geodesy import offset_latlon
from onboard.messages import FrameResult, Refusal
from onboard.reasons import Reason, Stage
from onboard.runtime.frame_tally import EVERY_S, FrameTally
from onboard.telemetry_messages import Gnss

BOUNDS = (46.5, 7.0, 46.6, 7.2)
OWN = 1


@pytest.fixture
def tally(caplog: pytest.LogCaptureFixture) -> FrameTally:
    caplog.set_level(logging.INFO, "onboard.runtime.frame_tally")
    return FrameTally(BOUNDS, OWN, 0.0)


def fly(tally: FrameTally, *reasons: Reason | None) -> None:
    """None: the frame was used."""
    for reason in reasons:
        refusal = Refusal(0, Stage.INPUT, reason, "") if reason else None
        tally.note(FrameDone(0, FrameResult("", 0, None, refusal)))


def hear(tally: FrameTally, east_m: float, receiver: int = 0, has_fix: bool = True) -> None:
    at = offset_latlon(BOUNDS[0], BOUNDS[3], east_m, 10.0)
    tally.note(Handled(Gnss(0, *at, 2.0, has_fix, receiver=receiver)))


def test_the_end_says_why_nothing_was_used(tally, caplog) -> None:
    fly(tally, *[Reason.HEIGHT_OUT_OF_RANGE] * 13, *[Reason.NO_ATTITUDE] * 2)
    tally.end()
    assert caplog.record_tuples == [
        (
            "onboard.runtime.frame_tally",
            logging.WARNING,
            "0 of 15 frames used: 13 height_out_of_range, 2 no_attitude",
        )
    ]


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ((), "no frame came from the camera"),
        ((None, None), "2 of 2 frames used"),
        ((None, Reason.BLURRED), "1 of 2 frames used: 1 blurred"),
    ],
)
def test_the_end_of_other_flights(tally, caplog, reasons, said) -> None:
    fly(tally, *reasons)
    tally.end()
    assert caplog.messages == [said]


def test_each_minute_without_a_used_frame_is_told_and_no_other(tally, caplog) -> None:
    for minute in range(5):
        fly(tally, Reason.NO_HEIGHT, *([None] if minute == 1 else []))
        if minute == 3:
            fly(tally, Reason.TOO_DARK, Reason.TOO_DARK)
        for second in range(0, int(EVERY_S), 5):
            tally.look(minute * EVERY_S + second + 5.0)
    one = "in 60 s 0 of 1 frames used: 1 no_height"
    assert caplog.messages == [
        one, one, "in 60 s 0 of 3 frames used: 2 too_dark, 1 no_height", one
    ]  # fmt: skip


def test_off_the_map_is_said_once(tally, caplog) -> None:
    for _ in range(3):
        hear(tally, 7300.0)
        tally.look(1.0)
    assert caplog.messages == ["by GNSS the vehicle is 7.3 km off the map"]


def test_on_the_map_without_fix_or_by_itself_nothing_is_said(tally, caplog) -> None:
    for east_m, receiver, has_fix in ((-50.0, 0, True), (7300.0, 0, False), (7300.0, OWN, True)):
        hear(tally, east_m, receiver, has_fix)
        tally.look(1.0)
    assert caplog.messages == []
