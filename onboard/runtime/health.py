"""How the parts of a flight fare, about once a second: for the status page, the recording,
systemd and its log, and the pilot when the machine is throttled or the map can't be read."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from onboard.autopilot.contract import Link
from onboard.autopilot.session import AutopilotSession
from onboard.cameras.contract import FrameSource
from onboard.outputs.status_text import NOTICE, WARNING, status_text
from onboard.recording.recorder import Recorder
from onboard.recording.steps import PartHealth
from onboard.runtime.jetson import MachineHealth, machine_health
from onboard.runtime.map_health import MapHealth
from onboard.runtime.problem_log import ProblemLog
from onboard.runtime.publish_loop import PublishLoop
from onboard.web.status_board import StatusBoard

MACHINE_EVERY_S = 5.0
TEXT_EVERY_S = 60.0  # a machine at its limit goes to and fro, so do tiles in and out of reach


class HealthReport:
    """For the main thread."""

    def __init__(
        self,
        source: FrameSource,
        link: Link,
        session: AutopilotSession,
        publisher: PublishLoop,
        map_health: MapHealth,
        recorder: Recorder | None,
        board: StatusBoard | None,
        not_recording: str = "",
        read_machine: Callable[[], MachineHealth] = machine_health,
    ) -> None:
        """not_recording: why there is no recorder though one is wanted."""
        self._source = source
        self._session = session
        self._publisher = publisher
        self._map_health = map_health
        self._recorder = recorder
        self._board = board
        self._not_recording = not_recording
        self._read_machine = read_machine
        self._machine = read_machine()
        self._machine_s = time.monotonic()
        self._map_text, self._machine_text = _PilotText(link), _PilotText(link)
        self._problems = ProblemLog()
        self._frames = 0
        self._at_s = time.monotonic()

    def report(self) -> str:
        """Passes everything on; the state in a few words."""
        parts = [self._camera(), self._autopilot(), self._publishing(), self._map()]
        if self._recorder is not None:
            parts.append(self._recording(self._recorder))
        elif self._not_recording:
            parts.append(PartHealth("recorder", self._not_recording, ""))
        parts.append(self._temperature())
        now_s = time.monotonic()
        for part in parts:
            self._problems.note(part.part, part.problem, now_s)
            if self._recorder is not None:
                self._recorder.note(part)
            if self._board is not None:
                self._board.set_health(part.part, part.problem, part.detail)
        return "; ".join(f"{p.part}: {p.problem or p.detail}" for p in parts)

    def _camera(self) -> PartHealth:
        health = self._source.health()
        now_s = time.monotonic()
        hz = (health.frames - self._frames) / max(1e-3, now_s - self._at_s)
        self._frames, self._at_s = health.frames, now_s
        detail = f"{hz:.1f} frames/s, {health.dropped} dropped, times from {health.timing.value}"
        if health.reconnects:
            detail += f", {health.reconnects} reconnects"
        return PartHealth("camera", health.problem, detail)

    def _autopilot(self) -> PartHealth:
        status = self._session.status
        problem = "" if status.is_connected else "no heartbeat of an autopilot"
        counts = status.counts
        detail = f"{counts.received} received, {counts.sent} sent, {counts.dropped} dropped"
        if status.is_synced:
            detail += f", clock within {status.clock_uncertainty_ms:.1f} ms"
        else:
            detail += ", clock not in step yet"
        return PartHealth("link", problem, detail)

    def _publishing(self) -> PartHealth:
        late_ms = self._publisher.take_latest_ns() * 1e-6
        detail = f"{self._publisher.missed} ticks missed, latest {late_ms:.1f} ms late"
        return PartHealth("publisher", "", detail)

    def _map(self) -> PartHealth:
        problem, text, detail = self._map_health.state()
        self._map_text.tell(text, "Pilotage: map is read again")
        return PartHealth("map", problem, detail)

    def _recording(self, recorder: Recorder) -> PartHealth:
        health = recorder.health()
        detail = f"{health.size_bytes / 1e6:.0f} MB, {health.lost} steps lost"
        return PartHealth("recorder", health.problem, detail)

    def _temperature(self) -> PartHealth:
        now_s = time.monotonic()
        if now_s - self._machine_s >= MACHINE_EVERY_S:
            self._machine, self._machine_s = self._read_machine(), now_s
        problem = self._machine.problem
        text = f"Pilotage: {problem}" if problem else ""
        self._machine_text.tell(text, "Pilotage: no longer throttled")
        return PartHealth("temperature", problem, self._machine.detail or "no sensors")


class _PilotText:
    """Tells the pilot of one part's problem and its end, never twice in TEXT_EVERY_S."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._text = ""
        self._told_s = -math.inf

    def tell(self, text: str, when_over: str) -> None:
        """text: '' while there is no problem."""
        now_s = time.monotonic()
        if text == self._text or now_s - self._told_s < TEXT_EVERY_S:
            return
        self._text, self._told_s = text, now_s
        self._link.send(status_text(WARNING, text) if text else status_text(NOTICE, when_over))
