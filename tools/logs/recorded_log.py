"""What every reader of logs makes of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onboard.messages import Attitude, Event, Gnss
from tools.truth import Track, track_of


@dataclass(frozen=True)
class Trigger:
    """The log's note that a picture was taken."""

    time_ns: int
    lat_deg: float | None = None
    lon_deg: float | None = None


@dataclass(frozen=True)
class RecordedLog:
    """events: in order of their times, the log's clock, which starts anywhere. triggers: in
    order. utc_minus_clock_ns: Unix time minus the log's, None where it does not tell."""

    name: str
    events: tuple[Event, ...]
    triggers: tuple[Trigger, ...]
    utc_minus_clock_ns: int | None
    notes: tuple[str, ...]

    @property
    def track(self) -> Track:
        """Where the receiver had the vehicle, 0/0 left out."""
        return track_of(
            [
                (e.time_ns, e.lat_deg, e.lon_deg)
                for e in self.events
                if isinstance(e, Gnss) and e.has_fix and e.receiver == 0
            ]
        )

    @property
    def has_attitude(self) -> bool:
        return any(isinstance(e, Attitude) for e in self.events)


def in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    """By time; those of one moment stay as they were."""
    return tuple(sorted(events, key=lambda event: event.time_ns))


def count(events: Sequence[Event]) -> str:
    """'120 Attitude, 40 Gnss': a note for people."""
    names = [type(event).__name__ for event in events]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
