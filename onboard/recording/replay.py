"""Hands a recording over again, step by step, and compares what is sent byte for byte.

The same map, network and kind of machine give the same bytes. Frames that a device or disk
failed at in flight are taken as recorded; where terrain could not be read, the replay ends.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from onboard.companion import Companion, Journal, JournalEntry, Sent
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.flight import Equipment, Flight, NoLink, make_flight
from onboard.flight_settings import Output
from onboard.loop import FrameWork
from onboard.messages import FrameResult, Refusal
from onboard.pack.map_pack import MapPack
from onboard.recording.reader import (
    FrameStep,
    LostStep,
    RecordedStep,
    Recording,
    SentStep,
    TickStep,
)
from onboard.recording.start import manifest_sha256
from onboard.recording.steps import packed


@dataclass(frozen=True)
class Difference:
    """number: which message of the flight, from 0. was, now: its bytes, b'' for none."""

    number: int
    name: str
    was: bytes
    now: bytes


@dataclass(frozen=True)
class Outcome:
    """frames: those that were done. same: messages equal to the last byte. ended: a clause when
    the recording is not whole to its end, else ''."""

    frames: int
    same: int
    different: tuple[Difference, ...]
    ended: str

    @property
    def is_exact(self) -> bool:
        return not self.different


def replay(
    recording: Recording,
    pack: MapPack,
    describer: Describer,
    journal: Journal = lambda _: None,
) -> Outcome:
    """journal is told of every step as in flight.

    Raises InputError: another map or network than in flight, a step that is not whole.
    """
    _check_same(recording, pack, describer)
    ended = ""
    with TemporaryDirectory(prefix="pilotage-") as folder:
        takeover_file = Path(folder) / "takeover.json"
        if recording.start.takeover_state:
            takeover_file.write_text(recording.start.takeover_state, encoding="utf-8")
        driven = _Driven(recording, pack, describer, journal, takeover_file)
        for step in recording.steps():
            if isinstance(step, LostStep):
                ended = step.why
                break
            driven.take(step)
    whole = recording.whole
    if not ended and whole.cut_at is not None:
        ended = f"the file was cut short at byte {whole.cut_at}"
    return driven.outcome(ended)


class _Driven:
    def __init__(
        self,
        recording: Recording,
        pack: MapPack,
        describer: Describer,
        journal: Journal,
        takeover_file: Path,
    ) -> None:
        self._journal = journal
        self._made: deque[Sent] = deque()
        self._recorded: deque[SentStep] = deque()
        self._works: dict[int, tuple[int, FrameWork]] = {}
        self._frames = 0
        self._same = 0
        self._different: list[Difference] = []
        start = recording.start
        has_nmea = Output.NMEA in start.settings.publish.outputs
        self._flight: Flight = make_flight(
            Equipment(
                start.settings,
                start.camera,
                pack,
                describer,
                start.utc_minus_clock_ns,
                takeover_file,
            ),
            self._note,
            NoLink(),
            NoLink() if has_nmea else None,
        )

    def take(self, step: RecordedStep) -> None:
        companion = self._flight.companion
        if isinstance(step, FrameStep):
            self._frame(companion, step)
        elif isinstance(step, TickStep):
            if step.ending:
                self._flight.begin_end()
            elif step.stopped:
                self._flight.tick_without_position(step.now_ns)
            else:
                companion.tick(step.now_ns)
        elif isinstance(step, SentStep):
            self._recorded.append(step)
        elif not isinstance(step, LostStep):
            companion.handle(step)
        self._compare()

    def outcome(self, ended: str) -> Outcome:
        """What a whole recording left over on one side only is a difference, too."""
        if not ended:
            while self._made:
                self._count("", b"", packed(self._made.popleft().message))
            while self._recorded:
                step = self._recorded.popleft()
                self._count(step.name, step.packed, b"")
        return Outcome(self._frames, self._same, tuple(self._different), ended)

    def _frame(self, companion: Companion, step: FrameStep) -> None:
        if step.step == "begun":
            self._works[step.number] = companion.begin(step.frame)
            return
        number, work = self._works[step.number]
        if step.step == "moved":
            work.frame = step.frame
            companion.navigator.look(work)
            companion.take_motion(number, work)
        else:
            work.second_view = step.frame.view
            if step.frame.refusal is not None:
                work.result = _failed(work, step.frame.refusal)
            companion.navigator.find(work)
            companion.finish(number, work)
            del self._works[step.number]
            self._frames += 1

    def _note(self, entry: JournalEntry) -> None:
        if isinstance(entry, Sent):
            self._made.append(entry)
        self._journal(entry)

    def _compare(self) -> None:
        while self._made and self._recorded:
            step = self._recorded.popleft()
            self._count(step.name, step.packed, packed(self._made.popleft().message))

    def _count(self, name: str, was: bytes, now: bytes) -> None:
        if was == now:
            self._same += 1
        else:
            number = self._same + len(self._different)
            self._different.append(Difference(number, name, was, now))


def _failed(work: FrameWork, refusal: Refusal) -> FrameResult:
    """A device's or disk's failure, which would not come again."""
    view = work.look.view if work.look else None
    return FrameResult(work.frame.name, work.frame.time_ns, None, refusal, view=view)


def _check_same(recording: Recording, pack: MapPack, describer: Describer) -> None:
    start, path = recording.start, recording.path
    if manifest_sha256(pack.path) != start.manifest_sha256:
        raise InputError(f"{pack.path}: not the map of {path}; give {start.map_path} as it was")
    if describer.bundle.sha256 != start.model_sha256:
        raise InputError(
            f"{path}: was flown with model {start.model_id} ({start.model_sha256[:12]}), not "
            f"{describer.bundle.id}; give that model"
        )
