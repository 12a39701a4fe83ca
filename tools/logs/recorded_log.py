"""What every reader of logs makes of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from onboard.errors import InputError
from onboard.messages import Event
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.logs.plausible import plausible
from tools.truth import Track, track_of

MAX_FROM_MIDDLE_NS = 86_400_000_000_000  # a day: no flight lasts two
HOLE_NS = 5_000_000_000  # receivers tell at least one position a second; then nobody knows

AROUND_NS = 1_000_000_000  # a picture may be triggered just before or after all else is told


@dataclass(frozen=True)
class Trigger:
    """The log's note that a picture was taken."""

    time_ns: int
    lat_deg: float | None = None
    lon_deg: float | None = None


@dataclass(frozen=True)
class RecordedLog:
    """events: in order of their times, the log's clock, which starts anywhere. triggers: in
    order. utc_minus_clock_ns: Unix time minus the log's, None where it does not tell.
    gimbal: the Attitude events are a gimbal's own, not the airframe's."""

    name: str
    events: tuple[Event, ...]
    triggers: tuple[Trigger, ...]
    utc_minus_clock_ns: int | None
    notes: tuple[str, ...]
    gimbal: bool = False

    @property
    def start_ns(self) -> int:
        return self.events[0].time_ns

    @property
    def end_ns(self) -> int:
        return self.events[-1].time_ns

    @cached_property
    def track(self) -> Track:
        """Where the receiver had the vehicle, 0/0 left out."""
        return track_of(
            [
                (e.time_ns, e.lat_deg, e.lon_deg)
                for e in self.events
                if isinstance(e, Gnss) and e.has_fix and e.receiver == 0
            ],
            HOLE_NS,
        )

    @property
    def has_attitude(self) -> bool:
        return any(isinstance(e, Attitude) for e in self.events)


def in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    """By time; those of one moment stay as they were."""
    return tuple(sorted(events, key=lambda event: event.time_ns))


def made_log(
    path: Path,
    events: Iterable[Event],
    triggers: Sequence[Trigger],
    utc_minus_clock_ns: int | None,
    damaged: int = 0,
    gimbal: bool = False,
) -> RecordedLog:
    """What every reader ends with. damaged: how many messages could not be read.

    Raises InputError when nothing is left that tells of a flight.
    """
    possible, impossible = plausible(events)
    middle_ns = int(np.median([e.time_ns for e in possible])) if possible else 0
    kept = [e for e in possible if abs(e.time_ns - middle_ns) <= MAX_FROM_MIDDLE_NS]
    impossible += len(possible) - len(kept)
    if not any(isinstance(event, Attitude | Height | Gnss) for event in kept):
        raise InputError(f"{path}: holds no attitude, position or height; give a flight's log")
    ordered = in_order(kept)
    first_ns, last_ns = ordered[0].time_ns - AROUND_NS, ordered[-1].time_ns + AROUND_NS
    seen = [t for t in triggers if first_ns <= t.time_ns <= last_ns]
    notes = [f"{path.name}: {count(ordered)}, {len(seen)} pictures triggered"]
    if damaged:
        notes.append(f"{path.name}: {damaged} damaged messages left out")
    if impossible:
        notes.append(f"{path.name}: {impossible} messages with impossible numbers left out")
    return RecordedLog(
        path.name,
        ordered,
        tuple(sorted(seen, key=lambda t: t.time_ns)),
        utc_minus_clock_ns,
        tuple(notes),
        gimbal,
    )


def count(events: Sequence[Event]) -> str:
    """'120 Attitude, 40 Gnss': a note for people."""
    names = Counter(type(event).__name__ for event in events)
    return ", ".join(f"{number} {name}" for name, number in names.items())
