"""What the status page shows, kept by whoever flies and read by whoever looks.

The flight writes through `note` and `set_health`: a lock is held for the time of a few
assignments, pictures are kept by reference, nothing is encoded. Everything slow happens in
the reader's thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass

from onboard.companion import FrameDone, Handled, JournalEntry, Sent, Ticked
from onboard.messages import Estimate, FrameResult, GnssAssessment
from onboard.reasons import GnssState
from onboard.telemetry_messages import AutopilotPosition, EkfStatus, Gnss, VehicleState
from onboard.web.track import Track, TrackPoint

KEPT_REFUSALS = 8
KEPT_TEXTS = 6
LATENCY_FRAMES = 100  # over which medians are taken
MAX_RECEIVERS = 4


@dataclass(frozen=True)
class Health:
    """One part of the aircraft. problem '' while it works; detail: figures in a few words."""

    problem: str
    detail: str


@dataclass(frozen=True)
class Board:
    """A moment's copy. alive_s: wall time since the last tick, None before the first.
    receivers by number; pictured: the last frame that came to a view, with its number;
    stage_ms: the last LATENCY_FRAMES times of each stage."""

    alive_s: float | None
    now_ns: int
    estimate: Estimate | None
    gnss: GnssAssessment
    receivers: dict[int, Gnss]
    autopilot: AutopilotPosition | None
    ekf: EkfStatus | None
    vehicle: VehicleState | None
    frame_number: int
    frame: FrameResult | None
    pictured: tuple[int, FrameResult] | None
    refusals: tuple[FrameResult, ...]
    frames: int
    fixes: int
    refused: dict[str, int]
    stage_ms: dict[str, tuple[float, ...]]
    sent: dict[str, int]
    texts: tuple[str, ...]
    health: dict[str, Health]


class StatusBoard:
    """For any number of threads. `note` is a journal of `onboard.companion.Companion`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticked: Ticked | None = None
        self._ticked_wall_s = 0.0
        self._tracks: dict[str, Track] = {}
        self._receivers: dict[int, Gnss] = {}
        self._autopilot: AutopilotPosition | None = None
        self._ekf: EkfStatus | None = None
        self._vehicle: VehicleState | None = None
        self._frame_number = -1
        self._frame: FrameResult | None = None
        self._pictured: tuple[int, FrameResult] | None = None
        self._refusals: deque[FrameResult] = deque(maxlen=KEPT_REFUSALS)
        self._frames = 0
        self._fixes = 0
        self._refused: Counter[str] = Counter()
        self._stage_ms: dict[str, deque[float]] = {}
        self._sent: Counter[str] = Counter()
        self._texts: deque[str] = deque(maxlen=KEPT_TEXTS)
        self._health: dict[str, Health] = {}

    def note(self, entry: JournalEntry) -> None:
        """Takes a step of the flight in. Quick, never raises on what a flight journals."""
        with self._lock:
            if isinstance(entry, Ticked):
                self._tick(entry)
            elif isinstance(entry, FrameDone):
                self._frame_done(entry)
            elif isinstance(entry, Sent):
                self._count(entry)
            elif isinstance(entry, Handled):
                self._hear(entry)

    def set_health(self, name: str, problem: str = "", detail: str = "") -> None:
        """How a part of the aircraft fares: 'camera', 'link', 'map', 'temperature'."""
        with self._lock:
            self._health[name] = Health(problem, detail)

    def read(self) -> Board:
        """All but the tracks and pictures."""
        with self._lock:
            ticked = self._ticked
            alive_s = None if ticked is None else time.monotonic() - self._ticked_wall_s
            unknown = GnssAssessment(0, GnssState.UNKNOWN, 0)
            return Board(
                alive_s=alive_s,
                now_ns=ticked.now_ns if ticked else 0,
                estimate=ticked.estimate if ticked else None,
                gnss=ticked.gnss if ticked else unknown,
                receivers=dict(self._receivers),
                autopilot=self._autopilot,
                ekf=self._ekf,
                vehicle=self._vehicle,
                frame_number=self._frame_number,
                frame=self._frame,
                pictured=self._pictured,
                refusals=tuple(self._refusals),
                frames=self._frames,
                fixes=self._fixes,
                refused=dict(self._refused),
                stage_ms={stage: tuple(kept) for stage, kept in self._stage_ms.items()},
                sent=dict(self._sent),
                texts=tuple(self._texts),
                health=dict(self._health),
            )

    def track(self, name: str, thinned: int, count: int) -> tuple[int, int, list[TrackPoint]]:
        """(thinned, first, points): those behind the first `count` where the reader's
        `thinned` still holds, else all. 'estimate', 'autopilot', 'gnss0', ..."""
        with self._lock:
            track = self._tracks.get(name)
            if track is None:
                return 0, 0, []
            first = count if thinned == track.thinned and 0 <= count <= len(track.points) else 0
            return track.thinned, first, track.points[first:]

    def track_names(self) -> list[str]:
        with self._lock:
            return sorted(self._tracks)

    def _tick(self, entry: Ticked) -> None:
        self._ticked, self._ticked_wall_s = entry, time.monotonic()
        if entry.estimate is not None:
            self._go("estimate", entry.now_ns, entry.estimate.lat_deg, entry.estimate.lon_deg)

    def _frame_done(self, entry: FrameDone) -> None:
        result = entry.result
        self._frame_number, self._frame = entry.number, result
        self._frames += 1
        if result.refusal is not None:
            self._refused[result.refusal.reason.value] += 1
            self._refusals.appendleft(result)
        else:
            self._fixes += 1
        if result.view is not None:
            self._pictured = entry.number, result
        for stage, spent_ms in result.latency_ms.items():
            self._stage_ms.setdefault(stage, deque(maxlen=LATENCY_FRAMES)).append(spent_ms)

    def _count(self, entry: Sent) -> None:
        name = entry.message.get_type() if hasattr(entry.message, "get_type") else "other"
        self._sent[name] += 1
        if name == "STATUSTEXT":
            text = entry.message.text
            self._texts.appendleft(
                text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
            )

    def _hear(self, entry: Handled) -> None:
        event = entry.event
        if isinstance(event, Gnss):
            if event.receiver not in self._receivers and len(self._receivers) >= MAX_RECEIVERS:
                return
            self._receivers[event.receiver] = event
            if event.has_fix:
                self._go(f"gnss{event.receiver}", event.time_ns, event.lat_deg, event.lon_deg)
        elif isinstance(event, AutopilotPosition):
            self._autopilot = event
            self._go("autopilot", event.time_ns, event.lat_deg, event.lon_deg)
        elif isinstance(event, EkfStatus):
            self._ekf = event
        elif isinstance(event, VehicleState):
            self._vehicle = event

    def _go(self, name: str, time_ns: int, lat_deg: float, lon_deg: float) -> None:
        nowhere = not (math.isfinite(lat_deg) and math.isfinite(lon_deg))
        if nowhere or (lat_deg == 0.0 and lon_deg == 0.0):  # MAVLink's "not known"
            return
        self._tracks.setdefault(name, Track()).add(time_ns, lat_deg, lon_deg)
