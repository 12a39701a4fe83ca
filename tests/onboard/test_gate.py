from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onboard import gate as gates
from onboard.gate import gate
from onboard.geodesy import offset_latlon, pixel_to_latlon
from onboard.messages import Match, Prior, TileId
from onboard.reasons import Reason
from tests.onboard.ground import LEVEL, north_up, similarity, texture

X, Y = 35_000_000.0, 25_000_000.0
VIEW = north_up(texture(0, 256))
GOOD = Match(
    tile=TileId(LEVEL, 0, 0),
    level=LEVEL,
    view_to_map=similarity(X, Y, 1.0, 0.0),
    score=20.0,
    runner_up=0.0,
    scale=1.0,
    rotation=0.0,
    inliers=40,
    checked=50,
    residual_px=1.5,
    covariance_px2=np.eye(2),
)


def test_a_good_match_stands():
    assert gate(GOOD, VIEW, None) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inliers": gates.MIN_INLIERS - 1, "checked": 12}, Reason.TOO_FEW_INLIERS),
        ({"inliers": 12, "checked": 64}, Reason.TOO_FEW_INLIERS),
        ({"residual_px": 0.3, "runner_up": 0.2}, Reason.AMBIGUOUS),  # blank ground
        ({"residual_px": gates.MAX_RESIDUAL_PX + 0.1}, Reason.RESIDUAL_TOO_LARGE),
        ({"runner_up": 0.9}, Reason.AMBIGUOUS),
        ({"runner_up": 0.2, "inliers": 20}, Reason.AMBIGUOUS),
        ({"scale": 1.25}, Reason.SCALE_DISAGREES),
        ({"scale": 0.8}, Reason.SCALE_DISAGREES),
        ({"rotation": 0.3}, Reason.ROTATION_DISAGREES),
        ({"rotation": -0.3}, Reason.ROTATION_DISAGREES),
        ({"residual_px": float("nan")}, Reason.RESIDUAL_TOO_LARGE),
        ({"runner_up": float("nan")}, Reason.AMBIGUOUS),
        ({"scale": float("nan")}, Reason.SCALE_DISAGREES),
        ({"rotation": float("nan")}, Reason.ROTATION_DISAGREES),
    ],
)
def test_each_fault_has_its_reason(change, reason):
    refusal = gate(replace(GOOD, **change), VIEW, None)
    assert refusal is not None and refusal.reason is reason
    assert refusal.detail


def test_far_from_where_it_may_be():
    lat, lon = (float(v) for v in pixel_to_latlon(X, Y, LEVEL))
    near = Prior(*offset_latlon(lat, lon, 100.0, 0.0), sigma_m=50.0)
    far = Prior(*offset_latlon(lat, lon, 0.0, 300.0), sigma_m=50.0)
    assert gate(GOOD, VIEW, near) is None
    refusal = gate(GOOD, VIEW, far)
    assert refusal is not None and refusal.reason is Reason.FAR_FROM_PRIOR


def test_refused_for_its_scale_is_only_what_is_right_in_all_else():
    """Such a match tells the height above the terrain."""
    lat, lon = (float(v) for v in pixel_to_latlon(X, Y, LEVEL))
    far = Prior(*offset_latlon(lat, lon, 0.0, 300.0), sigma_m=50.0)
    high = replace(GOOD, scale=1.3)
    for match, prior, reason in (
        (replace(high, rotation=1.57), None, Reason.ROTATION_DISAGREES),
        (high, far, Reason.FAR_FROM_PRIOR),
        (high, Prior(lat, lon, 50.0), Reason.SCALE_DISAGREES),
    ):
        refusal = gate(match, VIEW, prior)
        assert refusal is not None and refusal.reason is reason
