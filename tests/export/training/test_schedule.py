import math

import pytest

from export.training.schedule import Schedule, rate_factor


def test_the_shipped_networks_schedule_is_unchanged():
    for step in range(2400):
        rise = min(1.0, (step + 1) / 200)
        fall = 0.505 + 0.495 * math.cos(math.pi * step / 2400)
        own = rate_factor(Schedule.COSINE, step, 2400, 200)
        assert own == pytest.approx(rise * fall, rel=1e-12)


def test_warm_up_ends_near_the_papers_cosine():
    """40 epochs of 100 steps, one of warm-up; the papers' fall begins after it."""
    for step in range(100, 4000):
        paper = 0.5 * (1 + math.cos(math.pi * (step - 100) / 3900))
        own = rate_factor(Schedule.COSINE, step, 4000, 100, floor=0.0)
        assert abs(own - paper) < 0.025


def test_salads_line_falls_to_a_fifth_and_stays():
    assert rate_factor(Schedule.LINEAR, 0, 4000, 0) == 1.0
    assert rate_factor(Schedule.LINEAR, 2000, 4000, 0) == pytest.approx(0.6)
    assert rate_factor(Schedule.LINEAR, 4000, 4000, 0) == pytest.approx(0.2)
    assert rate_factor(Schedule.LINEAR, 9000, 4000, 0) == pytest.approx(0.2)


def test_geolinks_cosine_ends_at_a_sixth():
    assert rate_factor(Schedule.COSINE, 4000, 4000, 10, 1 / 6) * 6e-4 == pytest.approx(1e-4)


@pytest.mark.parametrize("schedule", Schedule)
def test_warm_up_rises_evenly_from_above_zero(schedule):
    rates = [rate_factor(schedule, s, 10**9, 10) for s in range(12)]
    assert rates[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert rates[10:] == pytest.approx([1.0, 1.0])
