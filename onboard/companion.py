"""The companion of an autopilot, without threads, sockets or a clock: events and ticks in,
messages out. Flight, simulation and replay all drive this one object.

Whoever drives it hands over events in the order in which they came, and ticks every
`publish.PERIOD_NS`. The journal is told of every step in its order: a recording of it,
handed over again, makes the same messages byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from onboard.autopilot.contract import Link
from onboard.loop import FrameWork, Navigator
from onboard.messages import (
    Estimate,
    Event,
    Frame,
    FrameResult,
    GnssAssessment,
    RecordedFrame,
    Refusal,
    View,
)


@dataclass(frozen=True)
class Handled:
    """An event that is no frame was taken in."""

    event: Event


@dataclass(frozen=True)
class FrameBegun:
    """A frame's first step. Frames are numbered from 0."""

    number: int
    frame: Frame | RecordedFrame


@dataclass(frozen=True)
class FrameMoved:
    """A frame's second quick step: its motion was taken in. view: what it was seen from, or
    refusal: why there was none; of a blurred one both."""

    number: int
    view: View | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class FrameDone:
    """A frame's last step. second_view: what it was seen from again, where it was."""

    number: int
    result: FrameResult
    second_view: View | None = None


@dataclass(frozen=True)
class Ticked:
    """What held when the time came to publish."""

    now_ns: int
    estimate: Estimate | None
    gnss: GnssAssessment


@dataclass(frozen=True)
class Sent:
    """A message that left."""

    message: Any


JournalEntry = Handled | FrameBegun | FrameMoved | FrameDone | Ticked | Sent
Journal = Callable[[JournalEntry], None]


class Part(Protocol):
    """What listens to events and acts at ticks: `publish.Publisher`, `takeover.Takeover`."""

    def hear(self, event: Event) -> None:
        """Every event but frames."""

    def act(self, now_ns: int, estimate: Estimate | None, gnss: GnssAssessment) -> None:
        """Called every PERIOD_NS."""


class JournalledLink:
    """A link that tells the journal what it sends."""

    def __init__(self, link: Link, journal: Journal) -> None:
        self._link = link
        self._journal = journal

    def send(self, message: Any) -> None:
        self._journal(Sent(message))
        self._link.send(message)


class Companion:
    """Not for several threads at once: live flight holds a lock around every call but
    `look` and `find`."""

    def __init__(
        self,
        navigator: Navigator,
        parts: tuple[Part, ...],
        journal: Journal = lambda _: None,
    ) -> None:
        """parts act in this order at every tick; those that send were given a link."""
        self.navigator = navigator
        self._parts = parts
        self._journal = journal
        self._frames = 0

    def handle(self, event: Event) -> FrameResult | None:
        """Takes an event in; a frame runs through all its steps and gives its result."""
        if isinstance(event, Frame | RecordedFrame):
            number, work = self.begin(event)
            self.navigator.look(work)
            self.take_motion(number, work)
            self.navigator.find(work)
            return self.finish(number, work)
        self._journal(Handled(event))
        for part in self._parts:
            part.hear(event)
        return self.navigator.handle(event)

    def tick(self, now_ns: int) -> None:
        """Publishes, and does what else is due. now_ns: the clock of the events."""
        estimate = self.navigator.estimate_at(now_ns)
        gnss = self.navigator.gnss_at(now_ns)
        self._journal(Ticked(now_ns, estimate, gnss))
        for part in self._parts:
            part.act(now_ns, estimate, gnss)

    def begin(self, frame: Frame | RecordedFrame) -> tuple[int, FrameWork]:
        """The frame's number, and its work for `navigator.look`."""
        number, self._frames = self._frames, self._frames + 1
        self._journal(FrameBegun(number, frame))
        return number, self.navigator.begin(frame)

    def take_motion(self, number: int, work: FrameWork) -> None:
        """After `navigator.look`, before `navigator.find`."""
        self._journal(_moved(number, work))
        self.navigator.take_motion(work)

    def finish(self, number: int, work: FrameWork) -> FrameResult:
        """After `navigator.find`."""
        result = self.navigator.finish(work)
        self._journal(FrameDone(number, result, work.second_view))
        return result


def _moved(number: int, work: FrameWork) -> FrameMoved:
    result = work.result
    view = work.look.view if work.look else result.view if result else None
    return FrameMoved(number, view, result.refusal if result else None)
