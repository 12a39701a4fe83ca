"""The estimator in flight: one fault at a time, and what it says of itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.fuse import COASTING_AFTER_S, LOST_AFTER_S, Estimator
from onboard.messages import Estimate
from onboard.reasons import Mode, Reason
from onboard.telemetry_messages import Gnss
from tests.onboard.flights import (
    LAT_DEG,
    LON_DEG,
    SECOND,
    Noise,
    error_m,
    fix,
    gnss,
    motion,
    place,
)

ORIGIN = (LAT_DEG + 0.01, LON_DEG - 0.01)


def at(estimator: Estimator, time_s: float) -> Estimate:
    estimate = estimator.estimate_at(round(time_s * SECOND))
    assert estimate is not None
    return estimate


def error_at(estimator: Estimator, time_s: float) -> float:
    estimate = at(estimator, time_s)
    return error_m(time_s, estimate.lat_deg, estimate.lon_deg)


def tracking(
    until_s: int = 20, with_motion: bool = True, searches_everywhere: bool = True
) -> Estimator:
    """After GNSS at 5 Hz for five seconds and a fix a second since."""
    estimator = Estimator(ORIGIN, searches_everywhere)
    for i in range(25):
        estimator.add_gnss(gnss(i / 5))
    for second in range(5, until_s + 1):
        seen = motion(second - 1, second) if with_motion and second > 5 else None
        estimator.add_exposure(second * SECOND, seen)
        assert estimator.add_fix(fix(second)) is None
    return estimator


@pytest.mark.parametrize("searches_everywhere", [True, False])
def test_without_a_fix_for_long_some_frames_look_everywhere(searches_everywhere: bool) -> None:
    """Unless the map is so large that the flight would miss the motion meanwhile."""
    estimator = tracking(searches_everywhere=searches_everywhere)
    everywhere = 0
    for second in range(21, 51):
        estimator.add_exposure(second * SECOND, motion(second - 1, second))
        everywhere += estimator.search_at(second * SECOND) is None
    assert everywhere == (7 if searches_everywhere else 0)


def test_what_gnss_carries_is_searched_beyond_on_any_map() -> None:
    """A spoofer's estimate is renewed with each report and never lost."""
    estimator = tracking(searches_everywhere=False)
    everywhere = 0
    for second in range(21, 81):
        estimator.add_exposure(second * SECOND, motion(second - 1, second))
        estimator.add_gnss(gnss(second))
        everywhere += estimator.search_at(second * SECOND) is None
    assert everywhere > 10


def test_nothing_is_said_before_the_first_position() -> None:
    estimator = Estimator(ORIGIN)
    assert estimator.estimate_at(0) is None
    assert estimator.prior_at(0) is None
    assert estimator.mode_at(0) is Mode.LOST
    estimator.add_gnss(Gnss(0, 0.0, 0.0, 3.0, has_fix=False))
    estimator.add_gnss(Gnss(0, float("nan"), 8.5, 3.0))
    assert estimator.mode_at(0) is Mode.LOST


def test_follows_noisy_fixes_honestly() -> None:
    inside = 0
    for seed in range(20):
        estimator = Estimator(ORIGIN)
        estimator.add_gnss(gnss(0))
        for second, (east, north) in zip(range(1, 40), Noise(seed, 3.0), strict=False):
            estimator.add_fix(fix(second, east, north))
        estimate = at(estimator, 39.0)
        assert estimate.mode is Mode.TRACKING
        assert error_at(estimator, 39.0) < 8.0
        inside += (
            error_at(estimator, 39.0) ** 2 <= 5.99 * np.linalg.eigvalsh(estimate.covariance)[0]
        )
    assert inside >= 19  # of 20 in the 95 % circle


def test_motion_makes_velocity_measured_and_fixes_do_not() -> None:
    assert at(tracking(with_motion=False), 20).velocity_sigma_m_s is None
    estimate = at(tracking(), 20)
    assert estimate.velocity_sigma_m_s is not None and estimate.velocity_sigma_m_s < 2.0
    assert estimate.velocity_east_m_s == pytest.approx(8.0, abs=0.5)
    assert estimate.velocity_north_m_s == pytest.approx(-5.0, abs=0.5)
    assert at(tracking(), 24).velocity_sigma_m_s is None


def test_motion_alone_carries_on() -> None:
    with_motion, without = tracking(), tracking()
    for second in range(21, 36):
        with_motion.add_exposure(second * SECOND, motion(second - 1, second))
        without.add_exposure(second * SECOND, None)
    assert error_at(with_motion, 35.5) < 4.0
    smaller, larger = at(with_motion, 35).covariance, at(without, 35).covariance
    assert np.linalg.eigvalsh(smaller)[-1] * 4 < np.linalg.eigvalsh(larger)[-1]


def test_motion_from_another_exposure_is_not_taken() -> None:
    estimator = tracking()
    before = at(estimator, 21).covariance
    estimator.add_exposure(21 * SECOND, motion(15, 21))
    np.testing.assert_allclose(at(estimator, 21).covariance, before)


@pytest.mark.parametrize("offset_m", [40.0, 200.0, 5000.0])
def test_a_wild_fix_moves_nothing(offset_m: float) -> None:
    estimator = tracking()
    before = at(estimator, 20.5)
    refusal = estimator.add_fix(fix(20.5, offset_m))
    assert refusal is not None and refusal.reason is Reason.INNOVATION_TOO_LARGE
    after = at(estimator, 20.5)
    assert (after.lat_deg, after.lon_deg) == (before.lat_deg, before.lon_deg)
    assert estimator.add_fix(fix(21)) is None
    assert error_at(estimator, 21) < 3.0


def test_a_wild_fix_after_coasting_moves_nothing() -> None:
    estimator = tracking()
    for time_s in (31.0, 32.0):
        refusal = estimator.add_fix(fix(time_s, 90.0 * (time_s - 30.5), -60.0))
        assert refusal is not None and refusal.reason is Reason.UNCONFIRMED
        assert error_at(estimator, time_s) < 5.0


def test_fixes_that_agree_win_in_the_end() -> None:
    estimator = tracking()
    refused = [estimator.add_fix(fix(20 + i, 60.0)) is not None for i in range(1, 8)]
    assert all(refused[:2]) and not any(refused[5:])
    assert error_at(estimator, 27) == pytest.approx(60.0, abs=5.0)


def test_a_burst_of_one_mistake_moves_nothing() -> None:
    """Five frames a second of the same wrong place for two seconds: ten fixes that agree."""
    estimator = tracking()
    for i in range(1, 11):
        assert estimator.add_fix(fix(20 + i / 5, 60.0)) is not None
    assert error_at(estimator, 22) < 4.0
    assert estimator.add_fix(fix(22.2)) is None


def test_but_not_while_gnss_agrees_with_the_estimate() -> None:
    estimator = tracking()
    for i in range(1, 20):
        estimator.add_gnss(gnss(20 + i))
        refusal = estimator.add_fix(fix(20.5 + i, 60.0))
        assert refusal is not None and refusal.reason is Reason.INNOVATION_TOO_LARGE
    assert error_at(estimator, 39.5) < 3.0


def test_gnss_that_jumps_is_left_out() -> None:
    estimator = tracking()
    for i in range(1, 10):
        estimator.add_fix(fix(20 + i))
        estimator.add_gnss(gnss(20.5 + i, 300.0))
    assert error_at(estimator, 29.5) < 4.0


def test_coasting_then_silence() -> None:
    estimator = tracking()
    assert at(estimator, 20 + COASTING_AFTER_S - 0.1).mode is Mode.TRACKING
    assert at(estimator, 20 + COASTING_AFTER_S + 0.1).mode is Mode.COASTING
    ages = [at(estimator, t).covariance[0, 0] for t in (20, 24, 28)]
    assert ages == sorted(ages)
    assert estimator.estimate_at(round((21 + LOST_AFTER_S) * SECOND)) is None
    assert estimator.mode_at(round((21 + LOST_AFTER_S) * SECOND)) is Mode.LOST
    assert estimator.prior_at(round((21 + LOST_AFTER_S) * SECOND)) is None


def test_long_motion_alone_ends_in_silence_too() -> None:
    estimator = tracking()
    for second in range(21, 90):
        estimator.add_exposure(second * SECOND, motion(second - 1, second))
    assert estimator.mode_at(79 * SECOND) is not Mode.LOST
    assert estimator.mode_at(81 * SECOND) is Mode.LOST


def test_found_again_by_three_fixes_that_agree() -> None:
    estimator = tracking()
    answers = []
    for i, east_m in enumerate([900.0, 0.0, -2000.0, 0.0, 0.0]):  # two wrong ones between
        second = 120 + i
        seen = motion(second - 1, second) if i else None
        estimator.add_exposure(second * SECOND, seen)
        refusal = estimator.add_fix(fix(second, east_m))
        answers.append(refusal.reason if refusal else None)
        if refusal:
            assert estimator.estimate_at(second * SECOND) is None
    assert answers == [Reason.UNCONFIRMED] * 4 + [None]
    assert at(estimator, 124.5).mode is Mode.TRACKING
    assert error_at(estimator, 124.5) < 6.0


def test_two_places_that_both_repeat_stay_unconfirmed() -> None:
    estimator = Estimator(ORIGIN)
    for second in range(12):
        seen = motion(second - 1, second) if second else None
        estimator.add_exposure(second * SECOND, seen)
        refusal = estimator.add_fix(fix(second, 400.0 if second % 2 else 0.0))
        assert refusal is not None and refusal.reason is Reason.UNCONFIRMED


def test_fixes_that_contradict_the_motion_stay_unconfirmed() -> None:
    estimator = Estimator(ORIGIN)
    for second in range(8):
        seen = motion(second - 1, second) if second else None
        estimator.add_exposure(second * SECOND, seen)
        assert estimator.add_fix(fix(second, east_m=-25.0 * second)) is not None


def test_a_late_fix_counts_at_its_exposure() -> None:
    def flown(late: bool) -> Estimate:
        estimator = tracking()
        if not late:
            estimator.add_exposure(21 * SECOND, motion(20, 21))
            estimator.add_fix(fix(21, 2.0, -1.0))
            for i in range(1, 4):
                estimator.add_gnss(gnss(21 + i / 4))
        else:
            estimator.add_exposure(21 * SECOND, motion(20, 21))
            for i in range(1, 4):
                estimator.add_gnss(gnss(21 + i / 4))
            estimator.add_fix(fix(21, 2.0, -1.0))
        return at(estimator, 22)

    on_time, late = flown(False), flown(True)
    assert late.lat_deg == pytest.approx(on_time.lat_deg, abs=1e-10)
    assert late.lon_deg == pytest.approx(on_time.lon_deg, abs=1e-10)
    np.testing.assert_allclose(late.covariance, on_time.covariance, rtol=1e-6)


def test_a_fix_from_before_the_memory_is_refused() -> None:
    estimator = tracking(until_s=60)
    refusal = estimator.add_fix(fix(30))
    assert refusal is not None and refusal.reason is Reason.OUT_OF_ORDER


def test_the_past_stays_as_it_was() -> None:
    estimator = tracking(until_s=60)
    assert estimator.estimate_at(-5 * SECOND) is None
    assert error_at(estimator, 55.5) < 3.0


@given(st.integers(0, 1000), st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_order_of_arrival_hardly_matters(seed: int, order: list[int]) -> None:
    fixes = [
        fix(20.8 + 0.8 * i, *offset) for i, offset in zip(range(4), Noise(seed, 1.5), strict=False)
    ]
    straight, shuffled = tracking(), tracking()
    for f in fixes:
        assert straight.add_fix(f) is None
    for i in order:
        assert shuffled.add_fix(fixes[i]) is None
    a, b = at(straight, 25), at(shuffled, 25)
    assert a.lat_deg == pytest.approx(b.lat_deg, abs=1e-9)
    assert a.lon_deg == pytest.approx(b.lon_deg, abs=1e-9)


def test_same_events_same_bytes() -> None:
    def flown() -> bytes:
        estimate = at(tracking(), 22.3)
        return np.array([estimate.lat_deg, estimate.lon_deg]).tobytes() + (
            estimate.covariance.tobytes()
        )

    assert flown() == flown()


def test_covariance_stays_positive_over_a_long_flight() -> None:
    estimator = tracking(until_s=600)
    assert np.linalg.eigvalsh(at(estimator, 603).covariance)[0] > 0.0


@pytest.mark.parametrize("speed_m_s", [12.0, 24.0])
def test_follows_a_turn_without_losing_it(speed_m_s: float) -> None:
    """A full circle at 0.25 rad/s, a fix a second, nothing else."""
    estimator, rate = Estimator(ORIGIN), 0.25
    radius = speed_m_s / rate
    for second, (east, north) in zip(range(26), Noise(5, 2.0), strict=False):
        circle = radius * np.cos(rate * second), radius * np.sin(rate * second)
        straight = place(second)
        where = circle[0] - straight[0] + east, circle[1] - straight[1] + north
        refusal = estimator.add_fix(fix(second, *where))
        assert (refusal is None) == (second >= 2)


def test_many_places_at_once_keep_it_lost() -> None:
    estimator, rng = Estimator(ORIGIN), np.random.default_rng(2)
    for second in range(60):
        estimator.add_exposure(second * SECOND, motion(second - 1, second) if second else None)
        refusal = estimator.add_fix(fix(second, *rng.uniform(-3000, 3000, 2)))
        assert refusal is not None and refusal.reason is Reason.UNCONFIRMED


@pytest.mark.parametrize(
    "bad",
    [
        Gnss(0, 0.0, 0.0, 3.0),
        Gnss(0, 91.0, 8.5, 3.0),
        Gnss(0, 47.0, 1e300, 3.0),
        Gnss(0, float("inf"), 8.5, 3.0),
        Gnss(0, 47.0, 8.5, float("nan")),
        Gnss(0, 47.0, 8.5, 0.0),
        Gnss(0, 47.0, 8.5, -3.0),
        Gnss(0, 47.0, 8.5, 1e200),
    ],
)
def test_gnss_that_is_no_position_is_left_out(bad: Gnss) -> None:
    estimator = Estimator(ORIGIN)
    estimator.add_gnss(bad)
    assert estimator.estimate_at(0) is None


def test_gnss_that_claims_to_know_everything_breaks_nothing() -> None:
    estimator = Estimator(ORIGIN)
    for _ in range(2):
        estimator.add_gnss(Gnss(0, LAT_DEG, LON_DEG, 1e-200))
    assert np.linalg.eigvalsh(at(estimator, 0).covariance)[0] > 0.0


@pytest.mark.parametrize("change", ["lat_deg", "lon_deg", "covariance"])
def test_a_fix_that_is_no_number_is_refused_and_leaves_no_trace(change: str) -> None:
    nothing = np.full((2, 2), np.nan) if change == "covariance" else float("nan")
    estimator = Estimator(ORIGIN)
    for second in range(3):
        refusal = estimator.add_fix(replace(fix(second), **{change: nothing}))
        assert refusal is not None and refusal.reason is Reason.WEAK_MATCH
    answers = [estimator.add_fix(fix(second)) is None for second in (3, 4, 5)]
    assert answers == [False, False, True]
    assert error_at(estimator, 5) < 5.0


def test_gnss_does_not_drag_the_estimate_while_fixes_come() -> None:
    estimator = tracking()
    for i in range(1, 60):
        estimator.add_exposure((20 + i) * SECOND, motion(19 + i, 20 + i))
        estimator.add_gnss(gnss(20 + i, 2.0 * i))
        assert estimator.add_fix(fix(20 + i)) is None
    assert error_at(estimator, 79) < 1.0
    assert not at(estimator, 79).carried_by_gnss


def test_gnss_carries_the_estimate_where_no_fix_comes_and_it_says_so() -> None:
    estimator = tracking()
    for i in range(1, 500):
        estimator.add_gnss(gnss(20 + i / 5))
    assert error_at(estimator, 119) < 3.0
    assert at(estimator, 119).carried_by_gnss
    assert at(estimator, 119).mode is Mode.COASTING
    assert estimator.mode_at((120 + round(LOST_AFTER_S)) * SECOND) is Mode.LOST


def test_after_gnss_carried_it_away_fixes_that_agree_win() -> None:
    """A receiver led away over clouds: when the ground is seen again three fixes suffice."""
    estimator = tracking()
    for i in range(1, 300):
        estimator.add_gnss(gnss(20 + i / 5, 2.0 * i / 5))
    answers = [estimator.add_fix(fix(80 + i)) for i in range(3)]
    assert [a is None for a in answers] == [False, False, True]
    assert error_at(estimator, 82) < 4.0


def test_rare_wrong_fixes_do_not_confirm_one_another() -> None:
    """After half a minute without a motion any place is where the vehicle may have flown."""
    estimator = Estimator(ORIGIN)
    for second, east_m in ((0, 0.0), (20, 200.0), (40, 900.0), (60, -500.0), (80, 100.0)):
        refusal = estimator.add_fix(fix(second, east_m))
        assert refusal is not None and refusal.reason is Reason.UNCONFIRMED


def test_a_wrong_height_is_in_the_error_that_motion_alone_leads_to() -> None:
    """Every motion is 5 % too short: the errors do not average out, and neither does the bound."""
    estimator = tracking()
    for second in range(21, 60):
        seen = motion(second - 1, second)
        seen = replace(
            seen, east_m=0.95 * seen.east_m, north_m=0.95 * seen.north_m, shared_share=0.05
        )
        estimator.add_exposure(second * SECOND, seen)
    error = error_at(estimator, 59)
    assert error > 15.0
    assert error < 2.0 * np.sqrt(np.linalg.eigvalsh(at(estimator, 59).covariance)[-1])
    refused = [estimator.add_fix(fix(59.5 + i)) for i in range(4)]
    assert refused[-1] is None and error_at(estimator, 62.5) < 4.0  # and the truth is found again
