import numpy as np
import pytest

from onboard.cameras.contract import Timing
from onboard.cameras.exposure_clock import MAX_IMPLAUSIBLE, ExposureClock

MS = 1_000_000
SECOND = 1000 * MS


def test_a_drivers_stamp_is_the_exposure():
    clock = ExposureClock(Timing.DRIVER)
    assert clock.exposure_ns(10 * SECOND, 10 * SECOND - 40 * MS) == 10 * SECOND - 40 * MS
    assert clock.timing is Timing.DRIVER


@pytest.mark.parametrize("wrong_ns", [None, 0, 20 * SECOND, 10 * SECOND - 600 * MS])
def test_a_driver_whose_stamps_make_no_sense_is_given_up(wrong_ns):
    clock = ExposureClock(Timing.DRIVER)
    for i in range(MAX_IMPLAUSIBLE):
        arrival = 10 * SECOND + i * MS
        assert clock.exposure_ns(arrival, wrong_ns) == arrival - 50 * MS
    assert clock.timing is Timing.ARRIVAL


def test_a_single_wrong_stamp_is_passed_over():
    clock = ExposureClock(Timing.DRIVER)
    for i in range(10):
        arrival = 10 * SECOND + i * 33 * MS
        clock.exposure_ns(arrival, 0 if i % 3 == 1 else arrival - 20 * MS)
    assert clock.timing is Timing.DRIVER


def test_the_networks_jitter_does_not_reach_the_exposure():
    rng = np.random.default_rng(1)
    clock = ExposureClock(Timing.STREAM, latency_ns=0)
    off = []
    for i in range(400):
        sent = i * 50 * MS
        way = 20 * MS + round(rng.exponential(30 * MS))
        off.append(clock.exposure_ns(1000 * SECOND + sent + way, sent) - 1000 * SECOND - sent)
    settled = np.array(off[40:]) / MS
    assert settled.min() > 19.0
    assert settled.max() < 26.0


def test_a_drifting_sender_is_followed():
    clock = ExposureClock(Timing.STREAM, latency_ns=0)
    drift = 1.0 + 100e-6
    errors = []
    for i in range(2400):
        now = i * 50 * MS
        errors.append(clock.exposure_ns(now, round(now / drift)) - now)
    assert np.abs(errors[1000:]).max() < 3 * MS


def test_a_restarted_sender_starts_anew():
    clock = ExposureClock(Timing.STREAM, latency_ns=0)
    for i in range(20):
        clock.exposure_ns(i * 50 * MS, 3600 * SECOND + i * 50 * MS)
    assert clock.exposure_ns(2 * SECOND, 5 * MS) == 2 * SECOND


def test_known_latency_counts():
    assert ExposureClock(Timing.ARRIVAL, 80 * MS).exposure_ns(SECOND, None) == SECOND - 80 * MS
    assert ExposureClock(Timing.DRIVER, 10 * MS).exposure_ns(SECOND, SECOND) == SECOND - 10 * MS
    assert ExposureClock(Timing.ARRIVAL, 0).exposure_ns(SECOND, None) == SECOND


def test_times_always_grow():
    rng = np.random.default_rng(2)
    for timing in Timing:
        clock = ExposureClock(timing)
        times = [
            clock.exposure_ns(SECOND + i, int(rng.integers(0, 2 * SECOND))) for i in range(200)
        ]
        assert np.all(np.diff(times) > 0)
