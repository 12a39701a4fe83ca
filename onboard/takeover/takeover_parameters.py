"""Deselects ArduPilot's receiver by GPS_PRIMARY 1 and GPS_AUTO_SWITCH 0, and puts both back.

GPS_PRIMARY first: pinned with the old primary, the autopilot would sit on the jammed receiver.
Given back in reverse. Every value is read before it is written and read back after; while
Pilotage holds, it is read once a second, and a value that is neither what was nor what was
written is someone else's: then nothing is written any more.
"""

from __future__ import annotations

from onboard.autopilot.contract import Link
from onboard.autopilot.parameters import ParameterClient, ParameterState, same_value
from onboard.flight_settings import TakeoverMethod
from onboard.messages import Event
from onboard.takeover.takeover_file import Before, TakeoverFile
from onboard.takeover.takeover_selection import Selection

PRIMARY, AUTO_SWITCH, SECOND_TYPE = "GPS_PRIMARY", "GPS_AUTO_SWITCH", "GPS2_TYPE"
HELD = {PRIMARY: 1.0, AUTO_SWITCH: 0.0}  # in the order of writing
SECOND_TYPE_MAVLINK = 14.0
IDLE_READ_NS = 10_000_000_000
HELD_READ_NS = 1_000_000_000
ROUNDS = 3  # of the client's own five tries each, before it is called a failure
FOREIGN_READS = 2  # in a row: an answer to an old question may come late
NAMES = (PRIMARY, AUTO_SWITCH)


class ParameterSelector:
    """See `takeover_selection.Selector`."""

    def __init__(self, link: Link, file: TakeoverFile) -> None:
        """Raises InputError: the takeover file can't be read."""
        self._client = ParameterClient(link)
        self._file = file
        before = file.read()
        self._before = before.values if before is not None else None
        self.selection = Selection.UNKNOWN
        self.failure: str | None = None
        self._values: dict[str, float] = {}
        self._second_type: float | None = None
        self._asked_ns: int | None = None
        self._reading = False
        self._to_write: list[tuple[str, float]] = []
        self._writing = False
        self._rounds = 0
        self._foreign_reads = 0

    def obstacle(self) -> str | None:
        if not self._values:
            return f"{PRIMARY} not read"
        return None if self._second_type == SECOND_TYPE_MAVLINK else f"{SECOND_TYPE} is not 14"

    def remember(self) -> None:
        if self.selection is Selection.OWN and self._before != self._values:
            self._keep(self._values)

    def forget(self) -> None:
        if self.selection is Selection.FOREIGN:
            self.selection = Selection.UNKNOWN  # to be read anew
        elif self.selection is Selection.OWN and self._before is not None:
            self._before = None
            self._file.remove()

    def take(self, now_ns: int) -> None:
        self._start(Selection.TAKING, now_ns)

    def give(self, now_ns: int) -> None:
        if self._before is None:  # nothing was ever read, so nothing was written
            self.selection, self.failure = Selection.UNKNOWN, None
            return
        self._start(Selection.GIVING, now_ns)

    def hear(self, event: Event) -> None:
        self._client.hear(event)

    def act(self, now_ns: int) -> None:
        if self._writing:
            self._go_on_writing(now_ns)
        elif self._reading and self._client.is_idle:
            self._reading = False
            self._take_values(now_ns)
        if not self._writing and self._client.is_idle and self._is_read_due(now_ns):
            self._ask(now_ns)
        self._client.act(now_ns)

    def _start(self, selection: Selection, now_ns: int) -> None:
        """Reads first; the answers decide what is written."""
        self.selection, self.failure = selection, None
        self._to_write, self._writing, self._rounds = [], False, 0
        self._client.cancel()
        self._ask(now_ns)

    def _ask(self, now_ns: int) -> None:
        self._client.request(*NAMES)
        if self.selection in (Selection.UNKNOWN, Selection.OWN):
            self._client.request(SECOND_TYPE)
        self._asked_ns, self._reading = now_ns, True

    def _is_read_due(self, now_ns: int) -> bool:
        if self._asked_ns is None:
            return True
        if self.selection is Selection.FOREIGN:
            return False
        quick = self.selection not in (Selection.OWN, Selection.UNKNOWN) or not self._values
        return not 0 <= now_ns - self._asked_ns < (HELD_READ_NS if quick else IDLE_READ_NS)

    def _take_values(self, now_ns: int) -> None:
        read = {}
        for name in (*NAMES, SECOND_TYPE):
            outcome = self._client.outcome(name)
            if outcome is None or outcome.state is ParameterState.UNANSWERED:
                continue
            if outcome.value is not None:
                read[name] = outcome.value
        self._second_type = read.pop(SECOND_TYPE, self._second_type)
        if len(read) < len(NAMES):
            if self.selection in (Selection.TAKING, Selection.GIVING):
                self._count_failure("no answer")
            return
        self._values = read
        self._judge(now_ns)

    def _judge(self, now_ns: int) -> None:
        """The values are fresh: whose are they, and what follows?"""
        values, before = self._values, self._before
        if self.selection is Selection.UNKNOWN:
            if before is None or _same(values, before):
                self.selection = Selection.OWN
            elif not self._are_ours():
                self._yield()
            elif _same(values, HELD):
                self.selection = Selection.PILOTAGE
            else:  # a crash came between the two writes
                self.take(now_ns)
        elif self.selection is Selection.TAKING:
            if before is None or not (_same(values, before) or self._are_ours()):
                self._keep(values)
            self._write([(n, v) for n, v in HELD.items() if not same_value(values[n], v)])
        elif self.selection is Selection.GIVING and before is not None:
            if not self._are_ours():
                self._yield()
                return
            back = [(n, before[n]) for n in reversed(NAMES)]
            self._write([(n, v) for n, v in back if not same_value(values[n], v)])
        elif self.selection is Selection.PILOTAGE:
            if _same(values, HELD):
                self._foreign_reads = 0
                return
            self._foreign_reads += 1
            if self._foreign_reads >= FOREIGN_READS:
                self._yield()

    def _write(self, steps: list[tuple[str, float]]) -> None:
        self._to_write, self._writing = steps, True
        if steps:
            self._client.write(*steps[0])

    def _go_on_writing(self, now_ns: int) -> None:
        while self._to_write:
            name, value = self._to_write[0]
            outcome = self._client.outcome(name)
            if outcome is None or not outcome.is_done:
                return
            if outcome.state is not ParameterState.WRITTEN:
                self._writing = False
                self._count_failure(f"{name} refused")
                return
            self._values[name] = value
            self._to_write.pop(0)
            if self._to_write:
                self._client.write(*self._to_write[0])
        self._writing, self._asked_ns, self._foreign_reads = False, now_ns, 0
        self.failure = None
        taken = self.selection is Selection.TAKING
        self.selection = Selection.PILOTAGE if taken else Selection.OWN

    def _count_failure(self, why: str) -> None:
        """It reads again in a second, and goes on from what it finds."""
        self._rounds += 1
        if self._rounds >= ROUNDS:
            self.failure = why

    def _are_ours(self) -> bool:
        """Every value is what was or what is written."""
        before = self._before
        return before is not None and all(
            same_value(self._values[n], before[n]) or same_value(self._values[n], HELD[n])
            for n in NAMES
        )

    def _yield(self) -> None:
        self.selection = Selection.FOREIGN
        self._to_write, self._writing, self._reading = [], False, False
        self._client.cancel()
        self._before = None
        self._file.remove()

    def _keep(self, values: dict[str, float]) -> None:
        self._file.write(Before(TakeoverMethod.GPS_PRIMARY, dict(values)))
        self._before = dict(values)


def _same(a: dict[str, float], b: dict[str, float]) -> bool:
    return a.keys() == b.keys() and all(same_value(a[n], b[n]) for n in a)
