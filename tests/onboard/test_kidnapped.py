"""Lost over a whole map: only frames that agree along the motion between them bring a position,
however many lucky matches come between."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.fuse import Estimator
from onboard.messages import Fix
from onboard.reasons import Mode
from tests.onboard.flights import LAT_DEG, LON_DEG, SECOND, error_m, fix, motion

MAP_M = 1500.0  # half a map's side: where wrong matches may lie


def kidnapped(
    seed: int, wrong_share: float, frames: int = 40, with_motion: bool = True
) -> list[tuple[float, float, float]]:
    """A frame a second from nowhere; (time, error, protection level) of every claim."""
    rng = np.random.default_rng(seed)
    estimator = Estimator((LAT_DEG, LON_DEG))
    claims = []
    for k in range(frames):
        estimator.add_exposure(k * SECOND, motion(k - 1, k) if k and with_motion else None)
        if rng.random() < wrong_share:
            estimator.add_fix(_anywhere(rng, k))
        else:
            east, north = rng.normal(0.0, 2.0, 2)
            estimator.add_fix(fix(k, float(east), float(north)))
        claim = estimator.estimate_at(k * SECOND)
        if claim is not None:
            assert claim.mode is not Mode.LOST and claim.protection_m is not None
            claims.append((float(k), error_m(k, claim.lat_deg, claim.lon_deg), claim.protection_m))
    return claims


def _anywhere(rng: np.random.Generator, time_s: float) -> Fix:
    east, north = rng.uniform(-MAP_M, MAP_M, 2)
    return fix(time_s, float(east), float(north))


@given(st.integers(0, 10_000), st.floats(0.0, 0.6))
@settings(deadline=None, max_examples=40)
def test_a_position_found_again_is_the_right_one(seed: int, wrong_share: float) -> None:
    for _, error, protection_m in kidnapped(seed, wrong_share):
        assert error <= protection_m


def test_it_is_found_soon_where_half_the_matches_are_right() -> None:
    first = [claims[0][0] for seed in range(20) if (claims := kidnapped(seed, 0.5))]
    assert len(first) == 20
    assert np.median(first) <= 8.0


def test_wrong_matches_alone_bring_none() -> None:
    silent = [not kidnapped(seed, 1.0) for seed in range(30)]
    assert all(silent)


def test_without_motion_consecutive_frames_still_bring_it() -> None:
    claims = kidnapped(3, 0.3, with_motion=False)
    assert claims and all(error <= protection_m for _, error, protection_m in claims)


def test_one_place_seen_wrongly_again_and_again_is_not_believed_while_moving() -> None:
    """A look-alike: the same wrong place in every second frame, while the vehicle flies on."""
    rng = np.random.default_rng(1)
    estimator = Estimator((LAT_DEG, LON_DEG))
    for k in range(30):
        estimator.add_exposure(k * SECOND, motion(k - 1, k) if k else None)
        if k % 2:
            stays = fix(0, 400.0, -300.0)
            position = stays.lat_deg, stays.lon_deg
            estimator.add_fix(
                Fix(k * SECOND, *position, *position, stays.covariance, 12.0, "test", 40)
            )
        else:
            estimator.add_fix(_anywhere(rng, k))
    assert estimator.estimate_at(29 * SECOND) is None
