"""Steps into the topics of a recording, in the order in which they came."""

from __future__ import annotations

from typing import Any

from onboard.companion import FrameDone, FrameMoved, Handled, Ticked
from onboard.errors import InputError
from onboard.messages import FrameResult, View
from onboard.pack.imagery import Imagery
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import IMAGERY_NAME
from onboard.recording import schemas, shown
from onboard.recording.session_file import SessionFile
from onboard.recording.steps import (
    OUTSIDE_REASONS,
    Began,
    Ending,
    Lost,
    PartHealth,
    SentBytes,
    Step,
    Stopped,
)
from onboard.recording.table_json import event_table, table_of
from onboard.telemetry_messages import AutopilotPosition, Gnss
from onboard.web.picture_pair import picture_pair

KEPT_TILES = 16  # decoded tiles; a match shows at most 9
VIEW_FIGURES = (
    "time_ns",
    "level",
    "east_m_per_px",
    "north_m_per_px",
    "nadir_east_m",
    "nadir_north_m",
    "agl_m",
    "height_sigma_m",
)
AHEAD_NS = 1_000_000_000  # a time further ahead of the last tick is not believed


class StepWriter:
    """For the recorder's thread, which is the only one to read the map's tiles by it."""

    def __init__(self, file: SessionFile, utc_minus_clock_ns: int, pack: MapPack) -> None:
        self._file = file
        self._utc_minus_clock_ns = utc_minus_clock_ns
        self._pack = pack
        self._imagery: Imagery | None = None
        self._now_ns: int | None = None
        self._start: dict[str, Any] | None = None
        self._steps = 0
        self._pictured: set[int] = set()
        self.size_bytes = 0

    def begin(self, start: dict[str, Any]) -> None:
        """What the replay needs beside the steps; it is written with the first of them, whose
        time it takes."""
        self._start = start

    def write(self, step: Step) -> None:
        """Raises OSError: the disk."""
        if isinstance(step, Handled):
            self._handled(step)
        elif isinstance(step, Began):
            self._began(step)
        elif isinstance(step, FrameMoved):
            self._moved(step)
        elif isinstance(step, FrameDone):
            self._done(step)
        elif isinstance(step, Ticked):
            self._ticked(step)
        elif isinstance(step, SentBytes):
            self._sent(step)
        elif isinstance(step, Ending | Stopped):
            self._now_ns = step.now_ns
            name = "ending" if isinstance(step, Ending) else "stopped"
            self._step(step.now_ns, name, now_ns=step.now_ns)
        elif isinstance(step, Lost):
            self._step(self._now_ns or 0, "lost", count=step.count)
        elif isinstance(step, PartHealth) and self._now_ns is not None:
            self._show(schemas.HEALTHS, self._now_ns, table_of(step))
        self.size_bytes = self._file.size_bytes

    def _handled(self, step: Handled) -> None:
        event = step.event
        self._step(event.time_ns, "handled", event=event_table(event))
        if isinstance(event, Gnss) and event.has_fix:
            topic = schemas.GNSS if event.receiver == 0 else schemas.GNSS_SECOND
            self._show(topic, event.time_ns, shown.gnss_table(event, self._unix(event.time_ns)))
        elif isinstance(event, AutopilotPosition):
            table = shown.autopilot_table(event, self._unix(event.time_ns))
            self._show(schemas.AUTOPILOT, event.time_ns, table)

    def _began(self, step: Began) -> None:
        self._step(
            step.time_ns,
            "begun",
            number=step.number,
            time_ns=step.time_ns,
            name=step.name,
            camera_id=step.camera_id,
        )
        if step.picture is not None:
            self._pictured.add(step.number)
            unix_ns = self._unix(step.time_ns)
            table = shown.jpeg_table(step.picture, unix_ns, step.camera_id)
            self._show(schemas.CAMERA, step.time_ns, table, step.number)

    def _moved(self, step: FrameMoved) -> None:
        entry: dict[str, Any] = {"number": step.number}
        if step.refusal is not None:
            entry["refusal"] = table_of(step.refusal)
        if step.view is not None:
            entry["view"] = self._view(step.number, step.view)
        self._step(self._now_ns or 0, "moved", **entry)

    def _view(self, number: int, view: View) -> dict[str, Any]:
        """Its picture, for the step that comes next and holds these figures."""
        picture = shown.png_table(view.picture, self._unix(view.time_ns), "view")
        self._show(schemas.VIEW, view.time_ns, picture, number)
        return view_table(view)

    def _done(self, step: FrameDone) -> None:
        refusal = step.result.refusal
        entry: dict[str, Any] = {"number": step.number}
        if refusal is not None and refusal.reason in OUTSIDE_REASONS:
            entry["refusal"] = table_of(refusal)
        if step.second_view is not None:
            entry["view"] = self._view(step.number, step.second_view)
        self._step(step.result.time_ns, "done", **entry)
        used = step.result.height
        if used is not None and used.problem:  # the replay would read what could not be read
            self._step(step.result.time_ns, "unread", problem=used.problem)
        self._show_result(step.number, step.result)

    def _show_result(self, number: int, result: FrameResult) -> None:
        time_ns, unix_ns = result.time_ns, self._unix(result.time_ns)
        self._show(schemas.FRAMES, time_ns, shown.frame_table(number, result), number)
        if result.fix is not None:
            self._show(schemas.FIX, time_ns, shown.fix_table(result.fix, unix_ns))
        if result.refusal is not None:
            self._show(schemas.TEXTS, time_ns, shown.refusal_log(result, unix_ns))
        if number in self._pictured:
            self._pictured.clear()
            pair = self._pair(result)
            if pair is not None:
                self._show(schemas.MATCH, time_ns, shown.jpeg_table(pair, unix_ns, "match"), number)

    def _pair(self, result: FrameResult) -> Any:
        """View beside map; None without a view, or where the map can't be read any more."""
        try:
            if self._imagery is None:
                self._imagery = Imagery(self._pack.path / IMAGERY_NAME, KEPT_TILES)
            return picture_pair(result, self._imagery.picture)
        except InputError:
            return None

    def _ticked(self, step: Ticked) -> None:
        self._now_ns = step.now_ns
        self._step(step.now_ns, "ticked", now_ns=step.now_ns)
        unix_ns = self._unix(step.now_ns)
        if step.estimate is not None:
            table = shown.estimate_table(step.estimate, unix_ns)
            self._show(schemas.ESTIMATE, step.now_ns, table)
        self._show(schemas.STATES, step.now_ns, shown.state_table(step.estimate, step.gnss))

    def _sent(self, sent: SentBytes) -> None:
        now_ns = self._now_ns or 0
        self._step(now_ns, "sent", name=sent.name, bytes=sent.base64)
        if sent.text:
            self._show(schemas.TEXTS, now_ns, shown.text_log(sent, self._unix(now_ns)))

    def _step(self, at_ns: int, step: str, **table: Any) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            self._show(schemas.STARTS, at_ns, start)
        self._show(schemas.STEPS, at_ns, {"n": self._steps, "step": step, **table})
        self._steps += 1

    def _show(self, topic: schemas.Topic, time_ns: int, table: Any, number: int = 0) -> None:
        now_ns = time_ns if self._now_ns is None else self._now_ns
        log_ns = time_ns if now_ns < time_ns <= now_ns + AHEAD_NS else now_ns
        # MCAP's times are unsigned, and its sequence numbers 32 bits.
        self._file.put(topic, self._unix(log_ns), self._unix(time_ns), table, number & 0xFFFFFFFF)

    def _unix(self, time_ns: int) -> int:
        return min(max(0, time_ns + self._utc_minus_clock_ns), 2**63 - 1)


def view_table(view: View) -> dict[str, Any]:
    """A view's figures; its mask is where the picture isn't (0, 0, 0)."""
    return {name: getattr(view, name) for name in VIEW_FIGURES}
