import numpy as np
import pytest

from onboard.geodesy import offset_latlon, pixel_to_latlon
from onboard.messages import (
    Candidate,
    Fix,
    FrameResult,
    Refusal,
    TileId,
)
from onboard.reasons import Reason, Stage
from tools.scores import (
    FrameScore,
    inside_ellipse,
    retrieval_rank,
    score_frame,
    spread,
    total,
)


def fixed(error_m, time_ns=0):
    lat, lon = offset_latlon(10.0, 20.0, error_m, 0.0)
    fix = Fix(time_ns, lat, lon, lat, lon, np.eye(2) * 4.0, 10.0, "map", 10)
    return FrameResult("a", time_ns, fix, None)


def test_refused_frames_count_as_not_located():
    scores = [score_frame(fixed(e), (10.0, 20.0), (10.0, 20.0)) for e in (1.0, 9.0, 12.0, 31.0)]
    refusal = Refusal(0, Stage.GATE, Reason.AMBIGUOUS)
    scores.append(score_frame(FrameResult("b", 0, None, refusal), (10.0, 20.0), None))
    sums = total("own", scores)
    assert (sums.frames, sums.accepted, sums.near, sums.wrong) == (5, 4, 2, 1)
    assert sums.near_share == pytest.approx(0.4)
    assert sums.refusals == {"ambiguous": 1}
    assert sums.centre is not None
    assert sums.centre.median == pytest.approx(10.5, abs=0.01)
    assert sums.inside_vehicle == pytest.approx(0.25)


def test_without_a_truth_there_are_no_errors():
    sums = total("own", [score_frame(fixed(1.0), None, None)])
    assert (sums.accepted, sums.near, sums.centre, sums.vehicle) == (1, 0, None, None)


def test_ellipses_hold_95_percent_of_their_own_normal():
    covariance = np.array([[9.0, 4.0], [4.0, 4.0]])
    errors = np.random.default_rng(1).multivariate_normal([0, 0], covariance, 4000)
    held = np.mean([inside_ellipse(tuple(e), covariance) for e in errors])
    assert held == pytest.approx(0.95, abs=0.012)
    assert not inside_ellipse((0.0, 1.0), np.zeros((2, 2)))


def test_a_tile_is_right_when_its_centre_is_near():
    tiles = [TileId(18, 200_000 + i, 100_000) for i in range(3)]
    result = FrameResult("a", 0, None, None, candidates=tuple(Candidate(t, 0.1) for t in tiles))
    x, y = tiles[1].centre_px
    assert retrieval_rank(result, pixel_to_latlon(x + 60, y - 60, 18)) == 2
    assert retrieval_rank(result, pixel_to_latlon(x - 68, y, 18)) == 1
    assert retrieval_rank(result, pixel_to_latlon(x, y + 300, 18)) == 0
    assert retrieval_rank(result, None) is None


def test_spread_of_nothing_and_of_something():
    assert spread([None]) is None
    s = spread([3.0, None, 1.0, 2.0])
    assert s is not None
    assert (s.median, s.max) == (2.0, 3.0)


def test_retrieval_shares_speak_of_frames_that_got_there():
    scores = [FrameScore(str(r), True, rank=r) for r in (1, 4, 0, None)]
    sums = total("own", scores)
    assert (sums.top1, sums.top5) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
