"""Hands recorded or simulated events to the companion, and ticks in the log's own time.

Photographs, logs and the simulator all come through here: the log's clock decides what is
published and when, so the pace at which it is played changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from onboard.companion import Companion
from onboard.messages import Event
from onboard.pack.map_pack import MapPack
from onboard.publish import PERIOD_NS
from tools.pose_csv import photo_key
from tools.run_record import FrameRecord, RunRecord, Tick, keep_frame
from tools.scores import score_frame
from tools.truth import Track

# Without any event for this long the log has a hole: two flights in one folder. The estimate is
# long lost by then, and nothing is published until the log goes on.
HOLE_NS = 120_000_000_000
LONGEST_SLEEP_S = 0.5  # so that a person's Ctrl-C is heard at once


@dataclass(frozen=True)
class Driven:
    """What came of a log: a record a frame, and a tick every 0.1 s."""

    frames: tuple[FrameRecord, ...]
    ticks: tuple[Tick, ...]


def drive(
    events: Iterable[Event],
    companion: Companion,
    pack: MapPack,
    recorded_pace: bool = False,
    on_frame: Callable[[FrameRecord], None] = lambda _: None,
) -> Driven:
    """Events in order of their times; one that comes late is the navigator's to refuse.

    A tick shows the estimate before the events of its moment: what an autopilot would have
    got. on_frame is told of every frame as it is done.
    """
    frames: list[FrameRecord] = []
    ticks: list[Tick] = []
    pace = _Pace() if recorded_pace else None
    last_ns: int | None = None
    for event in events:
        for now_ns in _ticks_between(last_ns, event.time_ns):
            if pace:
                pace.wait(now_ns)
            companion.tick(now_ns)
            ticks.append(Tick(now_ns, companion.navigator.estimate_at(now_ns)))
        last_ns = event.time_ns if last_ns is None else max(last_ns, event.time_ns)
        result = companion.handle(event)
        if result is not None:
            frames.append(keep_frame(result, pack))
            on_frame(frames[-1])
    return Driven(tuple(frames), tuple(ticks))


def run_record(
    title: str,
    driven: Driven,
    truth: Track | None,
    centres: Mapping[str, tuple[float, float]] | None = None,
    gnss_lost_ns: int | None = None,
    notes: tuple[str, ...] = (),
    messages_sent: int = 0,
) -> RunRecord:
    """Scores every frame against the truth (centres: by `photo_key`) for the report."""
    scores = tuple(
        score_frame(
            record.result,
            truth.at(record.result.time_ns) if truth else None,
            (centres or {}).get(photo_key(record.result.frame_name)),
        )
        for record in driven.frames
    )
    return RunRecord(
        title, driven.frames, scores, driven.ticks, truth, gnss_lost_ns, messages_sent, notes
    )


def _ticks_between(last_ns: int | None, now_ns: int) -> Iterator[int]:
    """Full 0.1 s after the last event up to and with this one, none in a hole of the log."""
    if last_ns is None:
        return
    for tick in range(last_ns // PERIOD_NS + 1, now_ns // PERIOD_NS + 1):
        if tick * PERIOD_NS - last_ns > HOLE_NS:
            return
        yield tick * PERIOD_NS


class _Pace:
    """Holds the log's clock to the wall's; holes pass at once."""

    def __init__(self) -> None:
        self._log_ns: int | None = None
        self._due_s = 0.0

    def wait(self, log_ns: int) -> None:
        if self._log_ns is None or log_ns - self._log_ns > HOLE_NS:
            self._due_s = time.monotonic()
        else:
            self._due_s += (log_ns - self._log_ns) * 1e-9
        self._log_ns = log_ns
        while (left_s := self._due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, LONGEST_SLEEP_S))
