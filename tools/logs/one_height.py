"""One height above ground out of a log's several, as in flight (`onboard.autopilot.heights`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from onboard.autopilot.heights import FRESH_NS, RANK
from onboard.messages import Event
from onboard.telemetry_messages import Height


def one_height(events: Iterable[Event]) -> Iterator[Event]:
    """The same without the heights of a source that a better one outranks; what is left carries
    the height above sea level that was told last. Logs tell both, and interpolated between two
    sources the height would swing from one to the other."""
    spoke_ns: dict[str, int] = {}
    amsl: tuple[int, float] | None = None
    for event in events:
        if not isinstance(event, Height):
            yield event
            continue
        if event.amsl_m is not None:
            amsl = event.time_ns, event.amsl_m
        elif amsl is not None and abs(event.time_ns - amsl[0]) <= FRESH_NS:
            event = replace(event, amsl_m=amsl[1])
        spoke_ns[event.source] = event.time_ns
        better = RANK[: RANK.index(event.source)] if event.source in RANK else RANK
        spoken = (spoke_ns[source] for source in better if source in spoke_ns)
        if not any(abs(event.time_ns - told_ns) <= FRESH_NS for told_ns in spoken):
            yield event
