"""Workers and the publisher's deadlines: threads that fail, hang or come late."""

import threading
import time
from itertools import pairwise

import pytest

from onboard.publish import PERIOD_NS
from onboard.runtime.publish_loop import PublishLoop
from onboard.runtime.worker import Worker


def test_a_worker_goes_round_until_it_is_stopped():
    rounds = threading.Semaphore(0)
    worker = Worker("frames", lambda: (time.sleep(0.001), rounds.release())[0], threading.Event())
    worker.start()
    for _ in range(3):
        assert rounds.acquire(timeout=5.0)
    worker.ask_to_stop()
    assert worker.join(5.0)
    assert worker.failure == ""


def test_what_a_step_raises_is_told():
    failed = threading.Event()

    def step():
        raise OSError("no more disk")

    worker = Worker("frames", step, failed)
    worker.start()
    assert failed.wait(5.0)
    assert worker.join(5.0)
    assert worker.failure == "the thread 'frames' failed: OSError: no more disk"


def test_a_worker_that_hangs_shows_it():
    release = threading.Event()
    worker = Worker("link", lambda: release.wait(10.0) and None, threading.Event())
    worker.start()
    time.sleep(0.3)
    assert worker.silent_s >= 0.25
    worker.ask_to_stop()
    assert not worker.join(0.01)
    release.set()
    assert worker.join(5.0)


def test_ticks_keep_to_their_own_moments():
    """Each tick is due a period after the one before was due, not after it came."""
    times = []
    loop = PublishLoop(times.append, threading.Lock())
    for _ in range(8):
        loop.step()
        time.sleep(0.02)  # what a slow tick would take
    steps = [b - a for a, b in pairwise(times)]
    if loop.missed:
        pytest.skip("this machine is too busy to keep time")
    assert abs(sum(steps) / len(steps) - PERIOD_NS) < 0.2 * PERIOD_NS
    assert len(times) == 8


def test_ticks_that_came_too_late_are_counted_and_left_out():
    times = []
    loop = PublishLoop(times.append, threading.Lock())
    loop.step()
    time.sleep(0.35)
    loop.step()
    loop.step()
    assert loop.missed >= 2
    assert loop.take_latest_ns() >= 2 * PERIOD_NS
    assert loop.take_latest_ns() == 0
    assert times == sorted(times)
