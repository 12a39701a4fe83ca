"""Progress bars don't flood a log."""

from __future__ import annotations

import io
import sys

import pytest
from tqdm import tqdm

from maps.progress import LOG_S, TERMINAL_S, progress_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "expected_s"), [(Terminal, TERMINAL_S), (io.StringIO, LOG_S)])
def test_a_log_gets_fewer_updates(monkeypatch, stream, expected_s) -> None:
    monkeypatch.setattr(sys, "stderr", stream())
    assert progress_s() == expected_s


def test_an_hour_of_work_is_a_few_hundred_updates_of_a_log(monkeypatch) -> None:
    clock_s = [0.0]
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with tqdm(total=36_000, mininterval=progress_s()) as bar:
        bar._time = lambda: clock_s[0]
        bar.last_print_t = bar.start_t = 0.0
        for _ in range(36_000):
            clock_s[0] += 0.1
            bar.update()
    assert 100 < sys.stderr.getvalue().count("\r") < 400
