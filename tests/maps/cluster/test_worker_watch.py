"""A build that waits for workers says so."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed", reason="needs dask: pip install 'pilotage[cluster]'")

from maps.cluster.worker_watch import TOLD_AFTER_S, WITHOUT_WORKERS_S, WorkerWatch
from onboard.errors import InputError

LINE = (
    "no worker is left; waiting 120 s for one (start it with 'dask worker tcp://a:1 --nthreads 1')"
)


def watched(workers: dict[int, int]) -> None:
    """workers: how many, by the second from which on."""
    now_s = [0.0]
    watch = WorkerWatch("tcp://a:1", lambda: now_s[0])
    there = 0
    for second in range(0, 200, 2):
        there = workers.get(second, there)
        now_s[0] = float(second)
        watch.look(there)


def test_it_is_said_once_and_then_given_up(capsys) -> None:
    with pytest.raises(InputError, match="no worker has been there for 120 s; start some"):
        watched({0: 2, 4: 0})
    assert capsys.readouterr().err.splitlines() == [LINE]


def test_a_worker_that_comes_back_soon_is_not_missed(capsys) -> None:
    watched({0: 1, 20: 0, 16 + int(TOLD_AFTER_S): 1})
    assert capsys.readouterr().err == ""


def test_each_absence_is_said(capsys) -> None:
    assert WITHOUT_WORKERS_S > 30
    watched({0: 1, 20: 0, 50: 1, 60: 0, 90: 1})
    assert capsys.readouterr().err.splitlines() == [LINE, LINE]
