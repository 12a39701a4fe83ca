"""What the pilot is told of a height that frames contradict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onboard.height_doubt import COUNT, HOLDS_NS, HeightDoubt
from onboard.messages import Fix, FrameResult, Match, Refusal, TileId
from onboard.outputs.status_text import NOTICE, TEXT_LENGTH, WARNING
from onboard.publish import PERIOD_NS, Publisher
from onboard.reasons import Reason, Stage
from tests.onboard.test_publish import Written, gnss

SECOND = 1_000_000_000
MATCH = Match(TileId(18, 1, 1), 18, np.eye(2, 3), 1.0, 0.0, 1.0, 0.0, 40, 60, 1.0, np.eye(2))
FIX = Fix(0, 47.0, 8.0, 47.0, 8.0, np.eye(2), 10.0, "vision", 40)


def refused(at_s: float, scale: float, reason: Reason = Reason.SCALE_DISAGREES) -> FrameResult:
    time_ns = round(at_s * SECOND)
    refusal = Refusal(time_ns, Stage.GATE, reason)
    return FrameResult("f", time_ns, None, refusal, match=replace(MATCH, scale=scale))


@pytest.mark.parametrize(("scale", "words"), [(1.28, "30 % too low"), (0.83, "20 % too high")])
def test_frames_refused_for_their_scale_are_told_in_words(scale, words):
    doubt = HeightDoubt()
    for k in range(COUNT):
        assert doubt.said is None
        doubt.take(refused(5.0 * k, scale), 0.0)
    assert doubt.said is not None
    severity, text = doubt.said
    assert severity == WARNING and words in text and len(text) <= TEXT_LENGTH


def test_a_second_time_is_told_too_and_no_number_never():
    doubt, said = HeightDoubt(), []
    for begin in (0.0, 600.0):
        for k in range(COUNT):
            doubt.take(refused(begin + k, float("nan")), 0.0)
            doubt.take(refused(begin + k, 1.3), 0.0)
        said.append(doubt.said)
        doubt.take(FrameResult("f", round((begin + 9) * SECOND), FIX, None), 0.0)
        said.append(doubt.said)
    assert said[:2] == said[2:] and said[0] != said[1]


def test_a_fix_between_or_another_reason_or_long_ago_says_nothing():
    doubt = HeightDoubt()
    for k in range(COUNT - 1):
        doubt.take(refused(k, 1.3), 0.0)
    doubt.take(FrameResult("f", 3 * SECOND, FIX, None), 0.0)
    doubt.take(refused(4, 1.3), 0.0)
    for k in range(5, 9):
        doubt.take(refused(k, 1.3, Reason.AMBIGUOUS), 0.0)
    doubt.take(refused(9, 1.3), 0.0)
    doubt.take(refused(10 + HOLDS_NS / SECOND, 1.3), 0.0)
    assert doubt.said is None


def test_a_correction_is_told_once_and_only_where_it_matters():
    doubt = HeightDoubt()
    doubt.take(FrameResult("f", 0, FIX, None), 4.0)
    assert doubt.said is None
    doubt.take(FrameResult("f", 0, FIX, None), -1234.0)
    assert doubt.said is not None
    severity, text = doubt.said
    assert severity == NOTICE and "-1234 m" in text and len(text) <= TEXT_LENGTH
    link = Written()
    publisher = Publisher(link, height_said=lambda: doubt.said)
    for tick in range(100):
        publisher.act(tick * PERIOD_NS, None, gnss(tick * PERIOD_NS))
    assert link.texts.count(doubt.said) == 1
